// Which loop gets the next connection. Pure arithmetic, or the user's own: no clock, no descriptors, no
// threads.
//
// Invariant: connections are counted when they are assigned, so a burst that the loops have not seen yet is
// in the count.
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/balancing.hpp>
#include <ringwire/options.hpp>

#include "lib/base/log.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ringwire::engine {

/// Chooses loops and remembers how many connections each was given. The balancer's thread only.
class Policy {
 public:
  /// For `loops` loops, at least one.
  Policy(Balancing balancing, std::size_t loops);
  /// The same, with whatever `custom` says when it is not nullptr; both outlive it.
  Policy(Balancing balancing, std::size_t loops, BalancingPolicy* custom, const base::Log& log);

  /// Does the choice depend on who has connected?
  [[nodiscard]] bool needs_peer() const noexcept {
    return custom_ != nullptr || balancing_ == Balancing::source_hash;
  }

  /// Takes note of how many of the connections given to `loop` have ended since the start.
  void set_closed(std::size_t loop, std::uint64_t closed) noexcept;

  /// The loop for the next connection, which counts from now on. `peer` matters only when `needs_peer()`.
  [[nodiscard]] std::size_t assign(const Address& peer = {}) noexcept;

  /// Connections assigned to `loop` and not ended, as far as we know.
  [[nodiscard]] std::uint64_t active(std::size_t loop) const noexcept { return loads_[loop].active; }

 private:
  [[nodiscard]] std::size_t choose(const Address& peer) noexcept;

  [[nodiscard]] std::size_t least_loaded() const noexcept;
  [[nodiscard]] std::size_t ask_custom(const Address& peer) noexcept;

  Balancing balancing_;
  BalancingPolicy* custom_ = nullptr;
  const base::Log* log_ = nullptr;
  std::vector<LoopLoad> loads_;
  std::size_t next_ = 0;  // Where the next choice begins to look: ties rotate.
};

/// The same number for every connection from one address, whatever its port; well spread over addresses.
/// `host` as `net::host_of` answers it, not empty.
[[nodiscard]] std::uint64_t hash_of(const Address& host) noexcept;

}  // namespace ringwire::engine
