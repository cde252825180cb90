// What the real kernel promises and the reactor relies on, one operation at a time.
//
// Leaves to others: sockets' life (tests/conn), receive buffers (pool_test.cpp).
#include "tests/uring/real.hpp"

#include "lib/uring/prep.hpp"
#include "tests/support/catch.hpp"

#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>

namespace ringwire::uring {
namespace {

using test::RealRing;
using test::SocketPair;

constexpr std::int64_t millisecond = 1'000'000;

// Each completion's result by its operation.
std::map<Op, int> by_op(const std::vector<Completion>& all) {
  std::map<Op, int> results;
  for (const Completion& done : all) results[done.token.op] = done.res;
  return results;
}

std::string receive(int fd, std::size_t size) {
  std::string bytes(size, '\0');
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(::recv(fd, bytes.data(), size, MSG_WAITALL), 0)));
  return bytes;
}

// A listening socket on a port of the kernel's choice.
struct Listener {
  explicit Listener(in_port_t wanted = 0) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.sin_port = htons(wanted);
    result = ::bind(fd, plain(name), sizeof name) == 0 && ::listen(fd, 8) == 0 ? 0 : -errno;
    socklen_t size = sizeof name;
    ::getsockname(fd, plain(name), &size);
    port = ntohs(name.sin_port);
  }

  static sockaddr* plain(sockaddr_in& name) { return static_cast<sockaddr*>(static_cast<void*>(&name)); }

  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int result = 0;
  in_port_t port = 0;
};

// A client's socket, connected unless `result` says why not.
struct Caller {
  explicit Caller(in_port_t port) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.sin_port = htons(port);
    result = ::connect(fd, Listener::plain(name), sizeof name) == 0 ? 0 : -errno;
  }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  ~Caller() { ::close(fd); }

  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int result = 0;
};

TEST_CASE("the real kernel opens a ring, and masked features stay unused") {
  RealRing at;
  const Features used = at.ring.features();
  for (std::size_t index = 0; index < features_count; ++index) {
    const auto feature = static_cast<Feature>(index);
    if (used.has(feature)) CHECK(test::wanted_features().has(feature));
  }
  if (test::wanted_features() == Features::all()) {
    CHECK(used.has(Feature::defer_taskrun));  // Linux 6.1 has both.
    CHECK(used.has(Feature::registered_ring));
  }
  CHECK(at.ring.in_flight() == 0);
}

TEST_CASE("on the real kernel each feature can be masked alone, and the others stay in use") {
  const Features had = RealRing{}.ring.features();
  for (std::size_t index = 0; index < features_count; ++index) {
    Features wanted = test::wanted_features();
    wanted.remove(static_cast<Feature>(index));
    Features expected = had;
    expected.remove(static_cast<Feature>(index));
    INFO("wanted " << wanted.to_string());
    Ring ring{test::real_kernel()};
    REQUIRE_FALSE(ring.open(8, 64, wanted));
    CHECK(ring.features() == expected);
  }
}

TEST_CASE("a wait on the real kernel ends at its timeout, not before") {
  RealRing at;
  const kernel::Nanoseconds before = at.kernel.now();
  at.ring.submit_and_wait(1, 20 * millisecond);
  while (!at.ring.reap().empty()) at.ring.submit_and_wait(1, 20 * millisecond);  // The wake of the probe.
  CHECK(at.kernel.now() - before >= 20 * millisecond);
}

TEST_CASE("a send takes all bytes, one piece or several") {
  RealRing at;
  SocketPair pair;
  const std::string one(1000, 'a');
  std::string two = "bb";
  std::string three = "ccc";
  std::array<iovec, 2> pieces{iovec{two.data(), two.size()}, iovec{three.data(), three.size()}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();

  prep_send(at.ring.next_sqe({Op::send, 0, 0}), pair.ends[0], to_bytes(one));
  CHECK(at.wait(1).at(0).res == 1000);
  prep_sendmsg(at.ring.next_sqe({Op::send, 0, 0}), pair.ends[0], message);
  CHECK(at.wait(1).at(0).res == 5);
  CHECK(receive(pair.ends[1], 1005) == one + "bbccc");
}

TEST_CASE("a send to a peer that is gone answers EPIPE and raises no signal") {
  RealRing at;
  SocketPair pair;
  ::close(pair.forget(1));
  prep_send(at.ring.next_sqe({Op::send, 0, 0}), pair.ends[0], to_bytes("x"));
  CHECK(at.wait(1).at(0).res == -EPIPE);
}

TEST_CASE("an event is read through the ring") {
  RealRing at;
  const int event = at.kernel.open_event();
  std::array<std::byte, 8> bytes{};
  prep_read(at.ring.next_sqe({Op::event, 0, 0}), event, bytes);
  at.ring.submit_and_wait(0, 0);
  CHECK(at.ring.in_flight() == 1);
  at.kernel.signal_event(event);
  CHECK(at.wait(1).at(0).res == 8);
  CHECK(bytes[0] == std::byte{1});
  at.kernel.close(event);
}

TEST_CASE("a message arrives on the other ring with its user_data and result") {
  RealRing from;
  RealRing to;
  const Token handoff{Op::handoff, 1, 2};
  prep_message(from.ring.next_sqe({Op::handoff_send, 0, 0}), to.ring.fd(), handoff.pack(), 0x7FFF'FFF0);
  CHECK(from.wait(1).at(0).res == 0);
  const auto arrived = to.wait(1);
  REQUIRE(arrived.size() == 1);
  CHECK(arrived[0].token == handoff);
  CHECK(arrived[0].res == 0x7FFF'FFF0);
  CHECK(to.ring.in_flight() == 0);
}

TEST_CASE("messages of one submit arrive in order") {
  RealRing from{64, 256};
  RealRing to{8, 256};
  for (std::uint32_t number = 0; number < 50; ++number) {
    prep_message(from.ring.next_sqe({Op::handoff_send, 0, number}), to.ring.fd(),
                 Token{Op::handoff, 0, 0}.pack(), number);
  }
  CHECK(from.wait(50).size() == 50);
  const auto arrived = to.wait(50);
  REQUIRE(arrived.size() == 50);
  for (std::size_t index = 0; index < 50; ++index) CHECK(arrived[index].res == static_cast<int>(index));
}

TEST_CASE("a message to what is no ring fails and can be sent again") {
  RealRing from;
  RealRing to;
  const int event = from.kernel.open_event();
  prep_message(from.ring.next_sqe({Op::handoff_send, 0, 0}), event, Token{Op::handoff}.pack(), 1);
  CHECK(from.wait(1).at(0).res < 0);
  prep_message(from.ring.next_sqe({Op::handoff_send, 0, 0}), to.ring.fd(), Token{Op::handoff}.pack(), 1);
  CHECK(from.wait(1).at(0).res == 0);
  from.kernel.close(event);
}

TEST_CASE("a cancel by user_data ends that operation and no other") {
  RealRing at;
  SocketPair pair;
  std::array<std::byte, 8> bytes{};
  const int event = at.kernel.open_event();
  prep_read(at.ring.next_sqe({Op::event, 0, 1}), event, bytes);
  prep_read(at.ring.next_sqe({Op::signal, 0, 2}), pair.ends[0], bytes);
  at.ring.submit_and_wait(0, 0);
  prep_cancel(at.ring.next_sqe({Op::pause, 0, 0}), Token{Op::signal, 0, 2}.pack());
  auto results = by_op(at.wait(2));
  CHECK(results.at(Op::pause) == 0);
  CHECK(results.at(Op::signal) == -ECANCELED);
  CHECK(at.ring.in_flight() == 1);
  prep_cancel(at.ring.next_sqe({Op::pause, 0, 0}), Token{Op::signal, 0, 2}.pack());
  CHECK(at.wait(1).at(0).res == -ENOENT);  // It has ended.
  prep_cancel_all(at.ring.next_sqe({Op::cancel_all, 0, 0}));
  results = by_op(at.wait(2));
  CHECK(results.at(Op::cancel_all) == 1);
  CHECK(results.at(Op::event) == -ECANCELED);
  CHECK(at.ring.in_flight() == 0);
  at.kernel.close(event);
}

TEST_CASE("a pending connect is carried out, and its name copied at submission") {
  RealRing at;
  Listener listener;
  REQUIRE(listener.result == 0);
  const int fd = at.kernel.open_socket(AF_INET, SOCK_STREAM, 0);
  {
    kernel::SocketName name;
    REQUIRE(at.kernel.local_name(listener.fd, name) == 0);
    prep_connect(at.ring.next_sqe({Op::connect, 0, 0}), fd, name.storage, name.size);
    at.ring.submit_and_wait(0, 0);
    name = {};
  }
  CHECK(at.wait(1).at(0).res == 0);
  at.kernel.close(fd);
  at.kernel.close(listener.fd);
}

TEST_CASE("multishot accept answers one descriptor each, closed on exec, and goes on") {
  RealRing at;
  Listener listener;
  prep_accept_multishot(at.ring.next_sqe({Op::accept, 0, 0}), listener.fd);
  at.ring.submit_and_wait(0, 0);
  for (int count = 0; count < 3; ++count) {
    const Caller caller{listener.port};
    REQUIRE(caller.result == 0);
    const auto done = at.wait(1);
    REQUIRE(done.size() == 1);
    CHECK(done[0].has_more());
    REQUIRE(done[0].res >= 0);
    at.kernel.close(done[0].res);
  }
  CHECK(at.ring.in_flight() == 1);
  at.kernel.close(listener.fd);
}

TEST_CASE("cancel and hard-linked close end an accept and free its port") {
  RealRing at;
  Listener listener;
  REQUIRE(listener.result == 0);
  prep_accept_multishot(at.ring.next_sqe({Op::accept, 0, 0}), listener.fd);
  at.ring.submit_and_wait(0, 0);

  io_uring_sqe& cancel = at.ring.next_sqe({Op::accept_cancel, 0, 0});
  prep_cancel_fd(cancel, listener.fd);
  link_hard(cancel);
  prep_close(at.ring.next_sqe({Op::accept_close, 0, 0}), listener.fd);
  const auto results = by_op(at.wait(3));
  CHECK(results.at(Op::accept_cancel) == 1);  // So many were cancelled.
  CHECK(results.at(Op::accept) == -ECANCELED);
  CHECK(results.at(Op::accept_close) == 0);
  CHECK(at.ring.in_flight() == 0);

  CHECK(Caller{listener.port}.result == -ECONNREFUSED);
  const Listener next{listener.port};
  CHECK(next.result == 0);
  ::close(next.fd);
}

TEST_CASE("a cancel that finds nothing does not stop a hard-linked close") {
  RealRing at;
  SocketPair pair;
  const int fd = pair.forget(0);
  io_uring_sqe& cancel = at.ring.next_sqe({Op::cancel, 0, 0});
  prep_cancel_fd(cancel, fd);
  link_hard(cancel);
  prep_close(at.ring.next_sqe({Op::close, 0, 0}), fd);
  const auto results = by_op(at.wait(2));
  CHECK(results.at(Op::cancel) <= 0);  // 0 or ENOENT, by version.
  CHECK(results.at(Op::close) == 0);
  CHECK(receive(pair.ends[1], 1).empty());  // The peer sees the end.
}

TEST_CASE("a socket closed under an armed accept goes on listening") {
  // The reason for the cancel above. If a kernel ever changes this, the cancel can go.
  if (test::over_epoll()) {
    test::skip("over epoll an operation does not keep its file open");
    return;
  }
  RealRing at;
  Listener listener;
  prep_accept_multishot(at.ring.next_sqe({Op::accept, 0, 0}), listener.fd);
  at.ring.submit_and_wait(0, 0);
  at.kernel.close(listener.fd);
  CHECK(Caller{listener.port}.result == 0);
  for (const Completion& done : at.wait(1)) at.kernel.close(done.res);
}

TEST_CASE("a closed descriptor with a pending receive sends no FIN until the receive is cancelled") {
  if (test::over_epoll()) {
    test::skip("over epoll an operation does not keep its file open");
    return;
  }
  RealRing at;
  SocketPair pair;
  std::array<std::byte, 8> bytes{};
  const int fd = pair.forget(0);
  prep_read(at.ring.next_sqe({Op::event, 0, 0}), fd, bytes);
  at.ring.submit_and_wait(0, 0);
  prep_close(at.ring.next_sqe({Op::close, 0, 0}), fd);
  CHECK(at.wait(1).at(0).token.op == Op::close);
  pollfd poll_fd{pair.ends[1], POLLIN, 0};
  CHECK(::poll(&poll_fd, 1, 0) == 0);
  prep_cancel_all(at.ring.next_sqe({Op::cancel_all, 0, 0}));
  CHECK(by_op(at.wait(2)).at(Op::event) == -ECANCELED);
  CHECK(receive(pair.ends[1], 1).empty());
}

}  // namespace
}  // namespace ringwire::uring
