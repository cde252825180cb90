// The public face of a running engine.
#include <ringwire/engine.hpp>
#include <ringwire/error.hpp>

#include "lib/engine/server.hpp"
#include "tests/base/death.hpp"
#include "tests/engine/forwarding_kernel.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <chrono>
#include <future>
#include <string>
#include <vector>

namespace ringwire {
namespace {

using ringwire::test::contains;
using test::Client;
using test::Record;
using test::RecordingHandler;
using test::TestServer;

Options two_loops() {
  Options options = test::quiet();
  options.loops = 2;
  return options;
}

TEST_CASE("connections are counted in all and by loop, until they are closed") {
  RecordingHandler handler;
  TestServer server{handler, two_loops()};
  Engine& engine = server.engine();
  CHECK(engine.connections_count() == 0);
  auto clients = test::connect_many(server.address(), 6);
  REQUIRE(handler.wait_opened(6));
  CHECK(engine.connections_count() == 6);
  CHECK(engine.connections_count(0) == 3);
  CHECK(engine.connections_count(1) == 3);
  clients.resize(2);
  REQUIRE(handler.wait_closed(4));
  server.stop();
  CHECK(handler.record().opened == 6);
  CHECK(handler.record().closed == 6);
}

TEST_CASE("each loop has a handle of its own that posts to its thread") {
  RecordingHandler handler;
  TestServer server{handler, two_loops()};
  Engine& engine = server.engine();
  REQUIRE(engine.loops_count() == 2);
  const LoopRef first = engine.loop(0);
  const LoopRef second = engine.loop(1);
  CHECK(first == engine.loop(0));
  CHECK_FALSE(first == second);
  CHECK_FALSE(first.is_current());
  std::promise<std::vector<bool>> told;
  REQUIRE_FALSE(second.post([&] { told.set_value({first.is_current(), second.is_current()}); }));
  CHECK(told.get_future().get() == std::vector<bool>{false, true});
  server.stop();
  CHECK(second.post([] {}) == Error::closed);
}

TEST_CASE("connections beyond the most are counted as refused") {
  RecordingHandler handler;
  Options options = test::quiet();
  options.connections_max = 1;
  TestServer server{handler, options};
  Client stays{server.address()};
  REQUIRE(handler.wait_opened(1));
  Client refused{server.address()};
  CHECK(refused.expect_reset());
  std::promise<void> lap_is_over;  // The client may see the reset before the counter moves.
  REQUIRE_FALSE(server.engine().loop(0).post([&] { lap_is_over.set_value(); }));
  lap_is_over.get_future().wait();
  CHECK(server.engine().connections_refused() == 1);
  CHECK(server.engine().connections_count() == 1);
}

TEST_CASE("stop answers at once, and run returns after it") {
  RecordingHandler handler;
  TestServer server{handler, two_loops()};
  CHECK_FALSE(server.engine().stop());
  CHECK_FALSE(server.join());
  CHECK(handler.record().shutdowns == 1);
}

TEST_CASE("in on_shutdown the engine can still be asked, and is empty") {
  RecordingHandler handler;
  std::size_t count = 99;
  std::size_t loops = 0;
  std::error_code stopped;
  handler.shutdown = [&](Engine& engine) {
    count = engine.connections_count();
    loops = engine.loops_count();
    stopped = engine.stop();
  };
  TestServer server{handler, two_loops()};
  Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  server.stop();
  CHECK(count == 0);
  CHECK(loops == 2);
  CHECK(stopped == Error::engine_stopped);
}

TEST_CASE("a loop that is not there is the caller's mistake") {
  const auto ask = [](auto question) {
    return test::death_of([&] {
      test::ForwardingKernel kernel;
      RecordingHandler handler;
      handler.boot = [&](Engine& engine) {
        question(engine);
        return Action::shutdown;
      };
      const std::vector<std::string_view> addresses{"tcp://127.0.0.1:0"};
      static_cast<void>(engine::Server{kernel, handler, two_loops()}.run(addresses));
    });
  };
  CHECK_THAT(ask([](Engine& engine) { static_cast<void>(engine.loop(2)); }), contains("loop 2 of 2"));
  CHECK_THAT(ask([](Engine& engine) { static_cast<void>(engine.connections_count(2)); }),
             contains("loop 2 of 2"));
}

TEST_CASE("a drain is begun once, and hastened once by a stop") {
  std::vector<std::error_code> answers;
  RecordingHandler handler;
  handler.drain = [](Conn&) { return Action::none; };
  handler.shutdown = [&](Engine& engine) {
    answers.push_back(engine.stop());
    answers.push_back(engine.drain());
  };
  TestServer server{handler, two_loops()};
  const std::vector<Client> clients = test::connect_many(server.address(), 4);
  REQUIRE(handler.wait_opened(4));
  Engine& engine = server.engine();
  CHECK_FALSE(engine.drain({.deadline = std::chrono::hours{1}, .spread = std::chrono::hours{1}}));
  CHECK(engine.drain() == Error::engine_stopped);
  REQUIRE(handler.wait([](const Record& record) { return record.drains == 2; }));  // One for each loop.
  CHECK_FALSE(engine.stop());  // After which nobody waits for an hour.
  CHECK_FALSE(server.join());
  CHECK(handler.record().drains == 4);
  CHECK(answers == std::vector<std::error_code>{Error::engine_stopped, Error::engine_stopped});
}

TEST_CASE("a drain that began is over, for stop, when nobody is left") {
  std::error_code answer;
  RecordingHandler handler;
  handler.shutdown = [&](Engine& engine) { answer = engine.stop(); };
  TestServer server{handler, two_loops()};
  CHECK_FALSE(server.engine().drain());
  CHECK_FALSE(server.join());
  CHECK(answer == Error::engine_stopped);
}

TEST_CASE("a drain of a negative time is refused, and nothing has happened") {
  RecordingHandler handler;
  handler.traffic = test::echo;
  TestServer server{handler};
  const std::chrono::milliseconds never{-1};
  CHECK(server.engine().drain({.deadline = never}) == std::errc::invalid_argument);
  CHECK(server.engine().drain({.spread = never}) == std::errc::invalid_argument);
  CHECK(Client{server.address()}.exchange("alive?") == "alive?");
  CHECK_FALSE(server.engine().drain());
  CHECK_FALSE(server.join());
}

}  // namespace
}  // namespace ringwire
