// Sending: everything written in a lap leaves in one send, and the next waits for it.
#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/conn/connection.hpp"
#include "lib/uring/prep.hpp"

#include <cerrno>

namespace ringwire::conn {

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
  } else {
    uring::prep_send(sqe, fd_, outbound_.front());  // All there is, or as much as needs no memory.
  }
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

  // A short send is normal under pressure; the rest goes out with the next one.
  active_at_ = shared_.now;
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

}  // namespace ringwire::conn
