// Receiving: one multishot recv fills buffers of the pool until the kernel ends it or we do; where there is a
// credit, after a lap's share of bytes. After it has starved, a single one waits for its turn.
#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/conn/connection.hpp"
#include "lib/uring/prep.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

namespace ringwire::conn {

bool Connection::is_inbound_full() const noexcept {
  const std::size_t limit = shared_.options.inbound_limit;
  return limit != 0 && inbound_.size() >= limit;
}

void Connection::note_room(bool was_full) noexcept {
  if (!was_full || is_inbound_full()) return;
  note_receiving();
  mark_due();  // There is room: receive again.
}

bool Connection::wants_recv() const noexcept {
  if (armed(recv_bit) || eof_) return false;
  // While closing we go on receiving, to see the peer's FIN or reset; the bytes are dropped.
  return state_ == State::open ? !paused_ && !is_inbound_full() : state_ != State::ending;
}

std::uint32_t Connection::credit_of(const uring::BufferPool& pool) const noexcept {
  if (shared_.recv_credit == 0) return 0;
  return std::max(shared_.recv_credit, static_cast<std::uint32_t>(pool.buffer_size()));
}

void Connection::arm_recv(uring::Ring& ring) noexcept {
  RINGWIRE_ASSERT(!armed(recv_bit));
  RINGWIRE_ASSERT(!eof_);
  RINGWIRE_ASSERT(state_ != State::ending);
  RINGWIRE_ASSERT(fd_ >= 0);

  io_uring_sqe& sqe = ring.next_sqe(token(recv_op()));
  const uring::BufferPool& pool = shared_.pools.of(recv_large_);
  if (recv_starved_) {
    uring::prep_recv_when_ready(sqe, fd_, pool.bgid());
  } else {
    uring::prep_recv_multishot(sqe, fd_, pool.bgid(), false, credit_of(pool));
  }
  recv_starved_ = false;
  lend(recv_bit);
}

void Connection::on_recv(const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(armed(recv_bit));

  // The end of a multishot and what it carries are two things: the last completion may bring data.
  if (!done.has_more()) {
    take_back(recv_bit);
    mark_due();
  }
  uring::BufferPool& pool = shared_.pools.of(recv_large_);
  if (done.has_buffer()) pool.take(done.bid());
  if (done.res > 0) {
    RINGWIRE_ASSERT(done.has_buffer());
    base::tally(shared_.metrics.received_bytes, static_cast<std::uint32_t>(done.res));
    take_bytes(done.bid(), static_cast<std::size_t>(done.res));
    if (!done.has_more()) choose_pool(static_cast<std::size_t>(done.res));
    return;
  }
  if (done.has_buffer()) pool.give_back(done.bid());

  switch (-done.res) {
    case 0:
      return note_eof();
    case ENOBUFS:
      // Nothing is lost: the bytes wait in the socket. Where only the large ones are taken, small ones do.
      recv_starved_ = !recv_large_;
      recv_large_ = false;
      if (recv_starved_) base::tally(shared_.metrics.recv_starved);
      return;
    case ECANCELED:  // By `arm_pause`, or by the close.
    case EAGAIN:
    case EINTR:
      return;
    default:
      return fail(base::to_error(done.res));
  }
}

// A reset tells its error once. When a send took it (and, having sent a part, could only answer that part),
// the receive finds the end of the stream: a truncated stream must not pass for a whole one.
void Connection::note_eof() noexcept {
  eof_ = true;
  if (state_ == State::lingering) return fail({});
  eof_doubted_ = sent_short_;
  if (eof_doubted_) return;
  happened_.eof = true;
  mark_news();
}

// A receive has ended: its last completion tells into which buffers the next one goes. Only a credit ends one
// in the middle of a stream; without it a large one would bring megabytes in one lap.
void Connection::choose_pool(std::size_t size) noexcept {
  if (!shared_.pools.has_large() || shared_.recv_credit == 0) return;
  const std::size_t enough = shared_.pools.of(false).buffer_size();
  recv_large_ = recv_large_ ? size > enough : size == enough;
}

void Connection::take_bytes(std::uint16_t bid, std::size_t size) noexcept {
  active_at_ = shared_.now;
  note_receiving();
  // After a reset that a send has met first, what came before it still counts.
  if (!offers_traffic()) return shared_.pools.of(recv_large_).give_back(bid);

  try {
    inbound_.add(shared_.pools, recv_large_, bid, size);
  } catch (const std::bad_alloc&) {
    return fail_without_memory();
  }
  happened_.traffic = true;
  mark_news();
  if (is_inbound_full()) mark_due();  // The flush looks whether the handler made room in the meantime.
}

bool Connection::wants_pause() const noexcept {
  if (state_ != State::open || !armed(recv_bit) || armed(pause_bit)) return false;
  return paused_ || is_inbound_full();
}

void Connection::arm_pause(uring::Ring& ring) noexcept {
  RINGWIRE_ASSERT(armed(recv_bit));
  RINGWIRE_ASSERT(!armed(pause_bit));

  uring::prep_cancel(ring.next_sqe(token(uring::Op::pause)), token(recv_op()).pack());
  lend(pause_bit);
}

void Connection::on_pause(const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(armed(pause_bit));
  // 0: cancelled. ENOENT: the receive had ended by itself. EALREADY: it is ending.
  RINGWIRE_ASSERT(done.res == 0 || done.res == -ENOENT || done.res == -EALREADY, "cancel: {}", done.res);

  take_back(pause_bit);
  mark_due();
}

// What the handler has left is offered once more, too: it may have paused because it could not use it yet.
void Connection::tell_held_back() noexcept {
  const bool resumed = resumed_;
  resumed_ = false;
  if (!resumed || paused_) return;
  if (inbound_.size() > 0) happened_.traffic = true;
  if (happened_.traffic || happened_.eof) mark_news();
}

bool Connection::claim_eof() noexcept {
  if (paused_) {
    happened_.eof = true;
    return false;
  }
  mark_due();  // The flush closes what has both FINs behind it, once the handler knows.
  return true;
}

}  // namespace ringwire::conn
