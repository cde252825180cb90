// Connections opened from our side.
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/loop/loop.hpp"
#include "lib/net/address.hpp"
#include "lib/uring/prep.hpp"

#include <netinet/in.h>

#include <cerrno>
#include <new>
#include <utility>

namespace ringwire::loop {

void Loop::dial(const Address& address, Done done) {
  const auto answer = [&](std::error_code error) {
    if (done) guard("a connect callback", [&] { done(error); });
  };
  if (stopping_) return answer(Error::engine_stopped);

  const kernel::SocketName name = net::to_name(address);
  const bool is_tcp = address.family != Address::Family::unix_socket;
  const int fd = with_.kernel.open_socket(name.storage.ss_family, SOCK_STREAM, is_tcp ? IPPROTO_TCP : 0);
  if (fd < 0) return answer(base::to_error(fd));

  Dialing* dialing = nullptr;
  try {
    if (dialing_.size() < dialing_.max()) dialing = dialing_.acquire(fd, name, std::move(done));
  } catch (const std::bad_alloc&) {
    // Answered below: `acquire` throws before it takes `done`.
  }
  if (dialing == nullptr) {
    with_.kernel.close(fd);
    return answer(std::make_error_code(std::errc::resource_unavailable_try_again));
  }
  dial_due_ = true;
}

void Loop::flush_dialing() noexcept {
  if (!dial_due_) return;
  dial_due_ = false;
  dialing_.for_each([this](Dialing& dialing) {
    const uring::Token token{uring::Op::connect, dialing.generation, dialing.slot};
    const bool wants_connect = !dialing.armed;
    const bool wants_cancel = stopping_ && !dialing.cancel_armed;
    if (!wants_connect && !wants_cancel) return;
    if (!make_room(2)) {
      dial_due_ = true;
      return;
    }
    // One that found no room before the stop goes out with its cancel behind it: it has a callback to answer.
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

  RINGWIRE_ASSERT(!done.has_more());
  const int fd = dialing->fd;
  const bool is_tcp = dialing->name.storage.ss_family != AF_UNIX;
  Done told = std::move(dialing->done);
  dialing_.release(done.token.slot);

  std::error_code error = base::to_error(done.res);
  if (done.res == -ECANCELED) error = Error::engine_stopped;
  if (error) {
    with_.kernel.close(fd);
  } else if (adopt(fd, conn::Origin::connected, {.is_tcp = is_tcp}) == nullptr) {
    error = std::make_error_code(std::errc::resource_unavailable_try_again);
  }
  if (told) guard("a connect callback", [&] { told(error); });
}

void Loop::on_connect_cancel(const uring::Completion& done) noexcept {
  // The connect answers for itself, and may have been released before.
  RINGWIRE_ASSERT(done.res == 0 || done.res == -ENOENT || done.res == -EALREADY, "cancel: {}", done.res);
}

}  // namespace ringwire::loop
