// on_tick: at the start of its loop, then each time after the delay it answered.
//
// Leaves to others: scheduled tasks (tasks_are_scheduled.cpp), a tick that throws (exceptions.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <chrono>

namespace ringwire::test {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

TEST_CASE("25 ticks of 10 ms, then shutdown") {
  std::size_t calls = 0;
  RecordingHandler handler;
  handler.tick = [&]() -> Tick {
    return {milliseconds{10}, ++calls == 25 ? Action::shutdown : Action::none};
  };
  Options options = quiet();
  options.ticker = true;
  const auto start = Clock::now();
  TestServer server{handler, options};
  CHECK_FALSE(server.join());
  CHECK(Clock::now() - start >= milliseconds{240});
  CHECK(handler.record().ticks == 25);
  CHECK(handler.record().shutdowns == 1);
}

TEST_CASE("the first tick comes at the start, whatever delay it answers") {
  bool on_loop = false;
  LoopRef loop;
  RecordingHandler handler;
  handler.boot = [&](Engine& engine) {
    loop = engine.loop(0);
    return Action::none;
  };
  handler.tick = [&]() -> Tick {
    on_loop = loop.is_current();
    return {std::chrono::hours{1}, Action::none};
  };
  Options options = quiet();
  options.ticker = true;
  options.loops = 2;
  TestServer server{handler, options};
  CHECK(handler.wait([](const Record& record) { return record.ticks == 1; }));
  server.stop();
  CHECK(handler.record().ticks == 1);
  CHECK(on_loop);
}

TEST_CASE("a delay of 0 is taken as 1 ms, and the connections are served") {
  RecordingHandler handler;
  handler.traffic = echo;
  handler.tick = []() -> Tick { return {milliseconds{0}, Action::none}; };
  Options options = quiet();
  options.ticker = true;
  TestServer server{handler, options};
  const auto start = Clock::now();
  Client client{server.address()};
  for (int round = 0; round < 100; ++round) CHECK(client.exchange("x") == "x");
  CHECK(handler.wait([](const Record& record) { return record.ticks >= 20; }));
  server.stop();
  const auto time = std::chrono::ceil<milliseconds>(Clock::now() - start);
  CHECK(handler.record().ticks <= static_cast<std::size_t>(time.count()) + 20);
}

TEST_CASE("no tick comes without the option") {
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler};
  Client client{server.address()};
  CHECK(client.exchange("x") == "x");
  server.stop();
  CHECK(handler.record().ticks == 0);
}

TEST_CASE("close answered by on_tick means nothing") {
  RecordingHandler handler;
  handler.tick = []() -> Tick { return {milliseconds{1}, Action::close}; };
  Options options = quiet();
  options.ticker = true;
  TestServer server{handler, options};
  CHECK(handler.wait([](const Record& record) { return record.ticks >= 3; }));
  CHECK_FALSE(server.stop());
}

}  // namespace ringwire::test
