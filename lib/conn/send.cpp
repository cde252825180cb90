// Sending: everything written in a lap leaves in one send, and the next waits for it.
#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/conn/connection.hpp"
#include "lib/uring/prep.hpp"

#include <cerrno>

namespace ringwire::conn {
namespace {

std::uint32_t size_of(const msghdr& message) noexcept {
  std::size_t size = 0;
  for (std::size_t index = 0; index < message.msg_iovlen; ++index) size += message.msg_iov[index].iov_len;
  return static_cast<std::uint32_t>(size);  // At most Outbound::pieces_max chunks.
}

}  // namespace

bool Connection::fits(std::size_t size) noexcept {
  const std::size_t limit = shared_.options.outbound_limit;
  if (limit != 0 && outbound_.size() + size > limit) return false;
  return shared_.budget.allows(outbound_.size(), size, shared_.chunks.lent());
}

bool Connection::wants_send() const noexcept {
  if (armed(send_bit) || outbound_.empty()) return false;
  return state_ == State::open || state_ == State::flushing;
}

void Connection::arm_send(uring::Ring& ring) noexcept {
  RINGWIRE_ASSERT(state_ == State::open || state_ == State::flushing);
  RINGWIRE_ASSERT(!armed(send_bit));
  RINGWIRE_ASSERT(!outbound_.empty());
  RINGWIRE_ASSERT(!fin_sent_);
  RINGWIRE_ASSERT(fd_ >= 0);

  const msghdr* message = outbound_.is_single() ? nullptr : outbound_.gather();
  io_uring_sqe& sqe = ring.next_sqe(token(uring::Op::send));
  if (message != nullptr) {
    uring::prep_sendmsg(sqe, fd_, *message);
    send_size_ = size_of(*message);
  } else {
    uring::prep_send(sqe, fd_, outbound_.front());  // All there is, or as much as needs no memory.
    send_size_ = static_cast<std::uint32_t>(outbound_.front().size());
  }
  // A send in full is one completion for all of it, but tells nothing before its end: a slow reader would
  // look idle, or dead.
  send_in_full_ = sends_in_full();
  if (!send_in_full_) uring::allow_short(sqe);
  lend(send_bit);
}

void Connection::on_send(const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(armed(send_bit));
  RINGWIRE_ASSERT(!done.has_more());

  take_back(send_bit);
  mark_due();  // The flush sees what comes next: more to send, our FIN, or at last the close.
  if (done.res < 0) {
    if (done.res == -EINTR || done.res == -EAGAIN || done.res == -ECANCELED) return;
    // We have not sent our FIN while bytes wait, so EPIPE is the peer's reset, already told to the send
    // before.
    return fail(base::to_error(done.res == -EPIPE ? -ECONNRESET : done.res));
  }

  count_sent(static_cast<std::uint32_t>(done.res));
  // A send in full that was short is no failure yet; the rest goes out with the next one, which tells why.
  judge_eof(send_in_full_ && static_cast<std::uint32_t>(done.res) < send_size_);
  active_at_ = shared_.now;
  if (rare_ != nullptr) rare_->taken_at = shared_.now;
  outbound_.consume(shared_.chunks, static_cast<std::size_t>(done.res));
  if (outbound_.has_done()) mark_news();
  if (above_high_mark_ && outbound_.size() <= shared_.options.outbound_low_mark) {
    above_high_mark_ = false;
    if (state_ == State::open) {
      happened_.writable = true;
      mark_news();
    }
  }
}

void Connection::count_sent(std::uint32_t size) noexcept {
  LoopMetrics& metrics = shared_.metrics;
  base::tally(metrics.sends);
  base::tally(metrics.sent_bytes, size);
  if (size < send_size_) base::tally(metrics.short_sends);
}

void Connection::judge_eof(bool sent_short) noexcept {
  sent_short_ = sent_short;
  if (sent_short && happened_.eof) {  // Both came in this lap, in the other order.
    happened_.eof = false;
    eof_doubted_ = true;
  } else if (!sent_short && eof_doubted_) {
    eof_doubted_ = false;
    happened_.eof = true;
    mark_news();
  }
}

bool Connection::claim_writable() noexcept {
  above_high_mark_ = outbound_.size() > shared_.options.outbound_low_mark;
  return !above_high_mark_;
}

}  // namespace ringwire::conn
