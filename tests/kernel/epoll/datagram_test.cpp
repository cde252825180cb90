// Datagrams over epoll: each in a buffer laid out as io_uring does it, cut or whole, none lost for want of
// one.
#include "lib/uring/received.hpp"
#include "tests/kernel/epoll/bench.hpp"
#include "tests/support/catch.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>

namespace ringwire::kernel {
namespace {

constexpr std::size_t payload_max = 16;

// A bound socket.
struct Place {
  Place() : socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(socket.fd(), plain(), sizeof name) == 0);
    socklen_t size = sizeof name;
    REQUIRE(::getsockname(socket.fd(), plain(), &size) == 0);
  }
  sockaddr* plain() { return reinterpret_cast<sockaddr*>(&name); }
  void send(std::string_view bytes, Place& to) const {
    REQUIRE(::sendto(socket.fd(), bytes.data(), bytes.size(), 0, to.plain(), sizeof to.name) ==
            ssize_t(bytes.size()));
  }

  sockaddr_in name{};
  Socket socket;
};

// A receive that is armed on a socket.
struct Stage {
  explicit Stage(unsigned buffers = 4) {
    at.lend(1, buffers, uring::received_head_size + payload_max);
    arm();
  }
  void arm() {
    uring::prep_recvmsg_multishot(at.sqe(1), ours.socket.fd(), uring::received_shape, 1);
    REQUIRE(at.poll().empty());
  }
  // What a completion brought; its buffer stays ours.
  uring::Received read(const Cqe& done) {
    REQUIRE(done.has_buffer());
    return uring::read_received(
        {at.memory.data() + done.bid() * at.buffer_size, static_cast<std::size_t>(done.res)});
  }

  Bench at;
  Place ours;
  Place peer;
};

TEST_CASE("each datagram is a completion with its sender, and the receive goes on", "[epoll]") {
  Stage stage;
  for (const std::string text : {"one", "two"}) {
    stage.peer.send(text, stage.ours);
    const auto done = stage.at.wait(1);
    CHECK(done[0].more());
    const uring::Received received = stage.read(done[0]);
    CHECK(to_text(received.payload) == text);
    CHECK(received.size == text.size());
    sockaddr_in from{};
    REQUIRE(received.name.size == sizeof from);
    std::memcpy(&from, &received.name.storage, sizeof from);
    CHECK(from.sin_port == stage.peer.name.sin_port);
  }
}

TEST_CASE("a datagram longer than its buffer is cut, and tells how long it was", "[epoll]") {
  Stage stage;
  stage.peer.send(std::string(payload_max + 5, 'x'), stage.ours);
  const uring::Received received = stage.read(stage.at.wait(1).at(0));
  CHECK(received.payload.size() == payload_max);
  CHECK(received.size == payload_max + 5);
}

TEST_CASE("datagrams that were joined are told to be so", "[epoll]") {
  Stage stage;
  const int on = 1;
  REQUIRE(::setsockopt(stage.ours.socket.fd(), SOL_UDP, UDP_GRO, &on, sizeof on) == 0);
  const int size = 4;
  REQUIRE(::setsockopt(stage.peer.socket.fd(), SOL_UDP, UDP_SEGMENT, &size, sizeof size) == 0);
  stage.peer.send("abcdefghij", stage.ours);
  const uring::Received received = stage.read(stage.at.wait(1).at(0));
  CHECK(to_text(received.payload) == "abcdefghij");
  CHECK(received.segment_size == 4);
}

TEST_CASE("a datagram of no bytes ends the receive, and those behind it wait", "[epoll]") {
  Stage stage;
  stage.peer.send("", stage.ours);
  stage.peer.send("next", stage.ours);
  const auto done = stage.at.wait(1);
  REQUIRE(done.size() == 1);
  CHECK_FALSE(done[0].more());
  CHECK(stage.read(done[0]).payload.empty());
  uring::prep_recvmsg_multishot(stage.at.sqe(2), stage.ours.socket.fd(), uring::received_shape, 1);
  CHECK(to_text(stage.read(stage.at.wait(1).at(0)).payload) == "next");
}

TEST_CASE("without a free buffer the receive ends, and the datagram waits in the socket", "[epoll]") {
  Stage stage{1};
  stage.peer.send("one", stage.ours);
  stage.peer.send("two", stage.ours);
  const auto done = stage.at.wait(2);
  CHECK(to_text(stage.read(done[0]).payload) == "one");
  CHECK(done[1].res == -ENOBUFS);
  CHECK_FALSE(done[1].more());
  stage.at.give_back(done[0].bid());
  uring::prep_recvmsg_multishot(stage.at.sqe(2), stage.ours.socket.fd(), uring::received_shape, 1);
  CHECK(to_text(stage.read(stage.at.wait(1).at(0)).payload) == "two");
}

TEST_CASE("a receive that starts without a buffer ends at once", "[epoll]") {
  Stage stage{1};
  stage.peer.send("one", stage.ours);
  REQUIRE(stage.at.wait(1).size() == 1);
  uring::prep_recvmsg_multishot(stage.at.sqe(2), stage.peer.socket.fd(), uring::received_shape, 1);
  CHECK(stage.at.wait(1).at(0).res == -ENOBUFS);
}

TEST_CASE("a buffer too small for what comes before the payload is EFAULT", "[epoll]") {
  Bench at;
  at.lend(1, 1, uring::received_head_size - 1);
  Place ours;
  const Place peer;
  uring::prep_recvmsg_multishot(at.sqe(1), ours.socket.fd(), uring::received_shape, 1);
  peer.send("x", ours);
  CHECK(at.wait(1).at(0).res == -EFAULT);
}

TEST_CASE("an error of the socket ends the receive, with a buffer free or not", "[epoll]") {
  for (const unsigned buffers : {2U, 1U}) {
    Stage stage{buffers};
    Place other;
    if (buffers == 1) {  // The only buffer is taken.
      stage.peer.send("x", stage.ours);
      REQUIRE(stage.at.wait(1).size() == 1);
    }
    // Connected to a place that closes: its ICMP answer is an error of our socket.
    REQUIRE(::connect(stage.ours.socket.fd(), other.plain(), sizeof other.name) == 0);
    other.socket.close();
    REQUIRE(::send(stage.ours.socket.fd(), "x", 1, 0) == 1);
    CHECK(stage.at.wait(1).at(0).res == -ECONNREFUSED);
  }
}

TEST_CASE("many datagrams come in turns, and none is lost", "[epoll]") {
  Stage stage{64};
  for (int count = 0; count < 50; ++count) stage.peer.send(std::to_string(count), stage.ours);
  const auto done = stage.at.wait(50);
  for (std::size_t count = 0; count < 50; ++count) {
    CHECK(to_text(stage.read(done.at(count)).payload) == std::to_string(count));
  }
}

TEST_CASE("a datagram goes to the name its request has, and several are sent at once", "[epoll]") {
  Bench at;
  const Place ours;
  Place first;
  Place second;
  const auto send = [&](std::uint64_t user_data, std::string& text, Place& to, iovec& piece,
                        msghdr& message) {
    piece = {text.data(), text.size()};
    message.msg_name = to.plain();
    message.msg_namelen = sizeof to.name;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    uring::prep_send_datagram(at.sqe(user_data), ours.socket.fd(), message);
  };
  std::string one = "one";
  std::string none;
  iovec pieces[2];
  msghdr messages[2]{};
  send(1, one, first, pieces[0], messages[0]);
  send(2, none, second, pieces[1], messages[1]);
  const auto done = at.wait(2);
  CHECK(done[0].res == 3);
  CHECK(done[1].res == 0);
  CHECK(first.socket.take() == "one");
}

TEST_CASE("a receive of datagrams is cancelled by its descriptor", "[epoll]") {
  Stage stage;
  uring::prep_cancel_fd(stage.at.sqe(9), stage.ours.socket.fd());
  const auto done = stage.at.wait(2);
  CHECK(done[0].res + done[1].res == 1 - ECANCELED);
}

}  // namespace
}  // namespace ringwire::kernel
