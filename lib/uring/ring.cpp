// The ring at work: write, submit, wait, reap. How it is set up stands in setup.cpp.
#include "lib/uring/ring.hpp"

#include "lib/base/assert.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ringwire::uring {

void Ring::close() noexcept {
  if (!open_) return;
  kernel_.close_ring(ring_);
  open_ = false;
}

unsigned Ring::unsubmitted() const noexcept {
  return tail_ - io_uring_smp_load_acquire(ring_.sq.khead);
}

bool Ring::find_room(unsigned count) noexcept {
  RINGWIRE_ASSERT(open_);
  RINGWIRE_ASSERT(count > 0);
  RINGWIRE_ASSERT(count <= ring_.sq.ring_entries);

  const auto has_room = [&] {
    seen_head_ = tail_ - unsubmitted();
    return tail_ - seen_head_ + count <= ring_.sq.ring_entries;
  };
  if (has_room()) return true;
  enter(0, 0);
  return has_room();
}

io_uring_sqe& Ring::next_sqe(Token token) noexcept {
  RINGWIRE_ASSERT(open_);
  RINGWIRE_ASSERT(token.op != Op::none);
  RINGWIRE_ASSERT(!is_foreign(token.op));
  RINGWIRE_ASSERT(unsubmitted() < ring_.sq.ring_entries);

  io_uring_sqe& sqe = ring_.sq.sqes[tail_ & ring_.sq.ring_mask];
  ++tail_;
  std::memset(&sqe, 0, sizeof(sqe));
  sqe.user_data = token.pack();
  ++in_flight_;
  return sqe;
}

int Ring::enter(unsigned wait_count, std::int64_t timeout) noexcept {
  io_uring_smp_store_release(ring_.sq.ktail, tail_);
  // What the kernel has not taken is counted from its own head: after EBUSY or a partial submit the rest is
  // still there.
  const int result = kernel_.enter(ring_, unsubmitted(), wait_count, enter_flags_, timeout);
  ++counts_.enters;
  return result;
}

void Ring::submit_and_wait(unsigned wait_count, std::int64_t timeout) noexcept {
  RINGWIRE_ASSERT(open_);

  if (has_overflow()) ++counts_.overflows;
  const int result = enter(wait_count, timeout);
  if (result >= 0) return;

  // All of these end a wait and lose nothing: unsubmitted SQEs stay queued, completions are reaped next, the
  // lap comes round. EBUSY: completions overflowed and must be reaped first. EAGAIN: no memory for a request
  // just now.
  RINGWIRE_ASSERT(
      result == -ETIME || result == -EINTR || result == -EBUSY || result == -EAGAIN || result == -ENOMEM,
      "io_uring_enter: {}", result);
}

std::span<const Completion> Ring::reap() noexcept {
  RINGWIRE_ASSERT(open_);

  const unsigned head = *ring_.cq.khead;
  const unsigned ready = io_uring_smp_load_acquire(ring_.cq.ktail) - head;
  const std::size_t count = std::min<std::size_t>(ready, reap_max);
  for (std::size_t index = 0; index < count; ++index) {
    const io_uring_cqe& cqe = ring_.cq.cqes[(head + index) & ring_.cq.ring_mask];
    Completion& completion = completions_[index];
    completion = {Token::unpack(cqe.user_data), cqe.res, cqe.flags};

    const Op op = completion.token.op;
    RINGWIRE_ASSERT(op != Op::none);
    if (completion.has_more() || is_foreign(op)) continue;
    RINGWIRE_ASSERT(in_flight_ > 0, "op {} completed twice", static_cast<int>(op));
    --in_flight_;
  }
  // Copied, so the entries can be reused while the completions are dispatched.
  io_uring_smp_store_release(ring_.cq.khead, head + static_cast<unsigned>(count));
  counts_.completions += count;
  return {completions_.data(), count};
}

bool Ring::has_overflow() const noexcept {
  return (IO_URING_READ_ONCE(*ring_.sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0;
}

}  // namespace ringwire::uring
