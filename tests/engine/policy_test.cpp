// Which loop gets the next connection.
#include "lib/engine/policy.hpp"

#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <random>
#include <vector>

namespace ringwire::engine {
namespace {

using ringwire::test::contains;
using test::death_of;

std::vector<std::size_t> assign_many(Policy& policy, std::size_t count) {
  std::vector<std::size_t> loops;
  for (std::size_t index = 0; index < count; ++index) loops.push_back(policy.assign());
  return loops;
}

TEST_CASE("round robin goes from loop to loop, whatever they carry") {
  Policy policy{Balancing::round_robin, 3};
  CHECK(assign_many(policy, 7) == std::vector<std::size_t>{0, 1, 2, 0, 1, 2, 0});
  policy.set_closed(2, 2);
  CHECK(assign_many(policy, 3) == std::vector<std::size_t>{1, 2, 0});
}

TEST_CASE("a burst nobody has seen yet is spread within one by either policy") {
  for (const Balancing balancing : {Balancing::round_robin, Balancing::least_connections}) {
    for (const std::size_t loops : {2U, 3U, 7U}) {
      Policy policy{balancing, loops};
      static_cast<void>(assign_many(policy, 1000));  // No `set_closed` in between.
      std::vector<std::uint64_t> loads;
      for (std::size_t loop = 0; loop < loops; ++loop) loads.push_back(policy.active(loop));
      const auto [least, most] = std::minmax_element(loads.begin(), loads.end());
      CHECK(*most - *least <= 1);
    }
  }
}

TEST_CASE("the loop with the fewest connections is filled up first") {
  Policy policy{Balancing::least_connections, 3};
  static_cast<void>(assign_many(policy, 30));
  policy.set_closed(1, 4);
  CHECK(assign_many(policy, 4) == std::vector<std::size_t>{1, 1, 1, 1});
  CHECK(policy.active(1) == 10);
}

TEST_CASE("equal loops take turns: the first is not preferred") {
  Policy policy{Balancing::least_connections, 3};
  std::vector<std::size_t> chosen;
  std::vector<std::uint64_t> closed(3);
  for (int round = 0; round < 6; ++round) {  // Each connection ends before the next comes: always a tie.
    chosen.push_back(policy.assign());
    policy.set_closed(chosen.back(), ++closed[chosen.back()]);
  }
  CHECK(chosen == std::vector<std::size_t>{0, 1, 2, 0, 1, 2});
}

TEST_CASE("among equals the turn goes on after the loop chosen last") {
  Policy policy{Balancing::least_connections, 3};
  static_cast<void>(assign_many(policy, 3));
  policy.set_closed(2, 1);
  CHECK(assign_many(policy, 2) == std::vector<std::size_t>{2, 0});
}

TEST_CASE("a connection counts from its assignment until it is reported closed") {
  Policy policy{Balancing::round_robin, 2};
  CHECK(policy.active(0) == 0);
  static_cast<void>(assign_many(policy, 3));
  CHECK(policy.active(0) == 2);
  CHECK(policy.active(1) == 1);
  policy.set_closed(0, 1);
  policy.set_closed(0, 1);  // A total, not an addition.
  CHECK(policy.active(0) == 1);
}

TEST_CASE("one loop gets everything") {
  for (const Balancing balancing : {Balancing::round_robin, Balancing::least_connections}) {
    Policy policy{balancing, 1};
    CHECK(assign_many(policy, 3) == std::vector<std::size_t>{0, 0, 0});
  }
}

TEST_CASE("more closed than were assigned is a bug, and so is an engine without loops") {
  CHECK_THAT(death_of([] {
               Policy policy{Balancing::round_robin, 1};
               static_cast<void>(policy.assign());
               policy.set_closed(0, 2);
             }),
             contains("2 closed of 1 assigned"));
  CHECK_THAT(death_of([] { Policy(Balancing::round_robin, 0); }), contains("loops > 0"));
}

TEST_CASE("whatever opens and closes, least connections never chooses a fuller loop") {
  std::mt19937 random{3};
  constexpr std::size_t loops = 5;
  Policy policy{Balancing::least_connections, loops};
  std::vector<std::uint64_t> active(loops);
  std::vector<std::uint64_t> closed(loops);
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t victim = random() % loops;
    if (random() % 2 == 0 && active[victim] > 0) {
      --active[victim];
      policy.set_closed(victim, ++closed[victim]);
    } else {
      const std::uint64_t least = *std::min_element(active.begin(), active.end());
      const std::size_t chosen = policy.assign();
      REQUIRE(active[chosen] == least);
      ++active[chosen];
    }
    REQUIRE(policy.active(victim) == active[victim]);
  }
}

}  // namespace
}  // namespace ringwire::engine
