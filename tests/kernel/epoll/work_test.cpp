// Receiving and accepting again and again: every byte, in turns, and not more than fits.
#include "tests/kernel/epoll/bench.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/process.hpp"

#include <fcntl.h>
#include <sys/resource.h>

namespace ringwire::kernel {
namespace {

// A receive that is armed on a connection.
struct Stream {
  explicit Stream(unsigned buffers = 8, std::size_t size = 64, unsigned cq = 256) : at{64, cq} {
    at.lend(0, buffers, size);
    arm();
  }

  void arm(bool poll_first = false) {
    uring::prep_recv_multishot(at.sqe(1), pair.ours.fd(), 0, poll_first);
    REQUIRE(at.poll().empty());
  }

  Bench at;
  Connected pair;
};

TEST_CASE("each piece that arrives is a completion of its own, and the receive goes on", "[epoll]") {
  Stream stream;
  for (const std::string text : {"one", "two", "three"}) {
    stream.pair.peer.send(text);
    const auto done = stream.at.wait(1);
    REQUIRE(done.size() == 1);
    CHECK(done[0].more());
    CHECK(stream.at.bytes(done[0]) == text);
  }
}

TEST_CASE("a receive ends when it has brought as many bytes as it may, and loses none", "[epoll]") {
  Bench at{64, 256};
  at.lend(0, 8, 64);
  Connected pair;
  uring::prep_recv_multishot(at.sqe(1), pair.ours.fd(), 0, false, 100);
  REQUIRE(at.poll().empty());
  std::string text;
  for (int index = 0; index < 300; ++index) text += static_cast<char>('a' + index % 26);
  pair.peer.send(text);
  std::string got;
  auto done = at.wait(2);
  REQUIRE(done.size() == 2);
  CHECK(done[0].more());
  CHECK_FALSE(done[1].more());
  for (const auto& each : done) got += at.bytes(each);
  CHECK(got == text.substr(0, 128));

  uring::prep_recv_multishot(at.sqe(1), pair.ours.fd(), 0, false);
  done = at.wait(3);
  for (const auto& each : done) got += at.bytes(each);
  CHECK(got == text);
}

TEST_CASE("FIN behind bytes is told after them, without a buffer and without more", "[epoll]") {
  for (const bool together : {true, false}) {
    Stream stream;
    stream.pair.peer.send("last");
    if (!together) CHECK(stream.at.bytes(stream.at.wait(1).at(0)) == "last");
    stream.pair.peer.close();
    const auto done = stream.at.wait(together ? 2 : 1);
    if (together) CHECK(stream.at.bytes(done.at(0)) == "last");
    CHECK(done.back().res == 0);
    CHECK_FALSE(done.back().more());
    CHECK_FALSE(done.back().has_buffer());
  }
}

TEST_CASE("a reset is told after the bytes before it were", "[epoll]") {
  Stream stream;
  stream.pair.peer.reset();
  const auto done = stream.at.wait(1);
  CHECK(done.at(0).res == -ECONNRESET);
  CHECK_FALSE(done.at(0).more());
}

TEST_CASE("an urgent byte between others does not hide what is behind it", "[epoll]") {
  Stream stream;
  stream.pair.peer.send("before");
  stream.pair.peer.send("!", MSG_OOB);
  stream.pair.peer.send("behind");
  std::string received;
  while (received.size() < 12) {
    for (const Cqe& done : stream.at.wait(1)) received += stream.at.bytes(done);
  }
  CHECK(received == "beforebehind");
}

TEST_CASE("a flooder gets 16 completions a turn, and a quiet connection its turn beside it", "[epoll]") {
  Stream stream{128, 16};
  const Connected quiet;
  uring::prep_recv_multishot(stream.at.sqe(2), quiet.ours.fd(), 0, false);
  REQUIRE(stream.at.poll().empty());
  stream.pair.peer.send(std::string(16 * 52, 'x'));
  quiet.peer.send("quiet");
  stream.at.enter(1, long_time);
  std::size_t flood = 0;
  std::size_t others = 0;
  for (const Cqe& done : stream.at.reap()) ++(done.user_data == 1 ? flood : others);
  CHECK(flood == 16);
  CHECK(others == 1);
  // The rest comes with the next turns, without any further event.
  for (const std::size_t expected : {16U, 16U, 4U}) CHECK(stream.at.poll().size() == expected);
  CHECK(stream.at.poll().empty());
}

TEST_CASE("a full queue stops receiving; nothing is lost, and the receive goes on", "[epoll]") {
  Stream stream{64, 16, 64};
  const std::string text = test::random_bytes(5, 16 * 200);
  stream.pair.peer.send(text);
  std::string received;
  while (received.size() < text.size()) {
    // Not reaped between: three turns fill the queue, and no more than that.
    for (int turn = 0; turn < 4; ++turn) stream.at.enter();
    CHECK((*stream.at.ring.sq.kflags & IORING_SQ_CQ_OVERFLOW) == 0);
    const auto all = stream.at.reap();
    REQUIRE(all.size() <= 64);
    bool ended = all.empty();
    for (const Cqe& done : all) {
      if (done.has_buffer()) received += stream.at.bytes(done);
      ended = ended || !done.more();
    }
    if (ended && received.size() < text.size() && !all.empty()) stream.arm(true);
  }
  CHECK((received == text));
}

TEST_CASE("a receive that runs out of buffers ends, and the bytes wait", "[epoll]") {
  Stream stream{2, 16};
  const std::string text = test::random_bytes(6, 40);
  stream.pair.peer.send(text);
  auto done = stream.at.wait(3);
  REQUIRE(done.size() == 3);
  CHECK(done[2].res == -ENOBUFS);
  CHECK_FALSE(done[2].more());
  CHECK_FALSE(done[2].has_buffer());
  std::string received = stream.at.bytes(done[0]) + stream.at.bytes(done[1]);
  uring::prep_recv_multishot(stream.at.sqe(1), stream.pair.ours.fd(), 0, true);
  done = stream.at.wait(1);
  received += stream.at.bytes(done[0]);
  CHECK(received == text);
}

TEST_CASE("the last buffer taken ends a receive only when there is more to put into one", "[epoll]") {
  Stream stream{1, 16};
  stream.pair.peer.send(std::string(16, 'x'));
  const auto done = stream.at.wait(1);
  REQUIRE(done.size() == 1);
  CHECK(done[0].more());
  CHECK(stream.at.poll().empty());
  stream.at.bytes(done[0]);
  stream.pair.peer.send("y");
  CHECK(stream.at.bytes(stream.at.wait(1).at(0)) == "y");
}

TEST_CASE("a single receive takes one piece, into a buffer or into the caller's memory", "[epoll]") {
  Stream stream;
  uring::prep_cancel(stream.at.sqe(9), 1);
  CHECK(stream.at.wait(2).size() == 2);
  stream.pair.peer.send("first");
  io_uring_sqe& selecting = stream.at.sqe(2);
  uring::prep_recv_multishot(selecting, stream.pair.ours.fd(), 0, false);
  selecting.ioprio = 0;
  auto done = stream.at.wait(1);
  CHECK_FALSE(done.at(0).more());
  CHECK(stream.at.bytes(done.at(0)) == "first");

  std::array<char, 4> memory{};
  stream.pair.peer.send("second");
  io_uring_sqe& plain = stream.at.sqe(3);
  plain.opcode = IORING_OP_RECV;
  plain.fd = stream.pair.ours.fd();
  plain.addr = uring::to_u64(memory.data());
  plain.len = memory.size();
  done = stream.at.wait(1);
  CHECK(done.at(0).res == 4);
  CHECK_FALSE(done.at(0).has_buffer());
  CHECK(std::string_view(memory.data(), memory.size()) == "seco");
}

TEST_CASE("datagrams that wait are all received, short as each may be", "[epoll]") {
  Bench at;
  at.lend(0, 8, 64);
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const Socket ours{ends[0]};
  const Socket theirs{ends[1]};
  uring::prep_recv_multishot(at.sqe(1), ours.fd(), 0, false);
  REQUIRE(at.poll().empty());
  for (const char* text : {"a", "bb", "ccc"}) theirs.send(text);
  const auto done = at.wait(3);
  REQUIRE(done.size() == 3);
  CHECK(at.bytes(done[0]) + at.bytes(done[1]) + at.bytes(done[2]) == "abbccc");
}

TEST_CASE("an accept goes on and on, and its descriptors are closed on exec", "[epoll]") {
  Bench at;
  Listening listening;
  uring::prep_accept_multishot(at.sqe(1), listening.socket.fd());
  REQUIRE(at.poll().empty());
  std::vector<Socket> callers;
  for (int count = 0; count < 40; ++count) callers.push_back(listening.caller());
  const auto done = at.wait(40);
  CHECK(done.size() == 40);
  for (const Cqe& each : done) {
    CHECK(each.more());
    const Socket accepted{each.res};
    CHECK((::fcntl(each.res, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(each.res, F_GETFL) & O_NONBLOCK) == 0);  // Not inherited from the listener.
  }
}

TEST_CASE("a single accept takes one client, with its name", "[epoll]") {
  Bench at;
  Listening listening;
  const Socket caller = listening.caller();
  const Socket other = listening.caller();
  sockaddr_in name{};
  socklen_t size = sizeof name;
  io_uring_sqe& sqe = at.sqe(1);
  uring::prep_accept_multishot(sqe, listening.socket.fd());
  sqe.ioprio = 0;
  sqe.addr = uring::to_u64(&name);
  sqe.off = uring::to_u64(&size);
  const auto done = at.wait(1);
  REQUIRE(done.size() == 1);
  const Socket accepted{done[0].res};
  CHECK_FALSE(done[0].more());
  CHECK(name.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
  CHECK(at.poll().empty());
}

TEST_CASE("an accept that fails ends; its client waits for the next", "[epoll]") {
  if (test::sanitized) {
    test::skip("sanitizers open descriptors of their own");
    return;
  }
  Bench at;
  Listening listening;
  uring::prep_accept_multishot(at.sqe(1), listening.socket.fd());
  REQUIRE(at.poll().empty());
  const Socket caller = listening.caller();
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{3, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  at.enter(1, long_time);
  ::setrlimit(RLIMIT_NOFILE, &before);
  auto done = at.reap();
  REQUIRE(done.size() == 1);
  CHECK(done[0].res == -EMFILE);
  CHECK_FALSE(done[0].more());

  uring::prep_accept_multishot(at.sqe(2), listening.socket.fd());
  done = at.wait(1);
  CHECK(done[0].user_data == 2);
  const Socket accepted{done[0].res};
}

TEST_CASE("an accept on what does not listen says so, and so does a receive on what is no socket",
          "[epoll]") {
  Bench at;
  at.lend(0, 2, 64);
  const Socket idle{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  uring::prep_accept_multishot(at.sqe(1), idle.fd());
  CHECK(at.wait(1).at(0).res == -EINVAL);
  const Socket file{::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
  uring::prep_recv_multishot(at.sqe(2), file.fd(), 0, false);
  CHECK(at.wait(1).at(0).res == -ENOTSOCK);
}

TEST_CASE("a stream in pieces of any size arrives whole and in order through few buffers", "[epoll]") {
  for (const unsigned buffers : {1U, 2U, 8U}) {
    INFO(buffers << " buffers");
    Stream stream{buffers, 100, 64};
    const std::string text = test::random_bytes(buffers, 200'000);
    std::string received;
    std::size_t sent = 0;
    bool armed = true;
    while (received.size() < text.size()) {
      const std::size_t piece = std::min(text.size() - sent, std::size_t{1} + sent % 999);
      const ssize_t gone = ::send(stream.pair.peer.fd(), text.data() + sent, piece, MSG_DONTWAIT);
      if (gone > 0) sent += static_cast<std::size_t>(gone);
      if (!armed) uring::prep_recv_multishot(stream.at.sqe(1), stream.pair.ours.fd(), 0, true);
      armed = true;
      for (const Cqe& done : stream.at.wait(1)) {
        if (done.has_buffer()) received += stream.at.bytes(done);
        if (!done.more()) armed = false;
        REQUIRE((done.res > 0 || done.res == -ENOBUFS));
      }
    }
    CHECK((received == text));
  }
}

}  // namespace
}  // namespace ringwire::kernel
