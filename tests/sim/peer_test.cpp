// A client: what it sends and reads, and how it takes its leave.
#include "lib/sim/peer.hpp"

#include <ringwire/bytes.hpp>

#include "lib/kernel/sim/files.hpp"
#include "tests/support/catch.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

namespace ringwire::sim {
namespace {

using kernel::sim::ListChoices;
using kernel::sim::SeededChoices;
using kernel::sim::Stream;

constexpr std::size_t everything = 1000;

// A client (side 0) and the engine's end, played by hand.
struct PeerStage {
  explicit PeerStage(std::size_t capacity = 100)
      : stream{std::make_shared<Stream>(capacity)}, peer{stream, 0} {}

  void move() { peer.move(choices, true); }
  void send(std::string_view text) {
    static_cast<void>(stream->send(1, to_bytes(text)));
    stream->deliver(1, everything, false);
  }
  // What arrived at the engine's end.
  std::string recv() {
    stream->deliver(0, everything, true);
    std::array<std::byte, everything> target;
    const int size = stream->recv(1, target);
    return size < 0 ? std::string{}
                    : std::string{to_text(std::span{target}.first(static_cast<unsigned>(size)))};
  }

  ListChoices choices{{}};
  std::shared_ptr<Stream> stream;
  SimPeer peer;
};

TEST_CASE("a client with nothing to do cannot move", "[peer]") {
  const PeerStage at;
  CHECK_FALSE(at.peer.can_move());
  CHECK_FALSE(at.peer.is_gone());
  CHECK_FALSE(at.peer.was_refused());
}

TEST_CASE("a client that was refused is gone from the beginning", "[peer]") {
  const SimPeer peer{nullptr, 0};
  CHECK(peer.was_refused());
  CHECK(peer.is_gone());
  CHECK_FALSE(peer.can_move());
  CHECK(peer.port() == 0);
}

TEST_CASE("a client sends as much as there is room for, and goes on when there is more", "[peer]") {
  PeerStage at{4};
  at.peer.send("hello ");
  at.peer.send("world");
  CHECK(at.peer.can_move());
  std::string got;
  for (int count = 0; count < 3; ++count) {
    REQUIRE(at.peer.can_move());
    at.move();
    CHECK_FALSE(at.peer.can_move());
    got += at.recv();
  }
  CHECK(got == "hello world");
  CHECK(at.peer.sent_size() == 11);
  CHECK(at.peer.outbox_size() == 0);
}

TEST_CASE("a client that does not move plainly sends in pieces of its own", "[peer]") {
  SeededChoices choices{5};
  PeerStage at;
  at.peer.send("hello world");
  unsigned moves = 0;
  for (; at.peer.can_move(); ++moves) at.peer.move(choices, false);
  CHECK(moves > 1);
  CHECK(at.recv() == "hello world");
}

TEST_CASE("a client finishes behind its last byte, and goes on receiving", "[peer]") {
  PeerStage at;
  at.peer.finish();
  at.peer.send("last");
  CHECK(at.peer.is_finishing());
  at.move();
  CHECK(at.recv() == "last");
  CHECK(at.stream->ended(1));
  at.send("answer");
  at.move();
  CHECK(at.peer.received() == "answer");
  CHECK_FALSE(at.peer.is_gone());
}

TEST_CASE("a client closes when both directions have ended, and not before", "[peer]") {
  PeerStage at;
  at.send("all");
  CHECK(at.stream->shut_write(1) == 0);
  at.stream->deliver(1, everything, true);
  at.move();
  CHECK(at.peer.received() == "all");
  CHECK(at.peer.has_end());
  CHECK_FALSE(at.peer.is_gone());
  at.peer.finish();
  at.move();
  CHECK(at.peer.is_gone());
  CHECK(at.stream->is_closed(0));
  CHECK(at.peer.error() == 0);
}

TEST_CASE("a client that does not read sees nothing until it does", "[peer]") {
  PeerStage at;
  at.peer.set_reading(false);
  at.send("patience");
  CHECK_FALSE(at.peer.can_move());
  at.peer.set_reading(true);
  CHECK(at.peer.can_move());
  at.move();
  CHECK(at.peer.received() == "patience");
}

TEST_CASE("a client that resets is gone at once, and does so once", "[peer]") {
  PeerStage at;
  at.peer.reset();
  at.peer.reset();
  CHECK(at.peer.is_gone());
  CHECK(at.stream->is_reset(0));
  CHECK_FALSE(at.peer.can_move());
}

TEST_CASE("a client that is reset keeps what it got, knows why, and is gone", "[peer]") {
  PeerStage at;
  at.send("some");
  at.stream->close(1, true);
  at.stream->deliver(1, everything, true);
  REQUIRE(at.peer.can_move());
  at.move();
  CHECK(at.peer.received() == "some");
  CHECK(at.peer.error() == ECONNRESET);
  CHECK(at.peer.is_gone());
  CHECK_FALSE(at.peer.has_end());
}

TEST_CASE("a client whose send took the error of a reset does not take the end for a FIN", "[peer]") {
  PeerStage at;
  at.stream->close(1, true);
  at.stream->deliver(1, everything, true);
  CHECK(at.stream->send(0, to_bytes("x")) == -ECONNRESET);
  at.move();
  CHECK(at.peer.error() == ECONNRESET);
  CHECK_FALSE(at.peer.has_end());
}

TEST_CASE("a client that only writes finds the reset by writing", "[peer]") {
  PeerStage at;
  at.peer.set_reading(false);
  at.stream->close(1, true);
  at.stream->deliver(1, everything, true);
  at.peer.send("anybody?");
  at.move();
  CHECK(at.peer.error() == ECONNRESET);
  CHECK(at.peer.is_gone());
  CHECK(at.peer.sent_size() == 0);
}

TEST_CASE("a client has the port of its end", "[peer]") {
  const PeerStage at;
  at.stream->names = {kernel::sim::loopback_name(1234), kernel::sim::loopback_name(9000)};
  CHECK(at.peer.port() == 1234);
}

}  // namespace
}  // namespace ringwire::sim
