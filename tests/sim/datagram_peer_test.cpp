// Somebody with a datagram socket: what he sends and gets, and how he leaves.
#include "lib/sim/datagram_peer.hpp"

#include "tests/support/catch.hpp"

#include <cstdint>

namespace ringwire::sim {
namespace {

struct DatagramStage {
  void carry_all() {
    while (kernel.datagrams().in_flight() > 0) kernel.datagrams().carry(choices, kernel.faults());
  }

  kernel::sim::SeededChoices choices{1};
  kernel::sim::SimKernel kernel{choices};
  SimDatagramPeer first{kernel};
  SimDatagramPeer second{kernel};
};

TEST_CASE("peers have ports of their own, and without anything to do they cannot move", "[peer]") {
  const DatagramStage at;
  CHECK(at.first.port() != at.second.port());
  CHECK_FALSE(at.first.can_move());
}

TEST_CASE("a peer sends one datagram a move, and takes all that have come", "[peer]") {
  DatagramStage at;
  at.first.send(at.second.port(), "one");
  at.first.send(at.second.port(), "two");
  at.first.move();
  CHECK(at.first.outbox_count() == 1);
  CHECK(at.kernel.datagrams().in_flight() == 1);
  at.first.move();
  at.carry_all();
  REQUIRE(at.second.can_move());
  at.second.move();
  REQUIRE(at.second.received().size() == 2);
  CHECK(at.second.received()[1].bytes == "two");
  CHECK(at.second.received()[0].from == at.first.port());
}

TEST_CASE("a peer waits while too much of his is on the way", "[peer]") {
  DatagramStage at;
  at.kernel.datagrams().set_flight_max(1);
  at.first.send(at.second.port(), "one");
  at.first.send(at.second.port(), "two");
  at.first.move();
  CHECK_FALSE(at.first.can_move());
  at.carry_all();
  CHECK(at.first.can_move());
}

TEST_CASE("who has left gets nothing and does nothing", "[peer]") {
  DatagramStage at;
  at.second.send(at.first.port(), "never sent");
  at.second.leave();
  CHECK(at.second.is_gone());
  at.first.send(at.second.port(), "nobody there");
  at.first.move();
  at.carry_all();
  CHECK_FALSE(at.second.can_move());
  CHECK(at.kernel.datagrams().arrived() == 0);
}

}  // namespace
}  // namespace ringwire::sim
