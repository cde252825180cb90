// Scheduled tasks: never early, each once, none after its cancel, none left behind.
#include "lib/loop/timers.hpp"

#include <ringwire/error.hpp>

#include "tests/base/death.hpp"
#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <vector>

using namespace std::chrono_literals;
using ringwire::Error;
using ringwire::LoopRef;
using ringwire::TimerRef;
using ringwire::test::LoopFixture;

namespace {

constexpr std::uint64_t millisecond = 1'000'000;

// Lets time pass, then runs a lap.
void pass(LoopFixture& at, std::uint64_t duration) {
  at.kernel.time += duration;
  at.lap();
}

}  // namespace

TEST_CASE("a scheduled task runs once, not early and at most a tick late", "[timers]") {
  LoopFixture at;
  int runs = 0;
  at.kernel.time += 300;  // Between two ticks.
  const TimerRef timer = at.loop.ref().schedule(5ms, [&] { ++runs; });
  REQUIRE(timer);
  CHECK_FALSE(timer.error());
  at.lap();
  pass(at, 5 * millisecond - 1);
  CHECK(runs == 0);
  pass(at, 1 * millisecond);
  CHECK(runs == 1);
  pass(at, 100 * millisecond);
  CHECK(runs == 1);
  CHECK_FALSE(timer.cancel());
}

TEST_CASE("the lap waits until the task is due, and no longer", "[timers]") {
  LoopFixture at;
  at.loop.ref().schedule(7ms, [] {});
  at.lap();
  at.kernel.waits.clear();
  at.lap();
  CHECK(at.kernel.waits.back() > 6'000'000);
  CHECK(at.kernel.waits.back() <= 8'000'000);
}

TEST_CASE("a task set by another thread wakes the loop, once for all that wait to be seen", "[timers]") {
  LoopFixture at{{.mask = "wake_ring"}};
  at.kernel.signalled.clear();
  at.loop.ref().schedule(1ms, [] {});
  at.loop.ref().schedule(2ms, [] {});
  CHECK(at.kernel.signalled.size() == 1);
  at.lap();
  at.loop.ref().schedule(1ms, [] {});
  CHECK(at.kernel.signalled.size() == 2);
}

TEST_CASE("at home a task is set and cancelled without a wake", "[timers]") {
  LoopFixture at{{.mask = "wake_ring"}};
  int runs = 0;
  TimerRef dropped;
  const auto token = std::make_shared<int>(0);
  REQUIRE_FALSE(at.loop.ref().post([&] {
    at.kernel.signalled.clear();
    at.loop.ref().schedule(0ms, [&] { ++runs; });
    dropped = at.loop.ref().schedule(0ms, [&, token] { runs += 10; });
    CHECK(dropped.cancel());
    CHECK(token.use_count() == 1);  // Destroyed before cancel has returned.
    CHECK_FALSE(dropped.cancel());
  }));
  at.lap();
  CHECK(at.kernel.signalled.empty());
  pass(at, 1 * millisecond);
  CHECK(runs == 1);
}

TEST_CASE("a cancelled task does not run, whoever cancels it and whenever", "[timers]") {
  LoopFixture at;
  int runs = 0;
  const auto token = std::make_shared<int>(0);
  const TimerRef unseen = at.loop.ref().schedule(1ms, [&, token] { ++runs; });
  CHECK(unseen.cancel());
  const TimerRef armed = at.loop.ref().schedule(3ms, [&, token] { ++runs; });
  const TimerRef due = at.loop.ref().schedule(5ms, [&, token] { ++runs; });
  at.lap();
  CHECK(armed.cancel());
  CHECK_FALSE(armed.cancel());
  at.lap();
  CHECK(token.use_count() == 2);  // The loop has let go of two.
  at.loop.ref().schedule(5ms, [&] { CHECK_FALSE(due.cancel()); });
  pass(at, 20 * millisecond);
  CHECK(runs == 1);
  CHECK(token.use_count() == 1);
}

TEST_CASE("a task that is due in the same turn as the one that cancels it does not run", "[timers]") {
  LoopFixture at;
  int runs = 0;
  TimerRef second;
  at.loop.ref().schedule(1ms, [&] { CHECK(second.cancel()); });
  second = at.loop.ref().schedule(2ms, [&] { ++runs; });
  pass(at, 10 * millisecond);
  CHECK(runs == 0);
}

TEST_CASE("a handle to a task that is over never reaches its successor in the slot", "[timers]") {
  LoopFixture at;
  int runs = 0;
  const TimerRef old = at.loop.ref().schedule(0ms, [] {});
  pass(at, 2 * millisecond);
  const TimerRef young = at.loop.ref().schedule(0ms, [&] { ++runs; });
  CHECK_FALSE(old == young);
  CHECK_FALSE(old.cancel());
  pass(at, 2 * millisecond);
  CHECK(runs == 1);
}

TEST_CASE("a repeating task keeps to its grid, however late the laps are", "[timers]") {
  LoopFixture at;
  std::vector<std::uint64_t> times;
  const std::uint64_t start = at.kernel.time;
  at.loop.ref().schedule_every(10ms, [&] { times.push_back((at.kernel.time - start) / millisecond); });
  at.lap();
  pass(at, 13 * millisecond);  // 3 millisecond late.
  pass(at, 7 * millisecond);   // 20: in time all the same.
  pass(at, 9 * millisecond);
  pass(at, 1 * millisecond);
  pass(at, 35 * millisecond);  // 65: 40, 50 and 60 have passed; one run stands for them.
  pass(at, 4 * millisecond);
  pass(at, 1 * millisecond);
  CHECK(times == std::vector<std::uint64_t>{13, 20, 30, 65, 70});
  at.stop();  // While there is what the task uses.
}

TEST_CASE("times that pass while a repeating task runs are skipped", "[timers]") {
  LoopFixture at;
  int runs = 0;
  at.loop.ref().schedule_every(10ms, [&] {
    ++runs;
    at.kernel.time += 25 * millisecond;
  });
  at.lap();
  pass(at, 10 * millisecond);  // It ends at 35.
  CHECK(runs == 1);
  pass(at, 4 * millisecond);
  CHECK(runs == 1);
  pass(at, 1 * millisecond);
  CHECK(runs == 2);
  at.stop();  // While there is what the task uses.
}

TEST_CASE("a repeating task may cancel itself, and is destroyed after it has returned", "[timers]") {
  LoopFixture at;
  const auto token = std::make_shared<int>(0);
  int runs = 0;
  TimerRef timer;
  timer = at.loop.ref().schedule_every(1ms, [&, token] {
    if (++runs < 3) return;
    CHECK(timer.cancel());
    CHECK(token.use_count() == 2);
  });
  for (int round = 0; round < 6; ++round) pass(at, 1 * millisecond);
  CHECK(runs == 3);
  CHECK(token.use_count() == 1);
}

TEST_CASE("a task that runs for the last time cannot be cancelled any more", "[timers]") {
  LoopFixture at;
  bool answer = true;
  TimerRef timer;
  timer = at.loop.ref().schedule(1ms, [&] { answer = timer.cancel(); });
  pass(at, 2 * millisecond);
  CHECK_FALSE(answer);
}

TEST_CASE("a task that throws takes nothing down, and a repeating one comes again", "[timers]") {
  LoopFixture at;
  int runs = 0;
  at.loop.ref().schedule_every(1ms, [&] {
    ++runs;
    throw std::runtime_error{"on purpose"};
  });
  pass(at, 1 * millisecond);
  pass(at, 1 * millisecond);
  CHECK(runs == 2);
  at.stop();  // While there is what the task uses.
}

TEST_CASE("a task may set others, which run in their turn", "[timers]") {
  LoopFixture at;
  int runs = 0;
  at.loop.ref().schedule(1ms, [&] { at.loop.ref().schedule(1ms, [&] { ++runs; }); });
  pass(at, 1 * millisecond);
  CHECK(runs == 0);
  pass(at, 2 * millisecond);
  CHECK(runs == 1);
}

TEST_CASE("more than timers_max are refused with EAGAIN, and a run makes room", "[timers]") {
  LoopFixture at{{.timers_max = 2}};
  const LoopRef loop = at.loop.ref();
  CHECK(loop.schedule(1ms, [] {}));
  const TimerRef second = loop.schedule(1h, [] {});
  CHECK(second);
  const TimerRef third = loop.schedule(1ms, [] {});
  CHECK_FALSE(third);
  CHECK(third.error() == std::errc::resource_unavailable_try_again);
  CHECK_FALSE(third.cancel());
  pass(at, 2 * millisecond);
  CHECK(loop.schedule(1ms, [] {}));
  CHECK(second.cancel());
  at.lap();
  CHECK(loop.schedule(1ms, [] {}));
}

TEST_CASE("tasks that wait when the loop ends are destroyed unrun, and later ones refused", "[timers]") {
  const auto token = std::make_shared<int>(0);
  int runs = 0;
  TimerRef timer;
  LoopRef loop;
  {
    LoopFixture at;
    loop = at.loop.ref();
    timer = loop.schedule(1h, [&, token] { ++runs; });
    loop.schedule_every(1h, [&, token] { ++runs; });
    at.lap();
    // Never seen: set after the last lap. What dies with a task may use the handles.
    at.stop();
    loop.schedule(1h, [&, token, last = std::shared_ptr<void>(nullptr, [loop](void*) {
                                   CHECK(loop.schedule(1ms, [] {}).error() == Error::closed);
                                 })] { ++runs; });
  }
  CHECK(runs == 0);
  CHECK(token.use_count() == 1);
  CHECK_FALSE(timer.cancel());
  CHECK(loop.schedule(1ms, [] {}).error() == Error::closed);
}

TEST_CASE("a handle to nothing is false and harmless", "[timers]") {
  const TimerRef none;
  CHECK_FALSE(none);
  CHECK(none.error() == Error::closed);
  CHECK_FALSE(none.cancel());
  CHECK(LoopRef{}.schedule(1ms, [] {}).error() == Error::closed);
}

TEST_CASE("a task set before the loop's first lap runs", "[timers]") {
  ringwire::test::ScriptKernel kernel;
  ringwire::test::Notebook notebook;
  ringwire::test::StopCounter owner;
  const ringwire::base::Log log{ringwire::LogLevel::off, nullptr};
  const ringwire::Options options;
  ringwire::loop::Loop loop{{kernel, notebook, options, log, owner}, 0, false};
  int runs = 0;
  loop.ref().schedule(2ms, [&] { ++runs; });
  REQUIRE_FALSE(loop.open());
  REQUIRE(loop.lap());
  kernel.time += 2 * millisecond;
  REQUIRE(loop.lap());
  CHECK(runs == 1);
  loop.request_stop();
  while (loop.lap()) kernel.cancel_outstanding();
}

TEST_CASE("the longest delay there is means never", "[timers]") {
  LoopFixture at;
  int runs = 0;
  at.loop.ref().schedule(std::chrono::milliseconds::max(), [&] { ++runs; });
  at.loop.ref().schedule_every(std::chrono::milliseconds::max(), [&] { ++runs; });
  pass(at, 3'600'000 * millisecond);
  CHECK(runs == 0);
}

TEST_CASE("a negative delay is none, and a period of none is a millisecond", "[timers]") {
  LoopFixture at;
  int once = 0;
  int often = 0;
  at.loop.ref().schedule(-5ms, [&] { ++once; });
  at.loop.ref().schedule_every(0ms, [&] { ++often; });
  pass(at, 1 * millisecond);
  pass(at, 1 * millisecond);
  CHECK(once == 1);
  CHECK(often == 2);
  at.stop();  // While there is what the task uses.
}

TEST_CASE("scheduling an empty task is the caller's mistake, found at once", "[timers]") {
  LoopFixture at;
  const LoopRef loop = at.loop.ref();
  const auto report = ringwire::test::death_of([&] { loop.schedule(1ms, nullptr); });
  CHECK(report.find("an empty task") != std::string::npos);
}
