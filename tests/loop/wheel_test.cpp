// The timer wheel against a clock that the test turns: never early, at most a tick late, in order.
#include "lib/loop/wheel.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace ringwire::loop {
namespace {

using kernel::Nanoseconds;

constexpr Nanoseconds us = 1'000;
constexpr Nanoseconds ms = 1'000'000;
constexpr Nanoseconds second = 1'000 * ms;
constexpr Nanoseconds day = 86'400 * second;

// A timer with a number.
struct Numbered : Timer {
  explicit Numbered(std::uint64_t number) : token{number} {}
  std::uint64_t token;
};

std::uint64_t token_of(const Timer& timer) {
  return static_cast<const Numbered&>(timer).token;
}

// The tokens of the timers that fire.
std::vector<std::uint64_t> turn(Wheel& wheel, Nanoseconds now) {
  std::vector<std::uint64_t> fired;
  const std::size_t count = wheel.advance(now, [&fired](Timer& timer) { fired.push_back(token_of(timer)); });
  CHECK(count == fired.size());
  return fired;
}

using Tokens = std::vector<std::uint64_t>;

TEST_CASE("a wheel without timers has nothing to wait for") {
  Wheel wheel(5 * ms);
  CHECK_FALSE(wheel.next());
  CHECK(turn(wheel, 5 * ms).empty());
  CHECK(turn(wheel, 400 * day).empty());
  CHECK_FALSE(wheel.next());
}

TEST_CASE("a timer fires once, at its deadline and not before") {
  Numbered timer(7);
  Wheel wheel(0);
  wheel.arm(timer, 10 * ms);
  CHECK(timer.armed());
  CHECK(timer.deadline() == 10 * ms);
  CHECK(turn(wheel, 10 * ms - 1).empty());
  CHECK(turn(wheel, 10 * ms) == Tokens{7});
  CHECK_FALSE(timer.armed());
  CHECK(turn(wheel, 20 * ms).empty());
}

TEST_CASE("a timer fires on time at every distance, from a millisecond to beyond a year") {
  const Nanoseconds distance = GENERATE(1 * ms, 63 * ms, 64 * ms, 65 * ms, 4095 * ms, 4096 * ms, 4097 * ms,
                                        300 * second, 1 * day, 49 * day, 400 * day, 100'000 * day);
  const Nanoseconds start = GENERATE(Nanoseconds{0}, 999 * us, 63 * ms, 4095 * ms + 1, 12'345'678'901'234U);
  Numbered timer(1);
  Wheel wheel(start);
  wheel.arm(timer, start + distance);
  CHECK(turn(wheel, start + distance - 1).empty());
  CHECK(timer.armed());
  CHECK(turn(wheel, start + distance + ms - 1) == Tokens{1});
}

TEST_CASE("a loop that always waits for next fires a far timer after few turns") {
  const Nanoseconds start = 12'345'678'901'234U;
  Numbered timer(1);
  Wheel wheel(start);
  wheel.arm(timer, start + 400 * day + 123 * us);
  Nanoseconds now = start;
  int turns = 0;
  while (timer.armed()) {
    REQUIRE(wheel.next());
    REQUIRE(*wheel.next() > now);
    now = *wheel.next();
    turn(wheel, now);
    REQUIRE(++turns < 10);
  }
  CHECK(now >= timer.deadline());
  CHECK(now < timer.deadline() + ms);
}

TEST_CASE("next is the moment a near timer fires") {
  Numbered timer(1);
  Wheel wheel(640 * ms);
  wheel.arm(timer, 645 * ms + 300 * us);
  CHECK(wheel.next() == std::optional<Nanoseconds>{646 * ms});
  CHECK(turn(wheel, 646 * ms - 1).empty());
  CHECK(turn(wheel, 646 * ms) == Tokens{1});
}

TEST_CASE("a deadline in the past fires at the next turn, without waiting") {
  Numbered first(1);
  Numbered second_timer(2);
  Wheel wheel(100 * ms);
  wheel.arm(second_timer, 50 * ms);
  wheel.arm(first, 3);
  CHECK(wheel.next() == std::optional<Nanoseconds>{0});
  CHECK(turn(wheel, 100 * ms) == Tokens{1, 2});
}

TEST_CASE("timers of one tick fire by deadline, equal ones in the order they were armed") {
  std::deque<Numbered> timers;
  for (std::uint64_t token = 0; token < 6; ++token) timers.emplace_back(token);
  Wheel wheel(0);
  wheel.arm(timers[0], 5 * ms - 100);
  wheel.arm(timers[1], 5 * ms - 300);
  wheel.arm(timers[2], 5 * ms - 100);
  wheel.arm(timers[3], 5 * ms);
  wheel.arm(timers[4], 5 * ms - 300);
  wheel.arm(timers[5], 4 * ms);
  CHECK(turn(wheel, 9 * ms) == Tokens{5, 1, 4, 0, 2, 3});
}

TEST_CASE("equal deadlines keep their order when one was armed from far and one from near") {
  Numbered far(1);
  Numbered near(2);
  Wheel wheel(0);
  wheel.arm(far, 10 * second);
  turn(wheel, 9'990 * ms);
  wheel.arm(near, 10 * second);
  CHECK(turn(wheel, 10 * second) == Tokens{1, 2});
}

TEST_CASE("a timer armed again fires at the new deadline only") {
  Numbered timer(1);
  Wheel wheel(0);
  wheel.arm(timer, 10 * ms);
  wheel.arm(timer, 500 * ms);
  CHECK(turn(wheel, 499 * ms).empty());
  wheel.arm(timer, 501 * ms);
  wheel.arm(timer, 500 * ms);
  CHECK(turn(wheel, 500 * ms) == Tokens{1});
  CHECK_FALSE(wheel.next());
}

TEST_CASE("a cancelled timer does not fire, and cancelling twice is harmless") {
  Numbered timer(1);
  Numbered other(2);
  Wheel wheel(0);
  wheel.arm(timer, 10 * ms);
  wheel.arm(other, 10 * ms);
  wheel.cancel(timer);
  wheel.cancel(timer);
  CHECK_FALSE(timer.armed());
  CHECK(turn(wheel, 20 * ms) == Tokens{2});
}

TEST_CASE("cancelling the last timer leaves nothing to wait for") {
  const Nanoseconds deadline = GENERATE(Nanoseconds{0}, 1 * ms, 100 * ms, 400 * day);
  Numbered timer(1);
  Wheel wheel(0);
  wheel.arm(timer, deadline);
  CHECK(wheel.next());
  wheel.cancel(timer);
  CHECK_FALSE(wheel.next());
}

TEST_CASE("a timer that fires may arm itself again, also in the past, and waits for the next turn") {
  Numbered timer(1);
  Wheel wheel(0);
  wheel.arm(timer, 1 * ms);
  int fired = 0;
  const auto again = [&](Timer& due) {
    CHECK_FALSE(due.armed());
    ++fired;
    wheel.arm(due, 0);
  };
  CHECK(wheel.advance(5 * ms, again) == 1);
  CHECK(wheel.advance(5 * ms, again) == 1);
  CHECK(fired == 2);
  wheel.cancel(timer);
}

TEST_CASE("a firing timer may cancel another that is due in the same turn") {
  Numbered first(1);
  Numbered victim(2);
  Numbered last(3);
  Wheel wheel(0);
  for (Timer* timer : {&first, &victim, &last}) wheel.arm(*timer, 3 * ms);
  Tokens fired;
  wheel.advance(3 * ms, [&](Timer& timer) {
    fired.push_back(token_of(timer));
    wheel.cancel(victim);
  });
  CHECK(fired == Tokens{1, 3});
  CHECK_FALSE(victim.armed());
  CHECK_FALSE(wheel.next());
}

TEST_CASE("a firing timer may move another that is due in the same turn") {
  Numbered first(1);
  Numbered moved(2);
  Wheel wheel(0);
  wheel.arm(first, 3 * ms);
  wheel.arm(moved, 4 * ms);
  Tokens fired;
  wheel.advance(5 * ms, [&](Timer& timer) {
    fired.push_back(token_of(timer));
    if (token_of(timer) == 1) wheel.arm(moved, 70 * ms);
  });
  CHECK(fired == Tokens{1});
  CHECK(turn(wheel, 69 * ms).empty());
  CHECK(turn(wheel, 70 * ms) == Tokens{2});
}

TEST_CASE("a timer of the last nanosecond there is waits for it") {
  Numbered timer(1);
  Wheel wheel(400 * day);
  wheel.arm(timer, UINT64_MAX);
  CHECK(turn(wheel, 100'000 * day).empty());
  CHECK(timer.armed());
  wheel.cancel(timer);
}

TEST_CASE("a wheel that ends disarms its timers") {
  Numbered near(1);
  Numbered overdue(2);
  {
    Wheel wheel(5 * ms);
    wheel.arm(near, 8 * ms);
    wheel.arm(overdue, 1 * ms);
  }
  CHECK_FALSE(near.armed());
  CHECK_FALSE(overdue.armed());
}

// The same wheel as a sorted map: what must happen, said as simply as possible.
class Model {
 public:
  void arm(std::uint64_t token, Nanoseconds deadline) {
    cancel(token);
    places_[token] = timers_.emplace(deadline, token);
  }

  bool cancel(std::uint64_t token) {
    const auto place = places_.find(token);
    if (place == places_.end()) return false;
    timers_.erase(place->second);
    places_.erase(place);
    return true;
  }

  // What must fire now: all whose deadline, rounded up to a tick, has come.
  Tokens due(Nanoseconds now) {
    Tokens tokens;
    while (!timers_.empty() && rounded(timers_.begin()->first) <= now / ms * ms) {
      tokens.push_back(timers_.begin()->second);
      cancel(tokens.back());
    }
    return tokens;
  }

  [[nodiscard]] std::optional<Nanoseconds> earliest() const {
    if (timers_.empty()) return std::nullopt;
    return rounded(timers_.begin()->first);
  }

 private:
  static Nanoseconds rounded(Nanoseconds deadline) { return (deadline + ms - 1) / ms * ms; }

  using Timers = std::multimap<Nanoseconds, std::uint64_t>;
  Timers timers_;
  std::map<std::uint64_t, Timers::iterator> places_;
};

Nanoseconds random_distance(std::mt19937_64& random) {
  switch (random() % 6) {
    case 0:
      return random() % (3 * ms);
    case 1:
      return random() % 200 * ms;  // Many equal deadlines.
    case 2:
      return random() % (10 * second);
    case 3:
      return random() % (600 * second);
    case 4:
      return random() % (2 * day);
    default:
      return random() % (500 * day);
  }
}

TEST_CASE("a hundred thousand random steps agree with a sorted map") {
  constexpr std::size_t timers_count = 300;
  std::mt19937_64 random(GENERATE(1U, 2U, 3U));
  Nanoseconds now = random() % (1000 * day);
  std::deque<Numbered> timers;
  for (std::uint64_t token = 0; token < timers_count; ++token) timers.emplace_back(token);
  Wheel wheel(now);
  Model model;
  std::size_t fired_count = 0;
  for (int step = 0; step < 100'000; ++step) {
    Numbered& timer = timers[random() % timers_count];
    const auto action = random() % 10;
    if (action < 5) {
      const Nanoseconds deadline = random() % 20 == 0 ? now - random() % now : now + random_distance(random);
      wheel.arm(timer, deadline);
      model.arm(timer.token, deadline);
    } else if (action < 7) {
      const bool was_armed = timer.armed();
      wheel.cancel(timer);
      REQUIRE(model.cancel(timer.token) == was_armed);
    } else {
      now += action == 7 ? random() % (2 * ms) : random_distance(random) / 16;
      Tokens fired;
      wheel.advance(now, [&fired](Timer& due) { fired.push_back(token_of(due)); });
      REQUIRE(fired == model.due(now));
      fired_count += fired.size();
      const auto next = wheel.next();
      REQUIRE(next.has_value() == model.earliest().has_value());
      if (next) {
        REQUIRE(*next > now / ms * ms);
        REQUIRE(*next <= *model.earliest());
        if (*next / ms / 64 == now / ms / 64) REQUIRE(*next == *model.earliest());
      }
    }
  }
  CHECK(fired_count > 10'000);
}

}  // namespace
}  // namespace ringwire::loop
