// Limits on connections: counted when let in, and nobody who waits is forgotten.
#include "lib/loop/admission.hpp"

#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/script_kernel.hpp"

#include <random>
#include <vector>

namespace ringwire::loop {
namespace {

using ringwire::test::contains;
using ringwire::test::death_of;
using Verdict = Admission::Verdict;

Address host(std::uint8_t last, std::uint16_t port = 1) {
  Address address;
  address.family = Address::Family::ipv4;
  address.port = port;
  address.ip = {10, 0, 0, last};
  return address;
}

Address mapped(std::uint8_t last) {
  Address address;
  address.family = Address::Family::ipv6;
  address.ip = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, last};
  return address;
}

// Limits, and somebody who accepts; each wake is an eventfd written to.
struct Door {
  explicit Door(std::size_t all, std::size_t per_ip = 0) : admission{all, per_ip} {
    bell.open(1, 77);
    waiter = admission.add_waiter(bell);
  }
  ~Door() {
    std::vector<Mail> rest;
    bell.close(rest);
  }
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  Verdict enter(const Address& peer = {}, bool is_last = false) {
    return admission.enter(waiter, peer, is_last, pass);
  }
  [[nodiscard]] std::size_t wakes() const { return kernel.signalled.size(); }

  ringwire::test::ScriptKernel kernel;
  Mailbox bell{kernel, 1};
  Admission admission;
  std::uint32_t waiter = 0;
  std::uint32_t pass = 99;
};

TEST_CASE("beyond the limit on all connections one waits until another leaves, and is woken once") {
  Door at{2};
  CHECK(at.admission.limits_all());
  CHECK(at.enter() == Verdict::enter);
  CHECK(at.pass == 0);
  CHECK(at.admission.has_room(at.waiter));
  CHECK(at.enter() == Verdict::enter);
  CHECK(at.enter() == Verdict::wait);
  CHECK_FALSE(at.admission.has_room(at.waiter));
  CHECK(at.wakes() == 0);
  at.admission.leave(0);
  CHECK(at.wakes() == 1);
  CHECK(at.admission.has_room(at.waiter));
  CHECK(at.enter() == Verdict::enter);
  at.admission.leave(0);
  CHECK(at.wakes() == 1);  // Nobody waited.
}

TEST_CASE("who only asked whether there is room is woken, too") {
  Door at{1};
  CHECK(at.enter() == Verdict::enter);
  CHECK_FALSE(at.admission.has_room(at.waiter));
  at.admission.leave(0);
  CHECK(at.wakes() == 1);
}

TEST_CASE("everybody who waits is woken by one who leaves") {
  Door at{1};
  Mailbox other{at.kernel, 1};
  other.open(2, 78);
  const std::uint32_t second = at.admission.add_waiter(other);
  CHECK(at.enter() == Verdict::enter);
  CHECK(at.enter() == Verdict::wait);
  CHECK_FALSE(at.admission.has_room(second));
  at.admission.leave(0);
  CHECK(at.kernel.signalled == std::vector<int>{77, 78});
  std::vector<Mail> rest;
  other.close(rest);
}

TEST_CASE("who was accepted before the listeners close comes in, full or not") {
  Door at{1};
  CHECK(at.enter() == Verdict::enter);
  CHECK(at.enter({}, true) == Verdict::enter);
  at.admission.leave(0);
  CHECK_FALSE(at.admission.has_room(at.waiter));  // One is left, and that is the limit.
}

TEST_CASE("an address beyond its limit is refused and counted, others are not touched") {
  Door at{0, 2};
  CHECK_FALSE(at.admission.limits_all());
  CHECK(at.admission.needs_peer());
  CHECK(at.enter(host(1, 100)) == Verdict::enter);
  const std::uint32_t first = at.pass;
  CHECK(at.enter(host(1, 101)) == Verdict::enter);
  CHECK(at.pass == first);
  CHECK(at.enter(host(1, 102)) == Verdict::refuse);
  CHECK(at.admission.refused_count() == 1);
  CHECK(at.enter(host(2)) == Verdict::enter);
  CHECK(at.pass != first);
  at.admission.leave(first);
  CHECK(at.enter(host(1)) == Verdict::enter);
}

TEST_CASE("an IPv4 client is the same one on a listener for both IP versions") {
  Door at{0, 1};
  CHECK(at.enter(host(1)) == Verdict::enter);
  CHECK(at.enter(mapped(1)) == Verdict::refuse);
  CHECK(at.enter(mapped(2)) == Verdict::enter);
}

TEST_CASE("clients without an IP address are not counted by address") {
  Door at{0, 1};
  Address unix_peer;
  unix_peer.family = Address::Family::unix_socket;
  for (int count = 0; count < 3; ++count) {
    CHECK(at.enter(unix_peer) == Verdict::enter);
    CHECK(at.pass == 0);
    CHECK(at.enter({}) == Verdict::enter);
  }
}

TEST_CASE("a refused address does not take one of all places") {
  Door at{2, 1};
  CHECK(at.enter(host(1)) == Verdict::enter);
  CHECK(at.enter(host(1)) == Verdict::refuse);
  CHECK(at.enter(host(2)) == Verdict::enter);
  CHECK(at.enter(host(3)) == Verdict::wait);
}

TEST_CASE("giving back what was not given is a bug") {
  CHECK_THAT(death_of([] { Door{1}.admission.leave(0); }), contains("count_ > 0"));
}

TEST_CASE("whatever comes and goes, the counts are those of a model") {
  std::mt19937 random{5};  // NOLINT: the same each time.
  Door at{12, 3};
  std::vector<std::pair<std::uint8_t, std::uint32_t>> inside;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0 && !inside.empty()) {
      const std::size_t victim = random() % inside.size();
      at.admission.leave(inside[victim].second);
      inside.erase(inside.begin() + static_cast<std::ptrdiff_t>(victim));
      continue;
    }
    const auto who = static_cast<std::uint8_t>(random() % 8);
    std::size_t of_host = 0;
    for (const auto& each : inside) of_host += each.first == who ? 1 : 0;
    const Verdict expected = inside.size() >= 12 ? Verdict::wait
                             : of_host >= 3      ? Verdict::refuse
                                                 : Verdict::enter;
    REQUIRE(at.enter(host(who)) == expected);
    if (expected == Verdict::enter) inside.emplace_back(who, at.pass);
  }
  for (const auto& each : inside) at.admission.leave(each.second);
}

}  // namespace
}  // namespace ringwire::loop
