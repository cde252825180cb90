// From addresses to running threads and back: whatever fails on the way leaves nothing behind.
//
// Most engines here are told to stop in on_boot, so `run` starts everything, ends it, and returns. Leaves to
// others: clients (run_test.cpp, tests/scenario).
#include "lib/engine/server.hpp"

#include <ringwire/error.hpp>

#include "tests/engine/forwarding_kernel.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ringwire::engine {
namespace {

using ringwire::test::contains;
using test::ForwardingKernel;
using test::open_descriptors;
using test::RecordingHandler;

constexpr std::string_view any_port = "tcp://127.0.0.1:0";

// A kernel and a handler, and one run of an engine on them.
struct ServerStage {
  ServerStage() {
    options.loops = 2;
    options.log_level = LogLevel::off;
    for (const char* name : {"RINGWIRE_MASK", "RINGWIRE_LOCKDOWN"}) {
      if (const char* value = std::getenv(name)) kernel.variables[name] = value;
    }
    handler.boot = [](Engine& engine) {
      static_cast<void>(engine.stop());
      return Action::none;
    };
  }

  std::error_code run(std::vector<std::string_view> addresses = {any_port}) {
    const std::error_code error = Server{kernel, handler, options}.run(addresses);
    explanation = explain(error);
    return error;
  }

  ForwardingKernel kernel;
  RecordingHandler handler;
  Options options;
  std::string explanation;
};

using Threads = std::vector<std::pair<std::string, int>>;

TEST_CASE("an engine starts its loops and its balancer, ends them, and leaves nothing") {
  ServerStage at;
  at.kernel.cpus_given = {0, 1};
  at.options.loops = 3;
  const std::size_t before = open_descriptors();
  CHECK_FALSE(at.run());
  CHECK(at.kernel.threads ==
        Threads{{"ringwire/0", 0}, {"ringwire/1", 1}, {"ringwire/2", 0}, {"ringwire/bal", -1}});
  CHECK(at.handler.record().boots == 1);
  CHECK(at.handler.record().shutdowns == 1);
  CHECK(open_descriptors() == before);
}

TEST_CASE("one loop accepts for itself, without a balancer") {
  ServerStage at;
  at.options.loops = 1;
  at.options.pin_loops = false;
  CHECK_FALSE(at.run());
  CHECK(at.kernel.threads == Threads{{"ringwire/0", -1}});
}

TEST_CASE("multicore means a loop for each CPU") {
  ServerStage at;
  at.kernel.cpus_given = {0, 0, 0};
  at.options.loops = 0;
  at.options.multicore = true;
  at.handler.boot = [](Engine& engine) {
    CHECK(engine.loops_count() == 3);
    return Action::shutdown;
  };
  CHECK_FALSE(at.run());
}

TEST_CASE("at on_boot every address is bound to a real port, in the order given") {
  ServerStage at;
  std::vector<Address> bound;
  at.handler.boot = [&](Engine& engine) {
    bound = engine.addresses();
    return Action::shutdown;
  };
  CHECK_FALSE(at.run({"tcp://127.0.0.1:0", "tcp4://127.0.0.2:0"}));
  REQUIRE(bound.size() == 2);
  CHECK(bound[0].host() == "127.0.0.1");
  CHECK(bound[1].host() == "127.0.0.2");
  CHECK(bound[0].port != 0);
  CHECK(bound[1].port != 0);
}

TEST_CASE("shutdown from on_boot starts no thread, closes the listeners, and tells no on_shutdown") {
  ServerStage at;
  at.handler.boot = [](Engine&) { return Action::shutdown; };
  const std::size_t before = open_descriptors();
  CHECK_FALSE(at.run());
  CHECK(at.kernel.threads.empty());
  CHECK(at.handler.record().shutdowns == 0);
  CHECK(open_descriptors() == before);
}

TEST_CASE("what on_boot asked of a loop that never ran is answered while the engine is whole") {
  ServerStage at;
  at.options.loops = 3;
  std::vector<std::error_code> told;
  at.handler.boot = [&](Engine& engine) {
    for (std::size_t loop = 0; loop < engine.loops_count(); ++loop) {
      CHECK_FALSE(engine.loop(loop).connect("tcp://127.0.0.1:9", [&](std::error_code error) {
        told.push_back(error);
        engine.stop();
        CHECK(engine.connections_count() == 0);
      }));
    }
    return Action::shutdown;
  };
  CHECK_FALSE(at.run());
  CHECK(told.size() == 3);
}

TEST_CASE("an exception from on_boot starts nothing and is reported") {
  ServerStage at;
  at.handler.boot = [](Engine&) -> Action { throw std::runtime_error("no configuration"); };
  const std::size_t before = open_descriptors();
  CHECK(at.run() == Error::handler_failed);
  CHECK_THAT(at.explanation, contains("on_boot"));
  CHECK(at.kernel.threads.empty());
  CHECK(open_descriptors() == before);
}

TEST_CASE("an exception from on_shutdown does not turn a normal end into a failure") {
  ServerStage at;
  at.handler.shutdown = [](Engine&) { throw std::runtime_error("too late"); };
  CHECK_FALSE(at.run());
}

TEST_CASE("a bad option is refused before a single socket is opened") {
  ServerStage at;
  at.options.backlog = 0;
  CHECK(at.run() == Error::invalid_option);
  CHECK(at.kernel.sockets_opened == 0);
  CHECK(at.handler.record().boots == 0);
}

TEST_CASE("without an address there is nothing to start") {
  ServerStage at;
  CHECK(at.run({}) == Error::invalid_address);
  CHECK_THAT(at.explanation, contains("no address"));
}

TEST_CASE("when the second address cannot be had, the first is given back") {
  ServerStage at;
  const std::size_t before = open_descriptors();
  CHECK(at.run({any_port, "tulip://howdy:1"}) == Error::unsupported_protocol);
  CHECK(open_descriptors() == before);
  CHECK(at.run({any_port, "tcp://192.0.2.1:0"}) == std::errc::address_not_available);
  CHECK_THAT(at.explanation, contains("tcp://192.0.2.1:0"));
  CHECK(open_descriptors() == before);
  CHECK(at.handler.record().boots == 0);
}

TEST_CASE("a thread that cannot be started ends all others, whichever it is") {
  const std::array<const char*, 3> names{"ringwire/0", "ringwire/1", "ringwire/bal"};
  for (int failing = 0; failing < 3; ++failing) {
    INFO(names.at(static_cast<std::size_t>(failing)));
    ServerStage at;
    at.kernel.failing_thread = failing;
    const std::size_t before = open_descriptors();
    CHECK(at.run() == std::errc::resource_unavailable_try_again);
    CHECK_THAT(at.explanation, contains(names.at(static_cast<std::size_t>(failing))));
    CHECK(open_descriptors() == before);
    CHECK(at.handler.record().shutdowns == 0);
  }
}

TEST_CASE("the only thread that cannot be started leaves nothing behind either") {
  ServerStage at;
  at.options.loops = 1;
  at.kernel.failing_thread = 0;
  const std::size_t before = open_descriptors();
  CHECK(at.run() == std::errc::resource_unavailable_try_again);
  CHECK(open_descriptors() == before);
}

TEST_CASE("a ring that cannot be opened ends the start, and is explained to who called run") {
  for (int failing = 0; failing < 3; ++failing) {
    INFO("ring " << failing);
    ServerStage at;
    at.kernel.ring_results[failing] = -EPERM;
    const std::size_t before = open_descriptors();
    CHECK(at.run() == Error::io_uring_forbidden);
    CHECK_THAT(at.explanation, contains("not permitted"));
    CHECK(open_descriptors() == before);
    CHECK(at.handler.record().boots == 1);
    CHECK(at.handler.record().shutdowns == 0);
  }
}

TEST_CASE("an unknown name in RINGWIRE_MASK ends the start") {
  ServerStage at;
  at.kernel.variables["RINGWIRE_MASK"] = "everything";
  CHECK(at.run() == Error::invalid_option);
  CHECK_THAT(at.explanation, contains("'everything'"));
}

TEST_CASE("new rings are forbidden in each thread that has its ring, and only under lockdown") {
  ServerStage at;
  at.kernel.variables.erase("RINGWIRE_LOCKDOWN");
  CHECK_FALSE(at.run());
  CHECK(at.kernel.forbids == 0);
  at.options.lockdown = true;
  CHECK_FALSE(at.run());
  CHECK(at.kernel.forbids == 3);  // Two loops and the balancer.
}

TEST_CASE("RINGWIRE_LOCKDOWN is the option, and a value it does not know ends the start") {
  ServerStage at;
  at.kernel.variables["RINGWIRE_LOCKDOWN"] = "1";
  CHECK_FALSE(at.run());
  CHECK(at.kernel.forbids == 3);
  at.kernel.variables["RINGWIRE_LOCKDOWN"] = "yes";
  CHECK(at.run() == Error::invalid_option);
  CHECK_THAT(at.explanation, contains("RINGWIRE_LOCKDOWN"));
}

TEST_CASE("a thread that cannot be locked down keeps all others from serving, whichever it is") {
  for (int failing = 0; failing < 3; ++failing) {
    INFO("thread " << failing);
    ServerStage at;
    at.options.lockdown = true;
    at.kernel.forbid_results[failing] = -EINVAL;
    const std::size_t before = open_descriptors();
    CHECK(at.run() == Error::lockdown_failed);
    CHECK_THAT(at.explanation, contains("seccomp") && contains("start without the option"));
    CHECK(open_descriptors() == before);
    CHECK(at.handler.record().shutdowns == 0);
  }
}

TEST_CASE("signals are taken over only when asked for, and given back also when the start fails") {
  ServerStage without;
  CHECK_FALSE(without.run());
  CHECK(without.kernel.signals_opened == 0);
  ServerStage with;
  with.options.stop_on_signal = true;
  CHECK_FALSE(with.run());
  CHECK(with.kernel.signals_opened == 1);
  CHECK(with.kernel.signals_closed == 1);
  ServerStage failing;
  failing.options.stop_on_signal = true;
  failing.kernel.failing_thread = 1;
  CHECK(failing.run());
  CHECK(failing.kernel.signals_opened == 1);
  CHECK(failing.kernel.signals_closed == 1);
}

TEST_CASE("without a descriptor for the signals nothing is started") {
  ServerStage at;
  at.options.stop_on_signal = true;
  at.kernel.signals_result = -EMFILE;
  const std::size_t before = open_descriptors();
  CHECK(at.run() == std::errc::too_many_files_open);
  CHECK(at.kernel.threads.empty());
  CHECK(at.kernel.signals_closed == 0);
  CHECK(open_descriptors() == before);
}

std::mutex lines_mutex;
std::vector<std::string> lines;  // What the sink below was given.

TEST_CASE("the log says how many loops run with which features, and RINGWIRE_LOG overrules the level") {
  ServerStage at;
  at.options.mask = "all";
  at.options.log_sink = [](LogLevel, std::string_view line) {
    const std::lock_guard lock{lines_mutex};
    lines.emplace_back(line);
  };
  lines.clear();
  CHECK_FALSE(at.run());
  CHECK(lines.empty());
  at.kernel.variables["RINGWIRE_LOG"] = "info";
  CHECK_FALSE(at.run());
  REQUIRE(lines.size() == 1);
  CHECK_THAT(lines[0], contains("2 loop(s)") && contains("features: none"));
  lines.clear();
  at.options.lockdown = true;
  CHECK_FALSE(at.run());
  REQUIRE(lines.size() == 1);
  CHECK_THAT(lines[0], contains("features: none; locked down"));
}

TEST_CASE("the log names every feature but the one that the option or the environment masks") {
  const auto features_said = [](ServerStage& at) {
    at.options.log_level = LogLevel::info;
    at.options.log_sink = [](LogLevel, std::string_view line) {
      const std::lock_guard lock{lines_mutex};
      lines.emplace_back(line);
    };
    lines.clear();
    REQUIRE_FALSE(at.run());
    REQUIRE(lines.size() == 1);
    return lines[0];
  };
  ServerStage plain;
  const std::string had = features_said(plain);
  for (const std::string name :
       {"defer_taskrun", "registered_ring", "no_iowait", "wake_ring", "recv_credit"}) {
    INFO(name);
    std::string expected = had;
    if (const auto at = expected.find(' ' + name); at != std::string::npos) {
      expected.erase(at, name.size() + 1);
    }
    ServerStage by_option;
    by_option.options.mask = name;
    CHECK(features_said(by_option) == expected);
    ServerStage by_environment;
    std::string& mask = by_environment.kernel.variables["RINGWIRE_MASK"];
    mask += (mask.empty() ? "" : ",") + name;
    CHECK(features_said(by_environment) == expected);
  }
}

TEST_CASE("a stop wanted by a handler and one wanted by the engine are one stop") {
  ServerStage at;
  std::error_code second;
  at.handler.boot = [&](Engine& engine) {
    static_cast<Server&>(engine).stop_wanted();
    second = engine.stop();
    return Action::none;
  };
  CHECK_FALSE(at.run());
  CHECK(second == Error::engine_stopped);
  CHECK(at.handler.record().shutdowns == 1);
}

}  // namespace
}  // namespace ringwire::engine
