// Accepting: re-armed after each end, paused when there is nothing to accept with.
#include "lib/loop/acceptor.hpp"

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/uring/prep.hpp"

#include <cerrno>
#include <utility>

namespace ringwire::loop {

bool Acceptor::wants_accept(kernel::Nanoseconds now) const noexcept {
  return !accept_armed_ && !closing_ && !broken_ && waiting_fd_ < 0 && pause_.is_over(now);
}

void Acceptor::arm_accept(uring::Ring& ring) noexcept {
  RINGWIRE_ASSERT(!accept_armed_);
  RINGWIRE_ASSERT(!closing_);
  RINGWIRE_ASSERT(fd_ >= 0);

  io_uring_sqe& sqe = ring.next_sqe(token(uring::Op::accept));
  if (manner_.one_by_one) {
    uring::prep_accept(sqe, fd_);
  } else {
    uring::prep_accept_multishot(sqe, fd_);
  }
  accept_armed_ = true;
  pause_.end();
}

int Acceptor::on_accept(const uring::Completion& done, kernel::Nanoseconds now) noexcept {
  RINGWIRE_ASSERT(accept_armed_);

  if (!done.has_more()) accept_armed_ = false;
  if (done.res >= 0) {
    pause_.forget();
    return done.res;
  }

  switch (-done.res) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EACCES:  // A security module's answer, before it looks at the backlog: the same again at once.
    case EPERM:
      // The client stays in the backlog. Trying again at once would spin; trying again late costs it a
      // moment. A listener that closes does not try again, and nobody may wait for it.
      if (closing_) break;
      pause_.begin(now);
      ++pauses_count_;
      log_.debug("accept paused for {} ms: {}", (pause_.until() - now) / 1'000'000,
                 base::to_error(done.res).message());
      break;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
      if (closing_) break;
      broken_ = true;
      log_.error("accept stopped: {}; was the listening socket shut down or closed by other code?",
                 base::to_error(done.res).message());
      break;
    default:  // Of the one connection that was to be accepted (accept(2)), or our own cancel.
      break;
  }
  return -1;
}

void Acceptor::keep_waiting(int fd) noexcept {
  RINGWIRE_ASSERT(waiting_fd_ < 0);
  RINGWIRE_ASSERT(manner_.one_by_one, "descriptor {} of a burst cannot wait", fd);
  waiting_fd_ = fd;
}

int Acceptor::take_waiting() noexcept {
  RINGWIRE_ASSERT(waiting_fd_ >= 0);
  return std::exchange(waiting_fd_, -1);
}

void Acceptor::begin_close() noexcept {
  RINGWIRE_ASSERT(!closing_);
  closing_ = true;
  pause_.end();  // Nobody waits for the end of the pause any more.
}

bool Acceptor::wants_cancel() const noexcept {
  return closing_ && accept_armed_ && !cancelled_;
}

void Acceptor::arm_cancel(uring::Ring& ring) noexcept {
  RINGWIRE_ASSERT(closing_);
  RINGWIRE_ASSERT(accept_armed_);
  RINGWIRE_ASSERT(!cancelled_);

  uring::prep_cancel_fd(ring.next_sqe(token(uring::Op::accept_cancel)), fd_);
  cancel_armed_ = cancelled_ = true;
}

bool Acceptor::wants_look() const noexcept {
  return closing_ && fd_ >= 0 && !accept_armed_ && !cancel_armed_ && looks_left_ > 0;
}

int Acceptor::look(kernel::Kernel& kernel) noexcept {
  RINGWIRE_ASSERT(wants_look());
  --looks_left_;
  const int fd = kernel.accept(fd_);
  if (fd >= 0) return fd;
  // Who has gone meanwhile (ECONNABORTED, and others of accept(2)) is not the last one; these ends are.
  if (fd == -EAGAIN || fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM || fd == -EBADF ||
      fd == -EINVAL || fd == -EPERM || fd == -EACCES || fd == -ENOTSOCK) {
    looks_left_ = 0;
  }
  return -1;
}

bool Acceptor::wants_close() const noexcept {
  return closing_ && fd_ >= 0 && !accept_armed_ && !cancel_armed_ && looks_left_ == 0 && !close_armed_;
}

void Acceptor::arm_close(uring::Ring& ring) noexcept {
  RINGWIRE_ASSERT(closing_);
  RINGWIRE_ASSERT(!accept_armed_);
  RINGWIRE_ASSERT(!close_armed_);

  uring::prep_close(ring.next_sqe(token(uring::Op::accept_close)), fd_);
  close_armed_ = true;
}

void Acceptor::on_cancel(const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(cancel_armed_);
  RINGWIRE_ASSERT(done.res >= 0 || done.res == -ENOENT || done.res == -EALREADY, "cancel: {}", done.res);
  cancel_armed_ = false;
}

void Acceptor::on_close(const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(close_armed_);
  RINGWIRE_ASSERT(done.res != -EBADF, "listener {} was closed by somebody else", fd_);
  close_armed_ = false;
  if (done.res != -ECANCELED) fd_ = -1;  // Else it never began: the next flush tries again.
}

void Acceptor::close_now(kernel::Kernel& kernel) noexcept {
  if (fd_ >= 0) kernel.close(std::exchange(fd_, -1));
}

bool Acceptor::flush(uring::Ring& ring, kernel::Nanoseconds now, bool may_accept) noexcept {
  if (wants_cancel()) {
    if (!ring.make_room(1)) return false;
    arm_cancel(ring);
  } else if (wants_close()) {
    if (!ring.make_room(1)) return false;
    arm_close(ring);
  } else if (wants_accept(now)) {
    pause_.end();  // Nobody wakes for it again, though there may be no room to accept.
    if (!may_accept) return true;
    if (!ring.make_room(1)) return false;
    arm_accept(ring);
  }
  return true;
}

}  // namespace ringwire::loop
