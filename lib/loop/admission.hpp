// How many connections the engine may have, and each client's address of them. Only there when a limit is.
//
// One for all who accept. A connection is counted when it is let in, and until whoever owns it says that it
// has ended; so a burst is counted right. Leaves to others: accepting, and what becomes of who is not let in.
// Invariant: everybody who was told to wait is woken when there is room again.
#pragma once

#include <ringwire/address.hpp>

#include "lib/loop/mailbox.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace ringwire::loop {

/// The limits, and what counts against them. Any thread, but for `add_waiter`.
class Admission {
 public:
  /// Whether a connection is let in.
  enum class Verdict : std::uint8_t {
    enter,
    /// The engine is full: keep it, and ask again when woken.
    wait,
    /// Its address has as many as it may have.
    refuse,
  };

  /// At most so many connections, and so many of one address; 0 = any number.
  Admission(std::size_t connections_max, std::size_t per_ip_max) noexcept
      : connections_max_{connections_max}, per_ip_max_{per_ip_max} {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// Adds somebody who accepts, to be woken by `bell`, which outlives it; answers his number. Before the
  /// threads start. May throw bad_alloc.
  [[nodiscard]] std::uint32_t add_waiter(Mailbox& bell);

  /// Is the number of all connections limited? Then accepts are made one by one: a multishot cannot be held
  /// back.
  [[nodiscard]] bool limits_all() const noexcept { return connections_max_ != 0; }
  /// Does it have to know the peer's address?
  [[nodiscard]] bool needs_peer() const noexcept { return per_ip_max_ != 0; }

  /// Could one more be let in? If not, `waiter` will be woken.
  [[nodiscard]] bool has_room(std::uint32_t waiter) noexcept;
  /// Lets a connection of `peer` in, or not. `pass` is what `leave` wants to have back. Told to wait,
  /// `waiter` will be woken. With `is_last`, nobody is told to wait: the listeners are closing.
  [[nodiscard]] Verdict enter(std::uint32_t waiter, const Address& peer, bool is_last,
                              std::uint32_t& pass) noexcept;
  /// A connection that was let in has ended.
  void leave(std::uint32_t pass) noexcept;

  /// How many were refused.
  [[nodiscard]] std::size_t refused_count() const noexcept;

 private:
  struct Host {
    Address address;  // Port and zone are 0.
    std::size_t count = 0;
  };
  struct Waiter {
    Mailbox* bell;
    bool waits = false;
  };

  [[nodiscard]] bool count_host(const Address& peer, std::uint32_t& pass);
  [[nodiscard]] bool is_full() const noexcept { return connections_max_ != 0 && count_ >= connections_max_; }

  const std::size_t connections_max_;
  const std::size_t per_ip_max_;
  mutable std::mutex mutex_;  // Of all below.
  std::size_t count_ = 0;
  std::size_t refused_ = 0;
  std::vector<Waiter> waiters_;
  std::map<Address, std::uint32_t> passes_;  // Of each address that has a connection; places in `hosts_`.
  std::vector<Host> hosts_;
  std::vector<std::uint32_t> free_;  // Places in `hosts_`.
};

}  // namespace ringwire::loop
