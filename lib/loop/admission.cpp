// Counting, and waking who waits.
#include "lib/loop/admission.hpp"

#include "lib/base/assert.hpp"
#include "lib/net/address.hpp"

#include <new>
#include <utility>

namespace ringwire::loop {

std::uint32_t Admission::add_waiter(Mailbox& bell) {
  waiters_.push_back({&bell});
  return static_cast<std::uint32_t>(waiters_.size() - 1);
}

bool Admission::has_room(std::uint32_t waiter) noexcept {
  const std::lock_guard lock{mutex_};
  RINGWIRE_ASSERT(waiter < waiters_.size(), "waiter {} of {}", waiter, waiters_.size());
  if (!is_full()) return true;
  waiters_[waiter].waits = true;
  return false;
}

Admission::Verdict Admission::enter(std::uint32_t waiter, const Address& peer, bool is_last,
                                    std::uint32_t& pass) noexcept {
  const std::lock_guard lock{mutex_};
  RINGWIRE_ASSERT(waiter < waiters_.size(), "waiter {} of {}", waiter, waiters_.size());
  if (is_full() && !is_last) {
    waiters_[waiter].waits = true;
    return Verdict::wait;
  }
  pass = 0;
  try {
    if (per_ip_max_ != 0 && !count_host(peer, pass)) {
      ++refused_;
      return Verdict::refuse;
    }
  } catch (const std::bad_alloc&) {
    ++refused_;
    return Verdict::refuse;
  }
  ++count_;
  return Verdict::enter;
}

// Of a unix socket, or of a client that has gone already, there is nothing to count.
bool Admission::count_host(const Address& peer, std::uint32_t& pass) {
  const Address host = net::host_of(peer);
  if (host.family == Address::Family::none) return true;

  const auto [found, is_new] = passes_.try_emplace(host, 0);
  if (is_new) {
    try {
      if (free_.empty()) {
        // Room for all of them to be free: giving one back never allocates.
        if (free_.capacity() <= hosts_.size()) free_.reserve(2 * hosts_.size() + 1);
        hosts_.push_back({});
        free_.push_back(static_cast<std::uint32_t>(hosts_.size()));
      }
    } catch (const std::bad_alloc&) {
      passes_.erase(found);
      throw;
    }
    found->second = free_.back();
    free_.pop_back();
    hosts_[found->second - 1] = {host, 0};
  }
  Host& entry = hosts_[found->second - 1];
  if (entry.count == per_ip_max_) return false;
  ++entry.count;
  pass = found->second;
  return true;
}

void Admission::leave(std::uint32_t pass) noexcept {
  const std::lock_guard lock{mutex_};
  RINGWIRE_ASSERT(count_ > 0);
  --count_;
  if (pass != 0) {
    RINGWIRE_ASSERT(pass <= hosts_.size(), "pass {} of {}", pass, hosts_.size());
    Host& host = hosts_[pass - 1];
    RINGWIRE_ASSERT(host.count > 0, "pass {} was given back twice", pass);
    if (--host.count == 0) {
      passes_.erase(host.address);
      free_.push_back(pass);
    }
  }
  for (Waiter& waiter : waiters_) {
    if (std::exchange(waiter.waits, false)) waiter.bell->wake();
  }
}

std::size_t Admission::refused_count() const noexcept {
  const std::lock_guard lock{mutex_};
  return refused_;
}

}  // namespace ringwire::loop
