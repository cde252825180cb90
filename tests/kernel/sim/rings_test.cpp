// Ring calls: who sleeps and what wakes him, what is taken, and what must never be given.
#include "lib/uring/prep.hpp"
#include "tests/kernel/sim/fixture.hpp"
#include "tests/support/catch.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <vector>

namespace ringwire::kernel::sim {
namespace {

using test::Cqe;
using test::Cqes;
using test::SimFixture;
using test::SimRing;

// A request that completes at once.
void write_plain(SimRing& ring, std::uint64_t user_data) {
  uring::prep_cancel(ring.sqe(user_data), 12345);
}

std::vector<std::uint64_t> user_data_of(const Cqes& cqes) {
  std::vector<std::uint64_t> all;
  for (const Cqe& cqe : cqes) all.push_back(cqe.user_data);
  return all;
}

TEST_CASE("a loop that waits for nothing does not sleep", "[rings]") {
  SimFixture at;
  CHECK(at.ring.enter() == 0);
  CHECK(at.kernel.is_awake(at.ring.ring.ring_fd));
}

TEST_CASE("a loop that waits sleeps until a completion comes", "[rings]") {
  SimFixture at;
  const int fd = at.ring.ring.ring_fd;
  CHECK(at.ring.enter(1, wait_forever) == -EINTR);
  CHECK_FALSE(at.kernel.is_awake(fd));
  CHECK(at.kernel.next_timeout() == UINT64_MAX);
  CHECK(at.kernel.wake_ring(fd, 5) == 0);
  CHECK(at.kernel.is_awake(fd));
  CHECK(at.kernel.unreaped(fd) == 1);
  CHECK(at.ring.enter(1, wait_forever) == 0);  // It is there already.
  CHECK(at.ring.reap() == Cqes{{5, 0}});
}

TEST_CASE("a loop that waits wakes when its time is up", "[rings]") {
  SimFixture at;
  const Nanoseconds begin = at.kernel.now();
  CHECK(at.ring.enter(1, 500) == -EINTR);
  CHECK(at.kernel.next_timeout() == begin + 500);
  at.kernel.set_time(begin + 499);
  CHECK_FALSE(at.kernel.is_awake(at.ring.ring.ring_fd));
  at.kernel.set_time(begin + 500);
  CHECK(at.kernel.is_awake(at.ring.ring.ring_fd));
}

TEST_CASE("a loop that submits and waits is told how much was taken, and sleeps all the same", "[rings]") {
  SimFixture at;
  uring::prep_accept_multishot(at.ring.sqe(1), at.listener);
  CHECK(at.ring.enter(1, wait_forever) == 1);
  CHECK_FALSE(at.kernel.is_awake(at.ring.ring.ring_fd));
}

TEST_CASE("a partial submit does not sleep", "[rings]") {
  SimFixture at;
  std::array<std::byte, 8> target{};
  for (unsigned count = 0; count < 3; ++count) {
    const int fd = at.kernel.open_event();
    uring::prep_read(at.ring.sqe(count), fd, target);
  }
  at.always(Fault::submit_partly);
  CHECK(at.ring.enter(1, wait_forever) == 1);
  CHECK(at.kernel.is_awake(at.ring.ring.ring_fd));
  CHECK(at.ring.unsubmitted() == 2);
  at.always(Fault::submit_partly, false);
  CHECK(at.ring.enter(1, wait_forever) == 2);
  CHECK_FALSE(at.kernel.is_awake(at.ring.ring.ring_fd));
}

TEST_CASE("a partial submit never parts a chain", "[rings]") {
  SimFixture at;
  const int fd = at.accept();
  io_uring_sqe& cancel = at.ring.sqe(1);
  uring::prep_cancel_fd(cancel, fd);
  uring::link_hard(cancel);
  uring::prep_close(at.ring.sqe(2), fd);
  write_plain(at.ring, 3);
  at.always(Fault::submit_partly);
  CHECK(at.ring.enter() == 2);
  CHECK(user_data_of(at.ring.reap()) == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("a busy or interrupted enter takes nothing, and the requests stay", "[rings]") {
  struct Case {
    Fault fault;
    std::uint32_t answer;
    int error;
  };
  for (const Case& each : {Case{Fault::enter_interrupted, 0, -EINTR}, Case{Fault::enter_busy, 0, -EBUSY},
                           Case{Fault::enter_busy, 1, -EAGAIN}, Case{Fault::enter_busy, 2, -ENOMEM}}) {
    SimFixture at;
    write_plain(at.ring, 1);
    at.always(each.fault);
    at.choices.answer = each.answer;
    CHECK(at.ring.enter(1, wait_forever) == each.error);
    CHECK(at.ring.unsubmitted() == 1);
    CHECK(at.kernel.is_awake(at.ring.ring.ring_fd));
    at.always(each.fault, false);
    CHECK(at.ring.enter() == 1);
    CHECK(at.ring.reap().size() == 1);
  }
}

TEST_CASE("completions beyond the queue are kept, and come in order as room appears", "[rings]") {
  SimFixture at{8, 8};
  for (std::uint64_t number = 0; number < 20; ++number) {
    CHECK(at.kernel.wake_ring(at.ring.ring.ring_fd, number) == 0);
  }
  CHECK((*at.ring.ring.sq.kflags & IORING_SQ_CQ_OVERFLOW) != 0);
  CHECK(at.kernel.unreaped(at.ring.ring.ring_fd) == 20);
  std::vector<std::uint64_t> seen;
  for (unsigned count = 0; count < 3; ++count) {
    for (const Cqe& cqe : at.ring.reap()) seen.push_back(cqe.user_data);
    at.ring.enter();
  }
  for (std::uint64_t number = 0; number < 20; ++number) CHECK(seen.at(number) == number);
  CHECK((*at.ring.ring.sq.kflags & IORING_SQ_CQ_OVERFLOW) == 0);
}

TEST_CASE("a wake needs a ring, and a kernel that has wakes", "[rings]") {
  SimFixture at;
  CHECK(at.kernel.wake_ring(999, 1) == -EBADF);
  at.kernel.set_ring_features(0, false);
  CHECK(at.kernel.wake_ring(at.ring.ring.ring_fd, 1) == -EINVAL);
  CHECK(at.ring.reap().empty());
}

TEST_CASE("a ring shows the features it is told to have", "[rings]") {
  SimFixture at;
  at.kernel.set_ring_features(1U << 17, true);
  io_uring ring{};
  io_uring_params params{};
  REQUIRE(at.kernel.open_ring(ring, 4, params) == 0);
  CHECK(params.features == (1U << 17 | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG));
  at.kernel.close_ring(ring);
}

TEST_CASE("a buffer that is lent while it is lent is a violation", "[rings]") {
  SimFixture at;
  at.ring.enter();
  CHECK(at.kernel.violation().empty());
  at.ring.give_back(2);
  at.ring.enter();
  CHECK(at.kernel.violation() == "5 buffers in a ring of 4: one was given back twice");
}

TEST_CASE("a buffer that came back may be lent again", "[rings]") {
  SimFixture at;
  const int fd = at.accept();
  uring::prep_recv_multishot(at.ring.sqe(1), fd, 0, false);
  at.ring.enter();
  for (unsigned count = 0; count < 10; ++count) {
    at.send("x");
    at.attempt_all();
    const Cqes cqes = at.ring.reap();
    REQUIRE(cqes.size() == 1);
    at.ring.give_back(static_cast<std::uint16_t>(cqes[0].flags >> IORING_CQE_BUFFER_SHIFT));
    at.ring.enter();
  }
  CHECK(at.kernel.violation().empty());
}

TEST_CASE("announcing more requests than were written is a violation, and so is an open chain", "[rings]") {
  SimFixture announced;
  CHECK(announced.kernel.enter(announced.ring.ring, 1, 0, 0, 0) == 0);
  CHECK(announced.kernel.violation() == "1 SQEs announced, 0 written");

  SimFixture open;
  io_uring_sqe& last = open.ring.sqe(1);
  uring::prep_cancel(last, 12345);
  uring::link_hard(last);
  open.ring.enter();
  CHECK(open.kernel.violation() == "a link with nothing behind it");
}

TEST_CASE("the first violation is the one that is told", "[rings]") {
  SimFixture at;
  at.ring.give_back(0);
  at.ring.enter();
  at.kernel.enter(at.ring.ring, 1, 0, 0, 0);
  CHECK(at.kernel.violation().starts_with("5 buffers"));
}

TEST_CASE("closing a ring ends what was armed on it, without an answer, and frees its descriptor",
          "[rings]") {
  SimFixture at;
  const std::size_t descriptors = at.kernel.files().count();
  {
    SimRing other{at.kernel};
    other.lend_all();
    uring::prep_accept_multishot(other.sqe(1), at.listener);
    other.enter();
    CHECK(at.kernel.operations_count() == 1);
    CHECK(at.kernel.rings_count() == 2);
  }
  CHECK(at.kernel.operations_count() == 0);
  CHECK(at.kernel.rings_count() == 1);
  CHECK(at.kernel.files().count() == descriptors);
}

TEST_CASE("a ring needs a descriptor, and leaves none behind when it is refused", "[rings]") {
  SimFixture at;
  const std::size_t descriptors = at.kernel.files().count();
  CHECK(SimRing{at.kernel, 8, 4}.result == -EINVAL);
  at.kernel.fail_call(0, false);
  CHECK(SimRing{at.kernel}.result == -ENOMEM);
  at.kernel.files().set_limit(3);
  CHECK(SimRing{at.kernel}.result == -EMFILE);
  CHECK(at.kernel.files().count() == descriptors);
  CHECK(at.kernel.rings_count() == 1);
}

TEST_CASE("a ring that has ended holds nobody up: it counts as awake", "[rings]") {
  SimFixture at;
  CHECK(at.kernel.is_awake(999));
}

TEST_CASE("what the ring may register is known: buffers once, its descriptor, locks; nothing else",
          "[rings]") {
  SimFixture at;
  const auto ask = [&](unsigned opcode, void* argument = nullptr) {
    return at.kernel.register_ring(at.ring.ring, opcode, argument, 1);
  };
  CHECK(ask(IORING_REGISTER_RING_FDS) == 0);
  CHECK(ask(IORING_REGISTER_RESTRICTIONS) == 0);
  CHECK(ask(IORING_REGISTER_ENABLE_RINGS) == 0);
  CHECK(ask(IORING_REGISTER_PROBE) == -EINVAL);
  io_uring_buf_reg group{};
  group.ring_addr = 64;
  group.ring_entries = 4;
  CHECK(ask(IORING_REGISTER_PBUF_RING, &group) == -EEXIST);
}

}  // namespace
}  // namespace ringwire::kernel::sim
