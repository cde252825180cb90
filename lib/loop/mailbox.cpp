// Posting, waking, and telling whether we are at home.
#include "lib/loop/mailbox.hpp"

#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/uring/token.hpp"

#include <cerrno>
#include <utility>

namespace ringwire::loop {
namespace {

thread_local const Mailbox* current = nullptr;

}  // namespace

std::error_code Mailbox::post(Mail&& mail, bool beyond_max) {
  switch (mail_.post(std::move(mail), beyond_max || is_current())) {
    case base::Posted::first:
      if (!is_current()) wake();  // A loop looks for mail before it sleeps.
      return {};
    case base::Posted::queued:
      return {};
    case base::Posted::full:
      return std::make_error_code(std::errc::resource_unavailable_try_again);
    case base::Posted::closed:
      break;
  }
  return Error::closed;
}

void Mailbox::wake() noexcept {
  const std::lock_guard lock{bell_mutex_};
  if (event_fd_ >= 0) {
    kernel_.signal_event(event_fd_);
  } else if (ring_fd_ >= 0) {
    // A wake that is lost is never made up for: the next letter finds one waiting, and does not ring. Any
    // other failure means that the loop's queue is full, so it is awake.
    while (kernel_.wake_ring(ring_fd_, uring::Token{uring::Op::wake}.pack()) == -ENOMEM) {
    }
  }
}

void Mailbox::open(int ring_fd, int event_fd) noexcept {
  const std::lock_guard lock{bell_mutex_};
  ring_fd_ = ring_fd;
  event_fd_ = event_fd;
}

void Mailbox::close(std::vector<Mail>& rest) noexcept {
  {
    const std::lock_guard lock{bell_mutex_};
    ring_fd_ = -1;
    event_fd_ = -1;
  }
  mail_.close(rest);
}

void Mailbox::enter() noexcept {
  RINGWIRE_ASSERT(current == nullptr);
  current = this;
}

void Mailbox::leave() noexcept {
  RINGWIRE_ASSERT(current == this);
  current = nullptr;
}

bool Mailbox::is_current() const noexcept {
  return current == this;
}

}  // namespace ringwire::loop
