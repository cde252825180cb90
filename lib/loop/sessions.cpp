// Remembering peers and forgetting them.
#include "lib/loop/sessions.hpp"

#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/duration.hpp"

#include <bit>
#include <new>
#include <utility>

namespace ringwire::loop {

std::size_t Sessions::Hash::operator()(const PeerKey& key) const noexcept {
  return base::keyed_hash(seed, std::bit_cast<std::array<std::uint64_t, 4>>(key));
}

Sessions::Sessions(kernel::Kernel& kernel, const Options& options, LoopRef loop, Wheel& wheel)
    : options_{options},
      loop_{std::move(loop)},
      wheel_{wheel},
      table_{options.sessions_max},
      slots_{0, Hash{{kernel.random(), kernel.random()}}} {}

Sessions::~Sessions() {
  table_.for_each([this](PeerSession& session) {
    wheel_.cancel(session.timer);
    session.socket().set_session(nullptr);
  });
  while (ended_.pop_front() != nullptr) {
  }
}

PeerSession* Sessions::find(const PeerKey& key) noexcept {
  const auto found = slots_.find(key);
  return found == slots_.end() ? nullptr : table_.at(found->second);
}

PeerSession* Sessions::find(std::uint32_t slot, std::uint32_t generation) noexcept {
  PeerSession* session = table_.find(slot, generation);
  return session == nullptr || session->is_ending() ? nullptr : session;
}

PeerSession* Sessions::open(DatagramSocket& socket, const PeerKey& key, kernel::Nanoseconds now) noexcept {
  try {
    const auto [place, is_new] = slots_.try_emplace(key, 0);
    RINGWIRE_ASSERT(is_new, "a second session with one peer");
    PeerSession* session = nullptr;
    try {
      session = table_.acquire(*this, socket, key);
    } catch (const std::bad_alloc&) {
      // As when the table is full.
    }
    if (session == nullptr) {
      slots_.erase(place);
      return nullptr;
    }
    place->second = session->slot();
    session->timeout_ = base::to_nanoseconds(options_.session_timeout);
    session->touch(now);
    move_timer(*session);
    return session;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void Sessions::on_timer(const SlotTimer& timer, kernel::Nanoseconds now) noexcept {
  PeerSession* session = table_.find(timer.slot, timer.generation);
  RINGWIRE_ASSERT(session != nullptr, "a timer of slot {} outlived its session", timer.slot);
  RINGWIRE_ASSERT(!session->is_ending());
  // What has come meanwhile has moved the deadline; the timer is moved only now.
  const kernel::Nanoseconds deadline = session->deadline();
  if (deadline != 0 && deadline <= now) return session->end(Error::idle_timeout);
  move_timer(*session);
}

void Sessions::move_timer(PeerSession& session) noexcept {
  const kernel::Nanoseconds deadline = session.deadline();
  if (deadline == 0) return wheel_.cancel(session.timer);
  if (!session.timer.armed() || deadline < session.timer.deadline()) wheel_.arm(session.timer, deadline);
}

void Sessions::end_all(std::error_code reason) noexcept {
  table_.for_each([reason](PeerSession& session) { session.end(reason); });
}

void PeerSession::end(std::error_code reason) noexcept {
  if (ending_) return;
  ending_ = true;
  reason_ = reason;
  owner_.wheel_.cancel(timer);
  owner_.slots_.erase(key_);
  owner_.ended_.push_back(*this);
}

void Sessions::release(PeerSession& session) noexcept {
  RINGWIRE_ASSERT(session.is_ending());
  RINGWIRE_ASSERT(!session.timer.armed());
  table_.release(session.slot());
}

}  // namespace ringwire::loop
