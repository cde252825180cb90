// Connections opened from our side: one target after another, until one answers or somebody gives up.
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/loop/loop.hpp"
#include "lib/net/address.hpp"
#include "lib/net/tuning.hpp"
#include "lib/uring/prep.hpp"

#include <netinet/in.h>

#include <cerrno>
#include <new>
#include <string_view>
#include <utility>

namespace ringwire::loop {

void Loop::dial(Dial dial) {
  RINGWIRE_ASSERT(!dial.targets.empty());
  if (stopping_) return tell_connected(dial.done, nullptr, Error::engine_stopped);

  Dialing* dialing = nullptr;
  try {
    if (dialing_.size() < dialing_.max()) dialing = dialing_.acquire(std::move(dial));
  } catch (const std::bad_alloc&) {
    // Answered below: `acquire` throws before it takes `dial`.
  }
  if (dialing == nullptr) {
    // NOLINTNEXTLINE(bugprone-use-after-move): not taken.
    return tell_connected(dial.done, nullptr,
                          std::make_error_code(std::errc::resource_unavailable_try_again));
  }
  if (dialing->dial.timeout != 0) wheel_.arm(dialing->timer, shared_.now + dialing->dial.timeout);
  try_next(*dialing, {});
}

// Opens a socket for the next target; when there is none any more, `error` is how it ends.
void Loop::try_next(Dialing& dialing, std::error_code error) noexcept {
  RINGWIRE_ASSERT(dialing.fd < 0);
  RINGWIRE_ASSERT(!dialing.armed);

  while (!dialing.given_up && dialing.next < dialing.dial.targets.size()) {
    dialing.name = net::to_name(dialing.dial.targets[dialing.next++]);
    const int family = dialing.name.storage.ss_family;
    const int fd = with_.kernel.open_socket(family, SOCK_STREAM, family == AF_UNIX ? 0 : IPPROTO_TCP);
    const int result = fd < 0 ? fd : tune(fd, family);
    if (result >= 0) {
      dialing.fd = fd;
      dial_due_ = true;
      return;
    }
    if (fd >= 0) with_.kernel.close(fd);
    error = base::to_error(result);
  }
  end_dial(dialing, nullptr, dialing.given_up ? dialing.given_up : error);
}

// Before it connects: later would be too late for the window.
int Loop::tune(int fd, int family) noexcept {
  std::string_view option;
  return family == AF_UNIX ? net::tune_buffers(with_.kernel, fd, with_.options, option)
                           : net::tune_socket(with_.kernel, fd, with_.options, option);
}

void Loop::end_dial(Dialing& dialing, conn::Connection* connection, std::error_code error) noexcept {
  RINGWIRE_ASSERT(dialing.fd < 0);
  RINGWIRE_ASSERT(!dialing.armed);

  wheel_.cancel(dialing.timer);
  Connected done = std::move(dialing.dial.done);
  dialing_.release(dialing.slot);
  tell_connected(done, connection, error);
}

void Loop::give_up_dial(Dialing& dialing, std::error_code reason) noexcept {
  if (!dialing.given_up) dialing.given_up = reason;
  dial_due_ = true;  // To be cancelled.
}

void Loop::cancel_dial(std::uint64_t id) noexcept {
  // Rare, and there are few: no table is kept for it.
  dialing_.for_each([&](Dialing& dialing) {
    if (dialing.dial.id == id) give_up_dial(dialing, std::make_error_code(std::errc::operation_canceled));
  });
}

void Loop::flush_dialing() noexcept {
  if (!dial_due_) return;
  dial_due_ = false;
  dialing_.for_each([this](Dialing& dialing) {
    const uring::Token token{uring::Op::connect, dialing.generation, dialing.slot};
    const bool wants_connect = !dialing.armed;
    const bool wants_cancel = (stopping_ || dialing.given_up) && !dialing.cancel_armed;
    if (!wants_connect && !wants_cancel) return;
    if (!make_room(2)) {
      dial_due_ = true;
      return;
    }
    // One that found no room before it was given up goes out with its cancel behind it: it has a callback to
    // answer.
    if (wants_connect) {
      uring::prep_connect(ring_.next_sqe(token), dialing.fd, dialing.name.storage, dialing.name.size);
      dialing.armed = true;
    }
    if (wants_cancel) {
      uring::prep_cancel(ring_.next_sqe({uring::Op::connect_cancel, dialing.generation, dialing.slot}),
                         token.pack());
      dialing.cancel_armed = true;
    }
  });
}

void Loop::on_connect(const uring::Completion& done) noexcept {
  Dialing* dialing = dialing_.find(done.token.slot, done.token.generation);
  RINGWIRE_ASSERT(dialing != nullptr);
  RINGWIRE_ASSERT(dialing->armed);
  RINGWIRE_ASSERT(dialing->fd >= 0);
  RINGWIRE_ASSERT(!done.has_more());

  dialing->armed = false;
  const int fd = std::exchange(dialing->fd, -1);
  std::error_code error = base::to_error(done.res);
  if (done.res == -ECANCELED && stopping_) error = Error::engine_stopped;
  // Who cancelled does not want it any more; a time that ran out just then has no such meaning.
  if (!error && dialing->given_up == std::errc::operation_canceled) error = dialing->given_up;
  if (error) {
    with_.kernel.close(fd);
    if (stopping_ && !dialing->given_up) dialing->given_up = error;
    return try_next(*dialing, error);
  }

  const bool is_tcp = dialing->name.storage.ss_family != AF_UNIX;
  conn::Connection* connection = adopt(fd, conn::Origin::connected, {.is_tcp = is_tcp});
  if (connection == nullptr) error = std::make_error_code(std::errc::resource_unavailable_try_again);
  end_dial(*dialing, connection, error);
}

void Loop::on_connect_cancel(const uring::Completion& done) noexcept {
  // The connect answers for itself, and may have been released before.
  RINGWIRE_ASSERT(done.res == 0 || done.res == -ENOENT || done.res == -EALREADY, "cancel: {}", done.res);
}

}  // namespace ringwire::loop
