// on_boot and on_shutdown: the first and the last event, on the thread that called run, with no loop beside
// them.
//
// Leaves to others: what on_boot answers (actions.cpp), what it throws (exceptions.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace ringwire::test {
namespace {

// What an event found out, to be looked at when run has returned.
struct Found {
  std::thread::id thread;
  std::vector<std::string> engine_threads;
};

}  // namespace

TEST_CASE("on_boot and on_shutdown come on run's caller's thread, before the first loop and after the last") {
  for (const std::size_t loops : {1U, 2U}) {
    Found boot;
    Found shutdown;
    std::vector<Client> clients;
    RecordingHandler handler;
    handler.boot = [&](Engine& engine) {
      boot = {std::this_thread::get_id(), engine_threads_left()};
      // Bound already: the backlogs take them.
      for (const Address& address : engine.addresses()) clients.emplace_back(address);
      return Action::none;
    };
    handler.open = [](Conn& conn) { return conn.loop().is_current() ? Action::shutdown : Action::none; };
    handler.shutdown = [&](Engine&) { shutdown = {std::this_thread::get_id(), engine_threads_left()}; };
    Options options = quiet();
    options.loops = loops;
    const std::array<std::string_view, 2> addresses{"tcp://127.0.0.1:0", "tcp://127.0.0.1:0"};
    CHECK_FALSE(run(handler, addresses, options));
    REQUIRE(clients.size() == 2);
    CHECK(boot.thread == std::this_thread::get_id());
    CHECK(boot.engine_threads.empty());
    CHECK(shutdown.thread == std::this_thread::get_id());
    CHECK(shutdown.engine_threads.empty());
    const Record record = handler.record();
    CHECK(record.boots == 1);
    CHECK(record.shutdowns == 1);
    CHECK(record.events.front() == "boot");
    CHECK(record.events.back() == "shutdown");
    CHECK(record.opened == record.closed);
  }
}

TEST_CASE("what on_boot asks of its engine is done when the loops run") {
  RecordingHandler far;
  const TestServer far_server{far};
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  RecordingHandler near;
  near.boot = [&](Engine& engine) {
    const auto done = [&near](const char* what) {
      return [&near, what](Conn*, std::error_code error) { near.note(error ? "failed" : what); };
    };
    const LoopRef loop = engine.loop(1);
    const std::string address = url_of(far_server.address());
    const bool refused = engine.connect(address, {}, done("connected")).error() ||
                         engine.enroll(ends[0], done("enrolled")) ||
                         loop.post([&] { near.note("posted"); }) ||
                         !loop.schedule(std::chrono::milliseconds{1}, [&] { near.note("scheduled"); });
    engine.offload([&] { near.note("worked"); },
                   [&](std::error_code error) { near.note(error ? "failed" : "told"); });
    near.note(refused ? "failed" : "asked");
    return Action::none;
  };
  Options options = quiet();
  options.loops = 2;
  options.workers_count = 1;
  TestServer near_server{near, options};
  for (const char* deed : {"asked", "connected", "enrolled", "posted", "scheduled", "worked", "told"}) {
    INFO(deed);
    CHECK(near.wait_noted(deed));
  }
  CHECK(near.wait_opened(2));
  CHECK_FALSE(near_server.stop());
  ::close(ends[1]);
  CHECK(near.record().count("failed") == 0);
}

TEST_CASE("in on_shutdown every handle answers that its loop has ended") {
  std::error_code posted;
  std::error_code scheduled;
  std::error_code written;
  RecordingHandler handler;
  handler.shutdown = [&](Engine& engine) {
    const LoopRef loop = engine.loop(0);
    posted = loop.post([] {});
    scheduled = loop.schedule(std::chrono::milliseconds{1}, [] {}).error();
    handler.record().refs.front().write("x", [&](std::error_code error) { written = error; });
  };
  TestServer server{handler};
  const Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  CHECK_FALSE(server.stop());
  CHECK(posted == Error::closed);
  CHECK(scheduled == Error::closed);
  CHECK(written == Error::closed);
}

}  // namespace ringwire::test
