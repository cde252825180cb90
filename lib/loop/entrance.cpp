// Accepted, then let in, kept waiting or refused.
#include "lib/loop/entrance.hpp"

#include "lib/base/assert.hpp"
#include "lib/net/socket.hpp"

#include <algorithm>

namespace ringwire::loop {

void Entrance::add(int fd, bool is_tcp) {
  if (acceptors_.empty() && with_.admission != nullptr) waiter_ = with_.admission->add_waiter(bell_);
  const bool one_by_one = with_.admission != nullptr && with_.admission->limits_all();
  acceptors_.emplace_back(fd, static_cast<std::uint32_t>(acceptors_.size()), with_.log,
                          Manner{.is_tcp = is_tcp, .one_by_one = one_by_one});
}

Entrance::Entered Entrance::on_completion(const uring::Completion& done, kernel::Nanoseconds now) noexcept {
  RINGWIRE_ASSERT(done.token.slot < acceptors_.size(), "listener {} of {}", done.token.slot,
                  acceptors_.size());
  Acceptor& acceptor = acceptors_[done.token.slot];
  if (done.token.op == uring::Op::accept_cancel) {
    acceptor.on_cancel(done);
    return {};
  }
  if (done.token.op == uring::Op::accept_close) {
    acceptor.on_close(done);
    return {};
  }
  const int fd = acceptor.on_accept(done, now);
  return fd < 0 ? Entered{} : let_in(acceptor, fd);
}

Entrance::Entered Entrance::let_in(Acceptor& acceptor, int fd) noexcept {
  Arrival arrival{.is_tcp = acceptor.is_tcp()};
  if (with_.admission == nullptr) return {fd, arrival};

  const Address peer = with_.admission->needs_peer() ? net::remote_address(with_.kernel, fd) : Address{};
  switch (with_.admission->enter(waiter_, peer, closing_, arrival.pass)) {
    case Admission::Verdict::enter:
      return {fd, arrival};
    case Admission::Verdict::wait:
      acceptor.keep_waiting(fd);
      return {};
    case Admission::Verdict::refuse:
      break;
  }
  net::close_with_reset(with_.kernel, fd);
  return {};
}

// The last look. A full engine takes nobody more: they wait in the backlog, for whoever listens next.
Entrance::Entered Entrance::look() noexcept {
  for (Acceptor& acceptor : acceptors_) {
    while (acceptor.wants_look()) {
      const bool is_full =
          with_.admission != nullptr && with_.admission->limits_all() && !with_.admission->has_room(waiter_);
      if (is_full) {
        acceptor.end_look();
        break;
      }
      const int fd = acceptor.look(with_.kernel);
      if (fd < 0) continue;
      if (const Entered entered = let_in(acceptor, fd); entered.fd >= 0) return entered;
    }
  }
  return {};
}

Entrance::Entered Entrance::take_waiting() noexcept {
  for (Acceptor& acceptor : acceptors_) {
    if (!acceptor.has_waiting() || !(closing_ || with_.admission->has_room(waiter_))) continue;
    // Another thread may be quicker: then it waits again.
    if (const Entered entered = let_in(acceptor, acceptor.take_waiting()); entered.fd >= 0) return entered;
  }
  return closing_ ? look() : Entered{};
}

bool Entrance::flush(uring::Ring& ring, kernel::Nanoseconds now) noexcept {
  bool had_room = true;
  for (Acceptor& acceptor : acceptors_) {
    const bool may_accept =
        with_.admission == nullptr || !acceptor.wants_accept(now) || with_.admission->has_room(waiter_);
    if (!acceptor.flush(ring, now, may_accept)) had_room = false;
  }
  return had_room;
}

kernel::Nanoseconds Entrance::first_resume() const noexcept {
  return first_resume_of(acceptors_);
}

std::uint64_t Entrance::pauses_count() const noexcept {
  std::uint64_t count = 0;
  for (const Acceptor& acceptor : acceptors_) count += acceptor.pauses_count();
  return count;
}

void Entrance::begin_close() noexcept {
  RINGWIRE_ASSERT(!closing_);
  closing_ = true;
  if (!acceptors_.empty()) with_.owner.listeners_closing();
  for (Acceptor& acceptor : acceptors_) acceptor.begin_close();
}

bool Entrance::is_closed() const noexcept {
  return std::all_of(acceptors_.begin(), acceptors_.end(), [](const Acceptor& acceptor) {
    return acceptor.is_closed() && !acceptor.has_waiting();
  });
}

void Entrance::close_now() noexcept {
  for (Acceptor& acceptor : acceptors_) {
    if (acceptor.has_waiting()) net::close_with_reset(with_.kernel, acceptor.take_waiting());
    acceptor.close_now(with_.kernel);
  }
}

}  // namespace ringwire::loop
