// In and out of a ring over epoll: counts, waits, queues that are full.
#include "lib/kernel/epoll/ring.hpp"

#include "tests/kernel/epoll/bench.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/process.hpp"

#include <sys/eventfd.h>

#include <csignal>
#include <thread>

namespace ringwire::kernel {
namespace {

void add_nops(Bench& at, std::uint64_t count) {
  for (std::uint64_t number = 0; number < count; ++number) at.sqe(number).opcode = IORING_OP_NOP;
}

TEST_CASE("enter answers how many requests it took, and takes no more than it is told to", "[epoll]") {
  Bench at;
  add_nops(at, 5);
  CHECK(at.kernel.enter(at.ring, 2, 0, 0, 0) == 2);
  CHECK(at.reap().size() == 2);
  CHECK(at.kernel.enter(at.ring, 100, 0, 0, 0) == 3);
  CHECK(at.reap().size() == 3);
  CHECK(at.kernel.enter(at.ring, 1, 0, 0, 0) == 0);
}

TEST_CASE("each step of a lockdown is granted, and restricts nothing", "[epoll]") {
  Bench at{64, 256, IORING_SETUP_R_DISABLED};
  io_uring_restriction only_close{};
  only_close.opcode = IORING_RESTRICTION_SQE_OP;
  only_close.sqe_op = IORING_OP_CLOSE;
  CHECK(at.kernel.register_ring(at.ring, IORING_REGISTER_RESTRICTIONS, &only_close, 1) == 0);
  CHECK(at.kernel.register_ring(at.ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) == 0);
  add_nops(at, 1);
  CHECK(at.wait(1).at(0).res == 0);
}

TEST_CASE("a wait ends at its timeout with ETIME, not before", "[epoll]") {
  Bench at;
  const Nanoseconds before = at.kernel.now();
  CHECK(at.enter(1, 3 * millisecond) == -ETIME);
  CHECK(at.kernel.now() - before >= Nanoseconds{3 * millisecond});
  CHECK(at.enter(1, 0) == -ETIME);
  CHECK(at.enter(0, wait_forever) == 0);  // Waits for nothing.
}

TEST_CASE("what is there already ends the wait, also when there is less room than is waited for", "[epoll]") {
  Bench at{4, 8};
  add_nops(at, 4);
  CHECK(at.enter(1, wait_forever) == 4);
  add_nops(at, 4);
  CHECK(at.enter(100, wait_forever) == 4);
  CHECK(at.reap().size() == 8);
}

TEST_CASE("a timeout after requests were taken answers their number", "[epoll]") {
  Bench at;
  const Connected pair;
  at.lend(0, 4, 64);
  uring::prep_recv_multishot(at.sqe(1), pair.ours.fd(), 0, false);
  CHECK(at.enter(1, millisecond) == 1);
  CHECK(at.reap().empty());
}

TEST_CASE("a signal ends a wait with EINTR", "[epoll]") {
  Bench at;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {};
  ::sigaction(SIGUSR1, &action, &before);
  const pthread_t waiting = ::pthread_self();
  std::atomic<bool> ended{false};
  std::thread other{[&] {
    while (!ended) ::pthread_kill(waiting, SIGUSR1);
  }};
  CHECK(at.enter(1, wait_forever) == -EINTR);
  ended = true;
  other.join();
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE("completions beyond a full queue wait behind it, and none is lost", "[epoll]") {
  Bench at{16, 16};
  for (int round = 0; round < 3; ++round) {
    add_nops(at, 16);
    CHECK(at.enter() == 16);
  }
  CHECK((*at.ring.sq.kflags & IORING_SQ_CQ_OVERFLOW) != 0);
  for (int round = 0; round < 3; ++round) {
    const auto some = at.poll();
    REQUIRE(some.size() == 16);
    for (std::uint64_t number = 0; number < 16; ++number) CHECK(some[number].user_data == number);
  }
  CHECK(at.poll().empty());
  CHECK((*at.ring.sq.kflags & IORING_SQ_CQ_OVERFLOW) == 0);
}

TEST_CASE("an event on a descriptor nobody waits for ends no wait", "[epoll]") {
  Bench at;
  const Connected pair;
  at.lend(0, 4, 64);
  uring::prep_recv_multishot(at.sqe(1), pair.ours.fd(), 0, false);
  at.enter();
  uring::prep_cancel(at.sqe(2), 1);
  CHECK(at.wait(2).size() == 2);
  pair.peer.send("nobody listens");
  const Nanoseconds before = at.kernel.now();
  CHECK(at.enter(1, 5 * millisecond) == -ETIME);
  CHECK(at.kernel.now() - before >= Nanoseconds{5 * millisecond});
}

TEST_CASE("waiting costs no CPU, with bytes unread and an accept called off", "[epoll]") {
  Bench at;
  const Connected pair;
  Listening busy;
  at.lend(0, 2, 64);
  uring::prep_accept_multishot(at.sqe(1), busy.socket.fd());
  uring::prep_recv_multishot(at.sqe(2), pair.ours.fd(), 0, false);
  at.enter();
  uring::prep_cancel_all(at.sqe(3));
  CHECK(at.wait(3).size() == 3);
  const Socket waiting = busy.caller();
  pair.peer.send("unread");
  const auto before = test::cpu_time();
  CHECK(at.enter(1, 300 * millisecond) == -ETIME);
  CHECK(test::cpu_time() - before < std::chrono::milliseconds{test::sanitized ? 150 : 30});
}

TEST_CASE("flags of a setup that works otherwise are refused, those that ask for less work granted",
          "[epoll]") {
  Epoll kernel;
  io_uring ring{};
  io_uring_params params{};
  for (const unsigned flag : {IORING_SETUP_SQPOLL, IORING_SETUP_IOPOLL, IORING_SETUP_CQE32}) {
    params.flags = flag;
    CHECK(kernel.open_ring(ring, 4, params) == -EINVAL);
  }
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL;
  REQUIRE(kernel.open_ring(ring, 4, params) == 0);
  CHECK((params.features & IORING_FEAT_NODROP) != 0);
  kernel.close_ring(ring);
}

TEST_CASE("a ring leaves no descriptor behind, nor does one that could not be opened", "[epoll]") {
  const std::size_t before = test::open_descriptors();
  {
    const Bench at;
    CHECK(test::open_descriptors() == before + 2);
  }
  CHECK(test::open_descriptors() == before);
  Epoll kernel;
  io_uring ring{};
  io_uring_params params{};
  CHECK(kernel.open_ring(ring, 0, params) == -EINVAL);
  CHECK(test::open_descriptors() == before);
}

TEST_CASE("buffers are registered once, taken away once, and other registrations are unknown", "[epoll]") {
  Bench at;
  at.lend(3, 4, 64);
  io_uring_buf_reg request{};
  request.ring_addr = uring::to_u64(at.entries.data());
  request.ring_entries = 4;
  request.bgid = 3;
  const auto ask = [&](unsigned opcode) { return at.kernel.register_ring(at.ring, opcode, &request, 1); };
  CHECK(ask(IORING_REGISTER_PBUF_RING) == -EEXIST);
  CHECK(ask(IORING_UNREGISTER_PBUF_RING) == 0);
  CHECK(ask(IORING_UNREGISTER_PBUF_RING) == -EINVAL);
  CHECK(ask(IORING_REGISTER_PBUF_RING) == 0);
  CHECK(ask(IORING_REGISTER_FILES) == -EINVAL);
  CHECK(ask(200) == -EINVAL);
  CHECK(at.kernel.register_ring(at.ring, IORING_REGISTER_PBUF_RING, nullptr, 1) == -EINVAL);
  CHECK(at.kernel.register_ring(at.ring, IORING_REGISTER_RING_FDS, nullptr, 0) == 0);
}

}  // namespace
}  // namespace ringwire::kernel
