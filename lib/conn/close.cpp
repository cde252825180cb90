// Closing in three steps: decide, wait until nothing is lent, release.
//
// Without loss means: our last byte and FIN go out first, and the peer's FIN is awaited, because closing a
// socket with unread bytes makes the kernel reset it and throw away what the peer has not yet got.
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/duration.hpp"
#include "lib/base/error.hpp"
#include "lib/conn/connection.hpp"
#include "lib/net/socket.hpp"
#include "lib/uring/prep.hpp"

#include <cerrno>
#include <utility>

namespace ringwire::conn {

// ---- decide

void Connection::begin_close(std::error_code reason) noexcept {
  closed_by_us_ = true;  // Also when the network was first: nothing more is offered.
  if (state_ != State::open) return;

  // After `shutdown_write` our FIN may be out already: then only the peer's is missing.
  state_ = fin_sent_ ? State::lingering : State::flushing;
  reason_ = Reason{reason};
  fin_wanted_ = true;
  if (fin_sent_ && eof_) return fail(reason);
  const auto timeout = rare_ != nullptr ? rare_->close_timeout.value_or(shared_.options.close_timeout)
                                        : shared_.options.close_timeout;
  if (timeout.count() == 0) return abandon(reason);  // By `set_linger`: nothing is waited for.
  milestone_ = shared_.now + base::to_nanoseconds(timeout);
  mark_due();
}

void Connection::fail(std::error_code reason) noexcept {
  if (state_ == State::ending) return;

  if (state_ == State::open) reason_ = Reason{reason};
  // Whoever decided to close has given the reason; but bytes that will never leave are worth another one.
  const bool reason_is_calm = !this->reason() || this->reason() == Error::end_of_stream;
  if (state_ == State::flushing && !outbound_.empty() && reason_is_calm && reason) reason_ = Reason{reason};
  state_ = State::ending;
  milestone_ = 0;
  mark_due();
}

void Connection::fail_without_memory() noexcept {
  closed_by_us_ = true;  // Bytes are missing: what comes behind them must not be offered.
  fail(std::make_error_code(std::errc::not_enough_memory));
}

void Connection::abandon(std::error_code reason) noexcept {
  closed_by_us_ = true;
  if (state_ == State::ending) return;

  // The close that follows sends RST instead of FIN. Not once our FIN is out: a reset would overtake bytes
  // under way. It can only fail when the peer has reset us already.
  if (state_ != State::lingering) static_cast<void>(net::set_reset_on_close(shared_.kernel, fd_));
  fail(reason);
}

bool Connection::wants_fin() const noexcept {
  return fin_wanted_ && !fin_sent_ && state_ != State::ending && outbound_.empty() && !armed(send_bit);
}

void Connection::send_fin() noexcept {
  RINGWIRE_ASSERT(outbound_.empty());
  RINGWIRE_ASSERT(!fin_sent_);

  fin_sent_ = true;
  const int result = shared_.kernel.shutdown(fd_, SHUT_WR);
  if (result < 0) return fail(base::to_error(result));  // ENOTCONN: the peer reset the connection.
  if (state_ == State::flushing) {
    state_ = State::lingering;
    if (eof_) fail({});  // The peer's came before ours.
  }
}

void Connection::end_if_both_ended() noexcept {
  // Not before the handler knows: a pause may hold the peer's back, and the bytes before it.
  if (state_ == State::open && fin_sent_ && eof_ && !happened_.eof) begin_close(Error::end_of_stream);
}

// ---- wait until nothing is lent

bool Connection::wants_close() const noexcept {
  return state_ == State::ending && fd_ >= 0 && !armed(close_bit);
}

void Connection::arm_close(uring::Ring& ring) noexcept {
  RINGWIRE_ASSERT(state_ == State::ending);
  RINGWIRE_ASSERT(!armed(close_bit));
  RINGWIRE_ASSERT(!armed(cancel_bit));
  RINGWIRE_ASSERT(fd_ >= 0);

  // A descriptor closed under an armed operation sends no FIN: the operation keeps the socket. Hard-linked,
  // because a cancel that finds nothing answers ENOENT and would break a soft link.
  if (armed(recv_bit | send_bit)) {
    io_uring_sqe& cancel = ring.next_sqe(token(uring::Op::cancel));
    uring::prep_cancel_fd(cancel, fd_);
    uring::link_hard(cancel);
    lend(cancel_bit);
  }
  uring::prep_close(ring.next_sqe(token(uring::Op::close)), fd_);
  lend(close_bit);
}

void Connection::on_cancel(const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(armed(cancel_bit));
  RINGWIRE_ASSERT(done.res >= 0 || done.res == -ENOENT || done.res == -EALREADY, "cancel: {}", done.res);

  take_back(cancel_bit);
  mark_due();
}

void Connection::on_close(const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(armed(close_bit));
  RINGWIRE_ASSERT(done.res != -EBADF, "descriptor {} was closed by somebody else", fd_);

  take_back(close_bit);
  mark_due();
  // Cancelled before it began: the descriptor is still open, and the flush tries again. Whatever else it
  // says, it is gone.
  if (done.res == -ECANCELED) return;
  fd_ = -1;
}

}  // namespace ringwire::conn
