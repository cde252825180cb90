// Scheduled tasks on running loops: set from events, other threads and on_boot, cancelled from anywhere.
//
// Leaves to others: the exact time, which a stepped loop shows (tests/loop/timers_test.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

namespace ringwire::test {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

TEST_CASE("a task set by another thread runs on the loop, not early, while nothing else happens",
          "[features]") {
  RecordingHandler handler;
  Options options = quiet();
  options.loops = 2;
  TestServer server{handler, options};
  const LoopRef loop = server.engine().loop(1);
  std::promise<Clock::time_point> ran;
  const auto start = Clock::now();
  REQUIRE(loop.schedule(milliseconds{50}, [&, loop] {
    if (loop.is_current()) ran.set_value(Clock::now());
  }));
  auto when = ran.get_future();
  REQUIRE(when.wait_for(patience) == std::future_status::ready);
  CHECK(when.get() - start >= milliseconds{50});
}

TEST_CASE("a task set from on_boot runs, and may write to a connection of its loop") {
  RecordingHandler handler;
  ConnRef ref;
  handler.open = [&](Conn& conn) {
    ref = conn.ref();
    return Action::none;
  };
  handler.boot = [&](Engine& engine) {
    engine.loop(0).schedule_every(milliseconds{5}, [&] { ref.write("."); });
    return Action::none;
  };
  TestServer server{handler};
  Client client{server.address()};
  CHECK(client.receive_exactly(10) == "..........");
}

TEST_CASE("a timeout that is cancelled in time does nothing, one that is not closes the connection") {
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    conn.emplace_context<TimerRef>(conn.loop().schedule(milliseconds{200}, [&conn] { conn.close(); }));
    return Action::none;
  };
  handler.traffic = [&](Conn& conn) {
    if (!conn.context<TimerRef>()->cancel()) handler.note("too late");
    return echo(conn);
  };
  handler.close = [&](Conn& conn, std::error_code) {
    conn.context<TimerRef>()->cancel();
    return Action::none;
  };
  TestServer server{handler};
  Client quick{server.address()};
  CHECK(quick.exchange("!") == "!");
  Client slow{server.address()};
  CHECK(slow.expect_eof());
  slow.close();
  CHECK(quick.expect_silence(milliseconds{100}));
  CHECK(handler.wait_closed(1));
  CHECK(handler.record().count("too late") == 0);
}

TEST_CASE("four threads set and cancel on two loops: what was cancelled never runs, the rest once",
          "[features]") {
  constexpr std::size_t threads_count = 4;
  const std::size_t each = scaled(2500, 400);
  // What became of each timer: cancelled by its thread, or run so many times.
  struct Fate {
    std::atomic<int> runs{0};
    std::atomic<bool> cancelled{false};
    std::atomic<bool> ran_after_cancel{false};
  };
  std::vector<Fate> fates(threads_count * each);
  RecordingHandler handler;
  Options options = quiet();
  options.loops = 2;
  TestServer server{handler, options};
  std::atomic<std::size_t> left = fates.size();
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < threads_count; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::size_t index = 0; index < each; ++index) {
        Fate& fate = fates[thread * each + index];
        const LoopRef loop = server.engine().loop(index % 2);
        const TimerRef timer = loop.schedule(milliseconds{index % 7}, [&] {
          if (fate.cancelled) fate.ran_after_cancel = true;
          ++fate.runs;
          if (--left == 0) handler.note("all");
        });
        if (!timer) continue;
        if (index % 3 == 0 && timer.cancel()) {
          fate.cancelled = true;
          if (--left == 0) handler.note("all");
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(handler.wait_noted("all"));
  CHECK_FALSE(server.stop());
  std::size_t wrong = 0;
  std::size_t cancelled = 0;
  for (const Fate& fate : fates) {
    cancelled += fate.cancelled ? 1 : 0;
    wrong += fate.ran_after_cancel || fate.runs != (fate.cancelled ? 0 : 1) ? 1 : 0;
  }
  CHECK(wrong == 0);
  CHECK(cancelled > 0);
}

TEST_CASE("tasks that wait do not keep the engine from stopping, and are destroyed unrun") {
  const auto token = std::make_shared<int>(0);
  std::atomic<int> runs = 0;
  RecordingHandler handler;
  TestServer server{handler};
  const LoopRef loop = server.engine().loop(0);
  for (int count = 0; count < 100; ++count) {
    REQUIRE(loop.schedule(std::chrono::hours{1}, [&runs, token] { ++runs; }));
    REQUIRE(loop.schedule_every(std::chrono::hours{1}, [&runs, token] { ++runs; }));
  }
  CHECK_FALSE(server.stop());
  CHECK(runs == 0);
  CHECK(token.use_count() == 1);
  CHECK(loop.schedule(milliseconds{1}, [token] {}).error() == Error::closed);
}

TEST_CASE("a repeating task starves nobody, and ends when it is cancelled by another thread") {
  std::atomic<std::size_t> runs = 0;
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler};
  const auto start = Clock::now();
  const TimerRef timer = server.engine().loop(0).schedule_every(milliseconds{1}, [&] { ++runs; });
  REQUIRE(timer);
  Client client{server.address()};
  while (runs < 20) REQUIRE(client.exchange("x") == "x");
  CHECK(timer.cancel());
  CHECK(client.exchange("x") == "x");  // A run that had begun has ended by now.
  const std::size_t at_cancel = runs;
  CHECK(client.expect_silence(milliseconds{20}));
  CHECK(runs == at_cancel);
  const auto time = std::chrono::ceil<milliseconds>(Clock::now() - start);
  CHECK(at_cancel <= static_cast<std::size_t>(time.count()));
}

}  // namespace ringwire::test
