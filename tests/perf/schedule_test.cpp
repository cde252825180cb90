// An open loop's schedule: even times, whatever happens.
#include "perf/load/schedule.hpp"

#include "tests/support/catch.hpp"

#include <chrono>

namespace load {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST_CASE("messages are due at even times from the start") {
  const Clock::time_point start{seconds{10}};
  const Schedule schedule{start, 4000};
  CHECK((schedule.due(0) == start));
  CHECK((schedule.due(1) == start + microseconds{250}));
  CHECK((schedule.due(4000) == start + seconds{1}));
  CHECK((schedule.due(4000ULL * 3600) == start + seconds{3600}));
}

TEST_CASE("a message is taken once, and not before it is due") {
  const Clock::time_point start{seconds{10}};
  Schedule schedule{start, 1000};
  CHECK(schedule.take(start));
  CHECK_FALSE(schedule.take(start));
  CHECK_FALSE(schedule.take(start + microseconds{999}));
  CHECK(schedule.take(start + microseconds{1000}));
  CHECK((schedule.next() == start + microseconds{2000}));
}

TEST_CASE("after a pause all that became due meanwhile is taken, and keeps the time it was due") {
  const Clock::time_point start{seconds{10}};
  Schedule schedule{start, 1000};
  const Clock::time_point late = start + seconds{1};
  std::uint64_t taken = 0;
  while (schedule.take(late)) ++taken;
  CHECK(taken == 1001);
  CHECK((schedule.next() == start + microseconds{1'001'000}));
}

}  // namespace
}  // namespace load
