// Simulated datagrams: whole or not at all, and lost, doubled and late when a fault says so.
#include "lib/kernel/sim/datagrams.hpp"

#include "lib/uring/received.hpp"
#include "tests/kernel/sim/fixture.hpp"
#include "tests/support/catch.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

namespace ringwire::kernel::sim {
namespace {

using test::Cqes;
using test::SameChoice;
using test::SimFixture;

struct Network {
  std::shared_ptr<DatagramEnd> bind(std::uint16_t port, bool reuse = false) {
    auto end = std::make_shared<DatagramEnd>();
    end->reuse_port = reuse;
    result = net.bind(end, port);
    return end;
  }
  void always(Fault fault) { faults.set_rate(fault, 1000); }
  void carry_all() {
    for (int count = 0; count < 10 && net.in_flight() > 0; ++count) net.carry(choices, faults);
  }
  static std::string texts(const DatagramEnd& end) {
    std::string all;
    for (const Packet& packet : end.queue) all += packet.bytes + ";";
    return all;
  }

  SameChoice choices;
  Faults faults{choices};
  DatagramNet net;
  int result = 0;
};

TEST_CASE("datagrams arrive in order, with their sender", "[datagrams]") {
  Network at;
  const auto end = at.bind(5);
  CHECK(at.net.send({7, 5, "one"}) == 3);
  CHECK(at.net.send({7, 5, ""}) == 0);
  CHECK(at.net.in_flight() == 2);
  CHECK(at.net.sent(7) == 2);
  CHECK(at.net.sent(5) == 0);
  at.carry_all();
  CHECK(Network::texts(*end) == "one;;");
  CHECK(end->queue.front().from == 7);
  CHECK(at.net.arrived() == 2);
}

TEST_CASE("a port belongs to one socket, or to several that share it", "[datagrams]") {
  Network at;
  const auto first = at.bind(5);
  static_cast<void>(at.bind(5));
  CHECK(at.result == -EADDRINUSE);
  static_cast<void>(at.bind(5, true));
  CHECK(at.result == -EADDRINUSE);
  first->reuse_port = true;
  const auto second = at.bind(5, true);
  CHECK(at.result == 0);
  CHECK(at.net.is_bound(5));
}

TEST_CASE("sockets that share a port divide the senders, and each sender keeps his", "[datagrams]") {
  Network at;
  const auto first = at.bind(5, true);
  const auto second = at.bind(5, true);
  for (const std::uint16_t from : {10, 11, 10, 11}) static_cast<void>(at.net.send({from, 5, "x"}));
  at.carry_all();
  CHECK(at.net.queued(5) == 4);
  CHECK(first->queue.size() == 2);
  CHECK(second->queue.size() == 2);
  CHECK(first->queue[0].from == first->queue[1].from);
}

TEST_CASE("a connected socket hears its peer only, and is told when nobody is there", "[datagrams]") {
  Network at;
  const auto end = at.bind(5);
  end->peer = 7;
  static_cast<void>(at.net.send({7, 5, "peer"}));
  static_cast<void>(at.net.send({8, 5, "stranger"}));
  at.carry_all();
  CHECK(Network::texts(*end) == "peer;");
  CHECK(end->error == 0);
  static_cast<void>(at.net.send({5, 9, "somewhere else"}));
  at.carry_all();
  CHECK(end->error == 0);
  static_cast<void>(at.net.send({5, 7, "anybody?"}));
  at.carry_all();
  CHECK(end->error == -ECONNREFUSED);
}

TEST_CASE("what is sent to nobody, or to somebody who has left, is gone", "[datagrams]") {
  Network at;
  auto end = at.bind(5);
  end = nullptr;
  CHECK_FALSE(at.net.is_bound(5));
  static_cast<void>(at.net.send({7, 5, "x"}));
  static_cast<void>(at.net.send({7, 6, "x"}));
  at.carry_all();
  CHECK(at.net.in_flight() == 0);
  CHECK(at.net.arrived() == 0);
  static_cast<void>(at.bind(5));
  CHECK(at.result == 0);
}

TEST_CASE("a full socket drops what comes, and that is counted", "[datagrams]") {
  Network at;
  at.net.set_queue_max(2);
  const auto end = at.bind(5);
  for (const char* text : {"1", "2", "3"}) static_cast<void>(at.net.send({7, 5, text}));
  at.carry_all();
  CHECK(Network::texts(*end) == "1;2;");
  CHECK(at.net.dropped() == 1);
}

TEST_CASE("a sender waits when too much of his is on the way", "[datagrams]") {
  Network at;
  at.net.set_flight_max(1);
  CHECK(at.net.can_send(7));
  static_cast<void>(at.net.send({7, 5, "x"}));
  CHECK_FALSE(at.net.can_send(7));
  CHECK(at.net.can_send(8));
}

TEST_CASE("a datagram longer than there can be is refused", "[datagrams]") {
  Network at;
  CHECK(at.net.send({7, 5, std::string(DatagramNet::size_most + 1, 'x')}) == -EMSGSIZE);
  CHECK(at.net.in_flight() == 0);
}

TEST_CASE("a lost datagram does not arrive, a doubled one comes again, a late one is overtaken",
          "[datagrams]") {
  {
    Network at;
    const auto end = at.bind(5);
    at.always(Fault::datagram_lost);
    static_cast<void>(at.net.send({7, 5, "x"}));
    at.carry_all();
    CHECK(end->queue.empty());
  }
  {
    Network at;
    const auto end = at.bind(5);
    at.always(Fault::datagram_doubled);
    static_cast<void>(at.net.send({7, 5, "x"}));
    at.net.carry(at.choices, at.faults);
    at.faults.heal();
    at.carry_all();
    CHECK(Network::texts(*end) == "x;x;");
  }
  {
    Network at;
    const auto end = at.bind(5);
    at.always(Fault::datagram_late);
    for (const char* text : {"1", "2", "3"}) static_cast<void>(at.net.send({7, 5, text}));
    at.carry_all();
    CHECK(Network::texts(*end) == "2;3;1;");
  }
}

// ---- operations

// A bound socket of the process, with two buffers of four bytes as group 1.
struct DatagramStage : SimFixture {
  DatagramStage() {
    socket = kernel.open_socket(AF_INET, SOCK_DGRAM, 0);
    REQUIRE(kernel.bind(socket, loopback_name(5)) == 0);
    io_uring_buf_reg request{};
    request.ring_addr = uring::to_u64(entries.data());
    request.ring_entries = 2;
    request.bgid = 1;
    REQUIRE(kernel.register_ring(ring.ring, IORING_REGISTER_PBUF_RING, &request, 1) == 0);
    for (std::uint16_t bid = 0; bid < 2; ++bid) {
      entries[bid].addr = uring::to_u64(memory[bid].data());
      entries[bid].len = static_cast<std::uint32_t>(memory[bid].size());
      entries[bid].bid = bid;
    }
    entries[0].resv = 2;
  }
  void arm(std::uint64_t user_data = 1) {
    uring::prep_recvmsg_multishot(ring.sqe(user_data), socket, uring::received_shape, 1);
    static_cast<void>(ring.enter());
  }
  void arrive(const std::string& bytes) {
    REQUIRE(kernel.datagrams().send({7, 5, bytes}) >= 0);
    kernel.datagrams().carry(choices, kernel.faults());
  }
  uring::Received read(const test::Cqe& cqe) const {
    const auto& buffer = memory[cqe.flags >> IORING_CQE_BUFFER_SHIFT];
    return uring::read_received(Bytes{buffer}.first(static_cast<std::size_t>(cqe.res)));
  }

  int socket = -1;
  std::array<io_uring_buf, 2> entries{};
  std::array<std::array<std::byte, uring::received_head_size + 4>, 2> memory{};
};

TEST_CASE("a multishot recvmsg brings each datagram with its name, cut to its buffer", "[datagrams]") {
  DatagramStage at;
  at.arm();
  at.attempt_all();
  CHECK(at.ring.reap().empty());
  at.arrive("abc");
  at.attempt_all();
  at.arrive("abcdefg");
  at.attempt_all();
  const Cqes done = at.ring.reap();
  REQUIRE(done.size() == 2);
  CHECK((done[0].flags & IORING_CQE_F_MORE) != 0);
  CHECK(to_text(at.read(done[0]).payload) == "abc");
  CHECK(port_of(at.read(done[0]).name) == 7);
  CHECK(to_text(at.read(done[1]).payload) == "abcd");
  CHECK(at.read(done[1]).size == 7);
}

TEST_CASE("where it was asked for, datagrams of one sender and length come joined", "[datagrams]") {
  DatagramStage at;
  const int on = 1;
  REQUIRE(at.kernel.set_option(at.socket, SOL_UDP, UDP_GRO, &on, sizeof on) == 0);
  at.arm();
  for (const char* text : {"a", "b", "c", "de", "f"}) at.arrive(text);
  at.always(SimFixture::Fault::burst);
  at.attempt_all();
  const Cqes done = at.ring.reap();
  REQUIRE(done.size() == 2);
  uring::Received first = at.read(done[0]);
  CHECK(to_text(first.payload) == "abc");
  CHECK(first.segment_size == 1);
  const uring::Received second = at.read(done[1]);
  CHECK(to_text(second.payload) == "def");  // The last one may be shorter.
  CHECK(second.segment_size == 2);
}

TEST_CASE("a send is cut where it says, and refused when the pieces are too many", "[datagrams]") {
  DatagramStage at;
  const auto peer = std::make_shared<DatagramEnd>();
  REQUIRE(at.kernel.datagrams().bind(peer, 7) == 0);
  const auto send = [&](std::string text, std::uint16_t size) {
    SocketName name = loopback_name(7);
    iovec piece{text.data(), text.size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof size)> control{};
    const cmsghdr note{CMSG_LEN(sizeof size), SOL_UDP, UDP_SEGMENT};
    std::memcpy(control.data(), &note, sizeof note);
    std::memcpy(control.data() + CMSG_LEN(0), &size, sizeof size);
    msghdr message{};
    message.msg_name = &name.storage;
    message.msg_namelen = name.size;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    uring::prep_send_datagram(at.ring.sqe(9), at.socket, message);
    static_cast<void>(at.ring.enter());
    at.attempt_all();
    while (at.kernel.datagrams().in_flight() > 0) at.kernel.datagrams().carry(at.choices, at.kernel.faults());
    return at.ring.reap().at(0).res;
  };
  CHECK(send("abcde", 2) == 5);
  CHECK(Network::texts(*peer) == "ab;cd;e;");
  CHECK(at.kernel.datagrams().sent(5) == 3);
  CHECK(send(std::string(65, 'x'), 1) == -EINVAL);
  CHECK(send(std::string(DatagramNet::size_most + 1, 'x'), 60'000) == -EMSGSIZE);
}

TEST_CASE("a datagram of no bytes ends a multishot recvmsg", "[datagrams]") {
  DatagramStage at;
  at.arm();
  at.arrive("");
  at.attempt_all();
  const Cqes done = at.ring.reap();
  REQUIRE(done.size() == 1);
  CHECK((done[0].flags & IORING_CQE_F_MORE) == 0);
  CHECK(at.read(done[0]).payload.empty());
}

TEST_CASE("without a buffer it ends, and the datagram stays", "[datagrams]") {
  DatagramStage at;
  at.arm();
  for (const char* text : {"1", "2", "3"}) at.arrive(text);
  at.always(SimFixture::Fault::burst);
  at.attempt_all();
  const Cqes done = at.ring.reap();
  REQUIRE(done.size() == 3);
  CHECK(done[2] == test::Cqe{1, -ENOBUFS, 0});
  CHECK(at.kernel.files().find(at.socket)->datagrams->queue.size() == 1);
  at.arm(2);  // Also at the start.
  CHECK(at.ring.reap() == Cqes{{2, -ENOBUFS, 0}});
}

TEST_CASE("faults end a recvmsg with or without its datagram", "[datagrams]") {
  for (const auto fault : {SimFixture::Fault::recv_ends, SimFixture::Fault::recv_ends_empty,
                           SimFixture::Fault::starved, SimFixture::Fault::recv_fails}) {
    DatagramStage at;
    at.arm();
    at.arrive("x");
    at.always(fault);
    at.attempt_all();
    const Cqes done = at.ring.reap();
    REQUIRE(done.size() == 1);
    CHECK((done[0].flags & IORING_CQE_F_MORE) == 0);
    CHECK((done[0].res > 0) == (fault == SimFixture::Fault::recv_ends));
    CHECK(at.kernel.files().find(at.socket)->datagrams->queue.empty() == (done[0].res > 0));
  }
}

TEST_CASE("two receives on one datagram socket break a rule, two sends do not", "[datagrams]") {
  DatagramStage at;
  at.arm(1);
  at.arm(2);
  CHECK_FALSE(at.kernel.violation().empty());
}

TEST_CASE("datagrams of the process leave whole, several at once", "[datagrams]") {
  DatagramStage at;
  const auto peer = std::make_shared<DatagramEnd>();
  REQUIRE(at.kernel.datagrams().bind(peer, 9) == 0);
  std::string first = "first";
  std::string second = "second";
  SocketName to = loopback_name(9);
  iovec pieces[]{{first.data(), first.size()}, {second.data(), second.size()}};
  msghdr messages[2]{};
  for (int index = 0; index < 2; ++index) {
    messages[index].msg_name = &to.storage;
    messages[index].msg_namelen = to.size;
    messages[index].msg_iov = &pieces[index];
    messages[index].msg_iovlen = 1;
    uring::prep_send_datagram(at.ring.sqe(static_cast<unsigned>(index)), at.socket, messages[index]);
  }
  static_cast<void>(at.ring.enter());
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{0, 5, 0}, {1, 6, 0}});
  CHECK(at.kernel.violation().empty());
  at.kernel.datagrams().carry(at.choices, at.kernel.faults());
  REQUIRE(peer->queue.size() == 1);
  CHECK(peer->queue.front().bytes == "first");
  CHECK(peer->queue.front().from == 5);
}

TEST_CASE("a datagram without a name, and one of a socket that fails, are errors", "[datagrams]") {
  DatagramStage at;
  msghdr message{};
  uring::prep_send_datagram(at.ring.sqe(1), at.socket, message);
  static_cast<void>(at.ring.enter());
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{1, -EDESTADDRREQ, 0}});
  at.always(SimFixture::Fault::send_fails);
  uring::prep_send_datagram(at.ring.sqe(2), at.socket, message);
  static_cast<void>(at.ring.enter());
  at.attempt_all();
  CHECK(at.ring.reap().at(0).res < 0);
}

TEST_CASE("a recvmsg on what is no datagram socket is ENOTSOCK", "[datagrams]") {
  DatagramStage at;
  uring::prep_recvmsg_multishot(at.ring.sqe(1), at.listener, uring::received_shape, 1);
  static_cast<void>(at.ring.enter());
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{1, -ENOTSOCK, 0}});
}

TEST_CASE("closing a socket frees its port", "[datagrams]") {
  DatagramStage at;
  CHECK(at.kernel.datagrams().is_bound(5));
  at.kernel.close(at.socket);
  CHECK_FALSE(at.kernel.datagrams().is_bound(5));
}

TEST_CASE("port 0 is a port nobody has", "[datagrams]") {
  DatagramStage at;
  const int fd = at.kernel.open_socket(AF_INET, SOCK_DGRAM, 0);
  REQUIRE(at.kernel.bind(fd, loopback_name(0)) == 0);
  SocketName name;
  REQUIRE(at.kernel.local_name(fd, name) == 0);
  CHECK(port_of(name) != 0);
  CHECK(at.kernel.datagrams().is_bound(port_of(name)));
  CHECK_FALSE(at.kernel.datagrams().is_bound(at.kernel.free_port()));
}

}  // namespace
}  // namespace ringwire::kernel::sim
