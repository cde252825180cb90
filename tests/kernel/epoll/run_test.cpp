// A request's way to its completion: links, cancels, closes, and what is copied when it is submitted.
#include "tests/kernel/epoll/bench.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"

#include <poll.h>
#include <sys/eventfd.h>

namespace ringwire::kernel {
namespace {

// The user_data and results of completions, in order.
using Results = std::vector<std::pair<std::uint64_t, int>>;

Results results(const std::vector<Cqe>& all) {
  Results pairs;
  for (const Cqe& each : all) pairs.emplace_back(each.user_data, each.res);
  return pairs;
}

io_uring_sqe& nop(Bench& at, std::uint64_t user_data, unsigned flags = 0) {
  io_uring_sqe& sqe = at.sqe(user_data);
  sqe.opcode = IORING_OP_NOP;
  sqe.flags = static_cast<std::uint8_t>(flags);
  return sqe;
}

io_uring_sqe& failing(Bench& at, std::uint64_t user_data, unsigned flags) {
  io_uring_sqe& sqe = at.sqe(user_data);
  uring::prep_cancel(sqe, 12345);
  sqe.flags = static_cast<std::uint8_t>(flags);
  return sqe;
}

struct Receiving {
  Receiving() {
    at.lend(0, 8, 64);
    uring::prep_recv_multishot(at.sqe(1), pair.ours.fd(), 0, false);
    REQUIRE(at.poll().empty());
  }

  bool peer_sees_end() {
    pollfd look{pair.peer.fd(), POLLIN, 0};
    return ::poll(&look, 1, 0) == 1 && pair.peer.receive(1).empty();
  }

  Bench at;
  Connected pair;
};

TEST_CASE("a hard link goes on whatever the result, a soft one ends at a failure", "[epoll]") {
  Bench at;
  failing(at, 1, IOSQE_IO_HARDLINK);
  nop(at, 2);
  CHECK(results(at.poll()) == Results{{1, -ENOENT}, {2, 0}});
  failing(at, 1, IOSQE_IO_LINK);
  nop(at, 2, IOSQE_IO_LINK);
  nop(at, 3);
  nop(at, 4);
  CHECK(results(at.poll()) == Results{{1, -ENOENT}, {2, -ECANCELED}, {3, -ECANCELED}, {4, 0}});
  nop(at, 1, IOSQE_IO_LINK);
  nop(at, 2);
  CHECK(results(at.poll()) == Results{{1, 0}, {2, 0}});
}

TEST_CASE("a request that is none breaks its chain, hard or not", "[epoll]") {
  Bench at;
  io_uring_sqe& bad = at.sqe(1);
  bad.opcode = 200;
  bad.flags = IOSQE_IO_HARDLINK;
  nop(at, 2);
  CHECK(results(at.poll()) == Results{{1, -EINVAL}, {2, -ECANCELED}});
}

TEST_CASE("what is linked behind an operation that waits runs when that has ended", "[epoll]") {
  Bench at;
  const Socket event{::eventfd(0, EFD_CLOEXEC)};
  std::array<std::byte, 8> bytes{};
  uring::prep_read(at.sqe(1), event.fd(), bytes);
  uring::link_hard(at.ring.sq.sqes[0]);
  nop(at, 2);
  CHECK(at.poll().empty());
  ::eventfd_write(event.fd(), 1);
  CHECK(results(at.wait(2)) == Results{{1, 8}, {2, 0}});
}

TEST_CASE("a chain ends with the submit it came in", "[epoll]") {
  Bench at;
  failing(at, 1, IOSQE_IO_LINK);
  nop(at, 2);
  CHECK(at.kernel.enter(at.ring, 1, 0, 0, 0) == 1);
  CHECK(at.kernel.enter(at.ring, 1, 0, 0, 0) == 1);
  CHECK(results(at.reap()) == Results{{1, -ENOENT}, {2, 0}});
}

TEST_CASE("a success that is to be skipped posts nothing, a failure does", "[epoll]") {
  Bench at;
  nop(at, 1, IOSQE_CQE_SKIP_SUCCESS);
  failing(at, 2, IOSQE_CQE_SKIP_SUCCESS);
  CHECK(results(at.poll()) == Results{{2, -ENOENT}});
}

TEST_CASE("a cancel by user_data ends that operation and no other", "[epoll]") {
  Receiving on;
  const Socket event{::eventfd(0, EFD_CLOEXEC)};
  std::array<std::byte, 8> bytes{};
  uring::prep_read(on.at.sqe(2), event.fd(), bytes);
  uring::prep_cancel(on.at.sqe(3), 2);
  CHECK(results(on.at.poll()) == Results{{3, 0}, {2, -ECANCELED}});
  uring::prep_cancel(on.at.sqe(3), 2);
  CHECK(results(on.at.poll()) == Results{{3, -ENOENT}});
  on.pair.peer.send("still here");
  CHECK(on.at.bytes(on.at.wait(1).at(0)) == "still here");
}

TEST_CASE("a cancel by descriptor ends all on it, answers how many, and comes first", "[epoll]") {
  Receiving on;
  narrow(on.pair);
  const std::string much(1 << 20, 'x');
  uring::prep_send(on.at.sqe(2), on.pair.ours.fd(), to_bytes(much));
  CHECK(on.at.poll().empty());
  uring::prep_cancel_fd(on.at.sqe(3), on.pair.ours.fd());
  const auto done = on.at.poll();
  REQUIRE(done.size() == 3);
  CHECK(results({done[0], done[1]}) == Results{{3, 2}, {1, -ECANCELED}});
  CHECK(done[2].user_data == 2);  // A send that was under way answers how far it got.
  CHECK(done[2].res > 0);
  CHECK(done[2].res < 1 << 20);
  uring::prep_cancel_fd(on.at.sqe(3), on.pair.ours.fd());
  CHECK(results(on.at.poll()) == Results{{3, 0}});
}

TEST_CASE("a cancel of everything ends everything in the order it came", "[epoll]") {
  Receiving on;
  Listening listening;
  const Socket event{::eventfd(0, EFD_CLOEXEC)};
  std::array<std::byte, 8> bytes{};
  uring::prep_read(on.at.sqe(2), event.fd(), bytes);
  uring::prep_accept_multishot(on.at.sqe(3), listening.socket.fd());
  uring::prep_cancel_all(on.at.sqe(4));
  CHECK(results(on.at.poll()) == Results{{4, 3}, {1, -ECANCELED}, {2, -ECANCELED}, {3, -ECANCELED}});
  CHECK(on.at.poll().empty());
}

TEST_CASE("cancel, hard-linked to the close: all has come back, and the peer sees FIN", "[epoll]") {
  Receiving on;
  io_uring_sqe& cancel = on.at.sqe(2);
  uring::prep_cancel_fd(cancel, on.pair.ours.fd());
  uring::link_hard(cancel);
  uring::prep_close(on.at.sqe(3), on.pair.ours.release());
  CHECK(results(on.at.poll()) == Results{{2, 1}, {1, -ECANCELED}, {3, 0}});
  CHECK(on.pair.peer.receive(1).empty());
}

TEST_CASE("a close under an operation closes; the operation waits until it is called off", "[epoll]") {
  Receiving on;
  const int fd = on.pair.ours.release();
  uring::prep_close(on.at.sqe(2), fd);
  CHECK(results(on.at.poll()) == Results{{2, 0}});
  CHECK(on.peer_sees_end());

  // The number is used again: what comes there is not the old operation's.
  Connected next;
  REQUIRE(::dup2(next.ours.fd(), fd) == fd);
  uring::prep_recv_multishot(on.at.sqe(5), fd, 0, false);
  next.peer.send("new");
  const auto done = on.at.wait(1);
  CHECK(done.at(0).user_data == 5);
  uring::prep_cancel_fd(on.at.sqe(3), fd);
  CHECK(results(on.at.poll()) == Results{{3, 1}, {5, -ECANCELED}});
  uring::prep_cancel(on.at.sqe(4), 1);
  CHECK(results(on.at.poll()) == Results{{4, 0}, {1, -ECANCELED}});
  ::close(fd);
}

TEST_CASE("a close of what is not open answers EBADF, and so does a cancel", "[epoll]") {
  Bench at;
  uring::prep_close(at.sqe(1), 900);
  uring::prep_cancel_fd(at.sqe(2), 900);
  CHECK(results(at.poll()) == Results{{1, -EBADF}, {2, -EBADF}});
}

TEST_CASE("without a free buffer a receive fails at once, unless it is to poll first", "[epoll]") {
  Bench at;
  const Connected pair;
  at.lend(0, 1, 64);
  ++at.entries.at(0).bid;
  at.entries[0].resv = 0;  // Nothing is lent yet.
  uring::prep_recv_multishot(at.sqe(1), pair.ours.fd(), 0, false);
  CHECK(results(at.poll()) == Results{{1, -ENOBUFS}});
  uring::prep_recv_multishot(at.sqe(2), pair.ours.fd(), 9, false);  // No such group.
  CHECK(results(at.poll()) == Results{{2, -ENOBUFS}});
  uring::prep_recv_multishot(at.sqe(3), pair.ours.fd(), 0, true);
  CHECK(at.poll().empty());
  pair.peer.send("x");
  CHECK(results(at.wait(1)) == Results{{3, -ENOBUFS}});
}

TEST_CASE("a message that waits was copied, pieces and all, and arrives whole", "[epoll]") {
  Receiving on;
  narrow(on.pair);
  std::string text = test::random_bytes(3, 1 << 20);
  std::vector<iovec> pieces{{text.data(), 1}, {text.data() + 1, 699'999}, {text.data() + 700'000, 348'576}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  uring::prep_sendmsg(on.at.sqe(2), on.pair.ours.fd(), message);
  CHECK(on.at.poll().empty());
  pieces.assign(3, {nullptr, 1 << 20});
  message = {};
  std::string received;
  std::vector<Cqe> done;
  while (done.empty()) {
    received += on.pair.peer.take();
    done = on.at.poll();
  }
  CHECK(results(done) == Results{{2, 1 << 20}});
  received += on.pair.peer.receive(text.size() - received.size());
  CHECK((received == text));
}

TEST_CASE("a send under way when the peer resets answers what went, the receive the reset", "[epoll]") {
  Receiving on;
  narrow(on.pair);
  const std::string much(1 << 20, 'x');
  uring::prep_send(on.at.sqe(2), on.pair.ours.fd(), to_bytes(much));
  CHECK(on.at.poll().empty());
  on.pair.peer.reset();
  const auto done = on.at.wait(2);
  REQUIRE(done.size() == 2);
  for (const Cqe& each : done) {
    if (each.user_data == 2) CHECK(each.res > 0);
    if (each.user_data == 1) CHECK((each.res == -ECONNRESET || each.res == 0));  // Who asks first is told.
    CHECK_FALSE(each.more());
  }
}

TEST_CASE("a connect completes when the other side has answered, its name copied", "[epoll]") {
  Bench at;
  Listening listening;
  const Socket client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_storage name{};
  std::memcpy(&name, &listening.name, sizeof listening.name);
  uring::prep_connect(at.sqe(1), client.fd(), name, sizeof listening.name);
  at.enter();
  name = {};
  CHECK(results(at.wait(1)) == Results{{1, 0}});
}

TEST_CASE("a connect nobody answers is called off by user_data", "[epoll]") {
  Bench at;
  Listening full;
  REQUIRE(::listen(full.socket.fd(), 0) == 0);
  std::vector<Socket> callers;
  sockaddr_storage name{};
  std::memcpy(&name, &full.name, sizeof full.name);
  // The backlog takes a few; the first that waits is the one.
  for (std::uint64_t number = 1; number < 20; ++number) {
    callers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    uring::prep_connect(at.sqe(number), callers.back().fd(), name, sizeof full.name);
    if (at.enter(1, 20 * millisecond), at.reap().empty()) {
      uring::prep_cancel(at.sqe(100), number);
      CHECK(results(at.poll()) == Results{{100, 0}, {number, -ECANCELED}});
      return;
    }
  }
  FAIL("every connect was answered");
}

}  // namespace
}  // namespace ringwire::kernel
