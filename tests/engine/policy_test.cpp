// Which loop gets the next connection.
#include "lib/engine/policy.hpp"

#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
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

Address host(std::uint8_t third, std::uint8_t last, std::uint16_t port = 0) {
  Address address;
  address.family = Address::Family::ipv4;
  address.port = port;
  address.ip = {10, 0, third, last};
  return address;
}

TEST_CASE("source hash: one host always has the same loop, whatever its port and whatever else comes") {
  Policy policy{Balancing::source_hash, 5};
  CHECK(policy.needs_peer());
  const std::size_t first = policy.assign(host(1, 1, 1000));
  for (std::uint16_t port = 1; port < 500; ++port) {
    CHECK(policy.assign(host(1, 1, port)) == first);
    static_cast<void>(policy.assign(host(2, static_cast<std::uint8_t>(port), port)));
  }
}

TEST_CASE("source hash: many hosts are spread, none of the loops is far from its share") {
  for (const std::size_t loops : {2U, 3U, 8U}) {
    Policy policy{Balancing::source_hash, loops};
    for (unsigned count = 0; count < 8000; ++count) {
      static_cast<void>(policy.assign(host(static_cast<std::uint8_t>(count / 250), count % 250)));
    }
    for (std::size_t loop = 0; loop < loops; ++loop) {
      CHECK(policy.active(loop) > 8000 / loops * 85 / 100);
      CHECK(policy.active(loop) < 8000 / loops * 115 / 100);
    }
  }
}

TEST_CASE("source hash: an IPv6 host counts whole, and IPv4 in IPv6 clothes is IPv4") {
  std::vector<std::uint64_t> hashes;
  for (std::size_t byte = 0; byte < 16; ++byte) {
    Address address;
    address.family = Address::Family::ipv6;
    address.ip[byte] = 1;
    hashes.push_back(hash_of(address));
  }
  std::sort(hashes.begin(), hashes.end());
  CHECK(std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end());

  Address mapped;
  mapped.family = Address::Family::ipv6;
  mapped.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 7, 7};
  Policy policy{Balancing::source_hash, 97};
  CHECK(policy.assign(mapped) == policy.assign(host(7, 7)));
}

TEST_CASE("source hash: who has no address goes from loop to loop") {
  Policy policy{Balancing::source_hash, 3};
  CHECK(assign_many(policy, 4) == std::vector<std::size_t>{0, 1, 2, 0});
}

// Answers a number, or throws.
struct Fixed final : BalancingPolicy {
  std::size_t assign(const Address& /*peer*/, std::span<const LoopLoad> loops) override {
    seen.assign(loops.begin(), loops.end());
    if (answer == 99) throw 1;
    return answer;
  }
  std::size_t answer = 0;
  std::vector<LoopLoad> seen;
};

TEST_CASE("a policy of the user's is obeyed, and told the loads") {
  const base::Log log{LogLevel::off, nullptr};
  Fixed custom;
  Policy policy{Balancing::least_connections, 3, &custom, log};
  CHECK(policy.needs_peer());
  custom.answer = 2;
  CHECK(assign_many(policy, 3) == std::vector<std::size_t>{2, 2, 2});
  policy.set_closed(2, 1);
  static_cast<void>(policy.assign());
  CHECK(custom.seen[2].assigned == 3);
  CHECK(custom.seen[2].active == 2);
  CHECK(custom.seen[0].assigned == 0);
}

TEST_CASE("after an exception of the user's policy the connection goes to the next loop") {
  const base::Log log{LogLevel::off, nullptr};
  Fixed custom;
  custom.answer = 99;
  Policy policy{Balancing::round_robin, 3, &custom, log};
  CHECK(assign_many(policy, 4) == std::vector<std::size_t>{0, 1, 2, 0});
}

TEST_CASE("a loop that is none ends the process, and the message names it") {
  CHECK_THAT(death_of([] {
               const base::Log log{LogLevel::off, nullptr};
               Fixed custom;
               custom.answer = 3;
               Policy policy{Balancing::round_robin, 3, &custom, log};
               static_cast<void>(policy.assign());
             }),
             contains("BalancingPolicy::assign answered loop 3 of 3"));
}

}  // namespace
}  // namespace ringwire::engine
