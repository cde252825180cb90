// Durations become nanoseconds without ever wrapping round.
#include "lib/base/duration.hpp"

#include "tests/support/catch.hpp"

#include <chrono>
#include <cstdint>

using namespace std::chrono_literals;
using ringwire::base::duration_max;
using ringwire::base::to_nanoseconds;

TEST_CASE("a millisecond is a million nanoseconds") {
  CHECK(to_nanoseconds(1ms) == 1'000'000);
  CHECK(to_nanoseconds(0ms) == 0);
  CHECK(to_nanoseconds(24h * 365) == std::uint64_t{365} * 24 * 3600 * 1'000'000'000);
}

TEST_CASE("a duration below zero is none") {
  CHECK(to_nanoseconds(-1ms) == 0);
  CHECK(to_nanoseconds(std::chrono::milliseconds::min()) == 0);
}

TEST_CASE("the longest duration is a century, and a clock may be added to it") {
  CHECK(to_nanoseconds(std::chrono::milliseconds::max()) == to_nanoseconds(duration_max));
  CHECK(to_nanoseconds(std::chrono::milliseconds::max()) + to_nanoseconds(duration_max) < INT64_MAX);
}
