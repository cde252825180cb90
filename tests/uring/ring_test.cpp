// The ring at work on a scripted kernel: nothing is lost, nothing is counted twice, whatever enter answers.
// The same on the real one: real_test.cpp.
#include "lib/uring/ring.hpp"

#include "lib/uring/prep.hpp"
#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/script_kernel.hpp"

#include <cerrno>
#include <string>
#include <vector>

namespace ringwire::uring {
namespace {

using ringwire::test::contains;
using test::death_of;
using test::ScriptKernel;

// A ring on a scripted kernel, and the descriptor to post to it.
struct RingScript {
  explicit RingScript(unsigned sq_entries = 4, unsigned cq_entries = 8) {
    REQUIRE_FALSE(ring.open(sq_entries, cq_entries, {}));
    fd = ring.fd();
    kernel.enters = 0;
    kernel.waits.clear();
  }

  void write(std::uint32_t slot, Op op = Op::event) { static_cast<void>(ring.next_sqe({op, 0, slot})); }

  // The slots of all that was submitted, in order; taken out.
  std::vector<std::uint32_t> submitted() {
    std::vector<std::uint32_t> slots;
    for (const test::Request& request : kernel.submitted) slots.push_back(request.token().slot);
    kernel.submitted.clear();
    return slots;
  }

  // Posts wakes from `first` on, so many.
  void post_wakes(std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t slot = first; slot < first + count; ++slot) {
      kernel.post(fd, {Op::wake, 0, slot}, static_cast<int>(slot));
    }
  }

  // The slots of one batch.
  std::vector<std::uint32_t> reap() {
    std::vector<std::uint32_t> slots;
    for (const Completion& done : ring.reap()) slots.push_back(done.token.slot);
    return slots;
  }

  ScriptKernel kernel;
  Ring ring{kernel};
  int fd = -1;
};

std::vector<std::uint32_t> range(std::uint32_t first, std::uint32_t count) {
  std::vector<std::uint32_t> numbers(count);
  for (std::uint32_t index = 0; index < count; ++index) numbers[index] = first + index;
  return numbers;
}

TEST_CASE("an SQE is cleared and carries its token") {
  RingScript at;
  for (int round = 0; round < 8; ++round) {  // Twice round the queue: each place is used again.
    io_uring_sqe& sqe = at.ring.next_sqe({Op::send, 5, 6});
    CHECK(Token::unpack(sqe.user_data) == Token{Op::send, 5, 6});
    CHECK(sqe.opcode == 0);
    CHECK(sqe.fd == 0);
    CHECK(sqe.flags == 0);
    CHECK(sqe.addr == 0);
    sqe.opcode = IORING_OP_SEND;
    sqe.fd = 99;
    sqe.flags = IOSQE_IO_HARDLINK;
    sqe.addr = 1;
    at.ring.submit_and_wait(0, 0);
  }
}

TEST_CASE("everything written goes out in one enter, in order") {
  RingScript at;
  for (std::uint32_t slot = 0; slot < 4; ++slot) at.write(slot);
  CHECK(at.ring.unsubmitted() == 4);
  CHECK(at.kernel.submitted.empty());
  at.ring.submit_and_wait(0, 0);
  CHECK(at.kernel.enters == 1);
  CHECK(at.submitted() == range(0, 4));
  CHECK(at.ring.unsubmitted() == 0);
}

TEST_CASE("order is kept when the submission queue wraps around") {
  RingScript at;
  std::uint32_t next = 0;
  for (const std::uint32_t count : {3U, 3U, 4U, 1U, 4U, 2U}) {
    for (std::uint32_t index = 0; index < count; ++index) at.write(next + index);
    at.ring.submit_and_wait(0, 0);
    CHECK(at.submitted() == range(next, count));
    next += count;
  }
}

TEST_CASE("making room costs an enter only when the queue is full") {
  RingScript at;
  for (std::uint32_t slot = 0; slot < 4; ++slot) {
    CHECK(at.ring.make_room(1));
    at.write(slot);
  }
  CHECK(at.kernel.enters == 0);
  CHECK(at.ring.make_room(1));
  CHECK(at.kernel.enters == 1);
  CHECK(at.kernel.waits.empty());  // It never waits.
  CHECK(at.submitted() == range(0, 4));
}

TEST_CASE("a pair that does not fit any more goes out together, after the rest") {
  RingScript at;
  for (std::uint32_t slot = 0; slot < 3; ++slot) at.write(slot);
  CHECK(at.ring.make_room(2));
  CHECK(at.submitted() == range(0, 3));
  at.write(3);
  at.write(4);
  at.ring.submit_and_wait(0, 0);
  CHECK(at.submitted() == range(3, 2));
}

TEST_CASE("no room is no room while the kernel refuses, and nothing is lost") {
  for (const int refusal : {-EBUSY, -EAGAIN, -ENOMEM, -EINTR}) {
    INFO("refusal " << refusal);
    RingScript at;
    for (std::uint32_t slot = 0; slot < 4; ++slot) at.write(slot);
    at.kernel.enter_results = {refusal, refusal};
    CHECK_FALSE(at.ring.make_room(1));
    CHECK_FALSE(at.ring.make_room(2));
    CHECK(at.ring.unsubmitted() == 4);
    CHECK(at.ring.in_flight() == 4);
    CHECK(at.ring.make_room(1));
    CHECK(at.submitted() == range(0, 4));
  }
}

TEST_CASE("the normal ends of a wait lose no request") {
  for (const int result : {-ETIME, -EINTR, -EBUSY, -EAGAIN, -ENOMEM}) {
    INFO("result " << result);
    RingScript at;
    at.write(1);
    at.write(2);
    at.kernel.enter_results = {result};
    at.ring.submit_and_wait(1, 5);
    CHECK(at.ring.unsubmitted() == 2);
    at.write(3);
    at.ring.submit_and_wait(0, 0);
    CHECK(at.submitted() == range(1, 3));
    CHECK(at.ring.in_flight() == 3);
  }
}

TEST_CASE("completions are reaped also when the enter that brought them failed") {
  RingScript at;
  at.post_wakes(0, 3);
  at.kernel.enter_results = {-EBUSY};
  at.ring.submit_and_wait(1, 5);
  CHECK(at.reap() == range(0, 3));
}

TEST_CASE("an enter that fails in a way nobody foresaw is a bug") {
  CHECK_THAT(death_of([] {
               RingScript at;
               at.kernel.enter_results = {-EBADF};
               at.ring.submit_and_wait(1, 5);
             }),
             contains("io_uring_enter: -9"));
}

TEST_CASE("the timeout of a wait is passed on as it is") {
  RingScript at;
  at.ring.submit_and_wait(1, 12'345);
  at.ring.submit_and_wait(1, kernel::wait_forever);
  CHECK(at.kernel.waits == std::vector<std::int64_t>{12'345, -1});
}

TEST_CASE("completions come in order, also around the end of the queue") {
  RingScript at;
  std::uint32_t next = 0;
  for (const std::uint32_t count : {5U, 6U, 8U, 1U, 7U, 8U}) {
    at.post_wakes(next, count);
    at.ring.submit_and_wait(0, 0);
    CHECK(at.reap() == range(next, count));
    CHECK(at.reap().empty());
    next += count;
  }
}

TEST_CASE("a completion brings result, flags and buffer") {
  RingScript at;
  at.kernel.post(at.fd, {Op::wake, 3, 4}, -17,
                 IORING_CQE_F_BUFFER | IORING_CQE_F_MORE | 0xABCDU << IORING_CQE_BUFFER_SHIFT);
  at.kernel.post(at.fd, {Op::wake, 0, 0}, 18);
  at.ring.submit_and_wait(0, 0);
  const auto batch = at.ring.reap();
  REQUIRE(batch.size() == 2);
  CHECK(batch[0].token == Token{Op::wake, 3, 4});
  CHECK(batch[0].res == -17);
  CHECK(batch[0].has_more());
  CHECK(batch[0].has_buffer());
  CHECK(batch[0].bid() == 0xABCD);
  CHECK(batch[1].res == 18);
  CHECK_FALSE(batch[1].has_more());
  CHECK_FALSE(batch[1].has_buffer());
}

TEST_CASE("more completions than one batch holds come in the next ones") {
  RingScript at{4, 1024};
  at.post_wakes(0, 600);
  at.ring.submit_and_wait(0, 0);
  CHECK(at.reap() == range(0, 256));
  CHECK(at.reap() == range(256, 256));
  CHECK(at.reap() == range(512, 88));
  CHECK(at.reap().empty());
}

TEST_CASE("a batch is a copy: the kernel may write over the queue meanwhile") {
  RingScript at;
  at.post_wakes(0, 8);
  at.ring.submit_and_wait(0, 0);
  const auto batch = at.ring.reap();
  at.post_wakes(100, 8);
  at.ring.submit_and_wait(0, 0);  // Into the same eight entries.
  REQUIRE(batch.size() == 8);
  for (std::uint32_t slot = 0; slot < 8; ++slot) CHECK(batch[slot].token.slot == slot);
  CHECK(at.reap() == range(100, 8));
}

TEST_CASE("what overflows the queue is announced, kept, and comes in order") {
  RingScript at;
  at.post_wakes(0, 10);
  CHECK_FALSE(at.ring.has_overflow());
  at.ring.submit_and_wait(0, 0);
  CHECK(at.ring.has_overflow());
  CHECK(at.reap() == range(0, 8));
  CHECK(at.ring.has_overflow());  // Until the next enter.
  at.ring.submit_and_wait(0, 0);
  CHECK_FALSE(at.ring.has_overflow());
  CHECK(at.reap() == range(8, 2));
}

TEST_CASE("enters, completions and submits over a full queue are counted") {
  RingScript at;
  const RingCounts before = at.ring.counts();
  at.post_wakes(0, 10);
  at.ring.submit_and_wait(0, 0);
  CHECK(at.reap().size() == 8);
  CHECK(at.ring.counts().overflows == before.overflows);
  at.ring.submit_and_wait(0, 0);
  CHECK(at.reap().size() == 2);
  for (std::uint32_t slot = 0; slot < 4; ++slot) at.write(slot);
  CHECK(at.ring.make_room(1));  // Submits, too.
  CHECK(at.ring.counts().enters == before.enters + 3);
  CHECK(at.ring.counts().completions == before.completions + 10);
  CHECK(at.ring.counts().overflows == before.overflows + 1);
}

TEST_CASE("an operation is in flight from being written until its completion is reaped") {
  RingScript at;
  at.write(0);
  CHECK(at.ring.in_flight() == 1);
  at.ring.submit_and_wait(0, 0);
  at.kernel.complete(at.kernel.take(Op::event).value(), 8);
  at.ring.submit_and_wait(0, 0);
  CHECK(at.ring.in_flight() == 1);
  CHECK(at.reap() == range(0, 1));
  CHECK(at.ring.in_flight() == 0);
}

TEST_CASE("a multishot operation is in flight until a completion says it is the last") {
  RingScript at;
  at.write(1, Op::accept);
  at.ring.submit_and_wait(0, 0);
  const test::Request request = at.kernel.take(Op::accept).value();
  for (int fd = 10; fd < 13; ++fd) at.kernel.complete(request, fd, IORING_CQE_F_MORE);
  at.ring.submit_and_wait(0, 0);
  CHECK(at.reap() == std::vector<std::uint32_t>{1, 1, 1});
  CHECK(at.ring.in_flight() == 1);
  at.kernel.complete(request, 13);  // The last one carries a descriptor, too.
  at.ring.submit_and_wait(0, 0);
  CHECK(at.reap() == std::vector<std::uint32_t>{1});
  CHECK(at.ring.in_flight() == 0);
}

TEST_CASE("what other rings post answers no operation of ours") {
  RingScript at;
  at.write(0);
  at.ring.submit_and_wait(0, 0);
  for (const Op op : {Op::wake, Op::handoff, Op::handoff_end}) at.kernel.post(at.fd, {op, 0, 0}, 1);
  at.ring.submit_and_wait(0, 0);
  CHECK(at.reap().size() == 3);
  CHECK(at.ring.in_flight() == 1);
}

TEST_CASE("an operation that completes twice is a bug") {
  CHECK_THAT(death_of([] {
               RingScript at;
               at.write(0);
               at.ring.submit_and_wait(0, 0);
               const test::Request request = at.kernel.take(Op::event).value();
               at.kernel.complete(request, 0);
               at.kernel.complete(request, 0);
               at.ring.submit_and_wait(0, 0);
               static_cast<void>(at.ring.reap());
             }),
             contains("completed twice"));
}

TEST_CASE("a completion without an operation is a bug") {
  CHECK_THAT(death_of([] {
               RingScript at;
               at.kernel.post(at.fd, {Op::none, 0, 0}, 0);
               at.ring.submit_and_wait(0, 0);
               static_cast<void>(at.ring.reap());
             }),
             contains("op != Op::none"));
}

TEST_CASE("an SQE without room, or in the name of another ring, is a bug") {
  CHECK_THAT(death_of([] {
               RingScript at;
               for (std::uint32_t slot = 0; slot < 5; ++slot) at.write(slot);
             }),
             contains("unsubmitted() < ring_.sq.ring_entries"));
  CHECK_THAT(death_of([] { RingScript{}.write(0, Op::handoff); }), contains("!is_foreign(token.op)"));
  CHECK_THAT(death_of([] { RingScript{}.write(0, Op::none); }), contains("token.op != Op::none"));
}

TEST_CASE("closing ends the kernel's ring, once") {
  RingScript at;
  CHECK(at.ring.is_open());
  CHECK(at.kernel.rings_count() == 1);
  at.ring.close();
  at.ring.close();
  CHECK_FALSE(at.ring.is_open());
  CHECK(at.kernel.rings_count() == 0);
}

}  // namespace
}  // namespace ringwire::uring
