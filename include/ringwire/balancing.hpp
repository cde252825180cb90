// A policy of your own for which loop gets the next connection.
//
// Leaves to others: the policies ringwire has (`Balancing`), and handing connections over.
#pragma once

#include <ringwire/address.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringwire {

/// What one loop has been given. Connections that it opened itself (`LoopRef::connect`) are not in it.
struct LoopLoad {
  /// Connections assigned to it since the start.
  std::uint64_t assigned = 0;
  /// Those of them that have not ended, as far as is known: one counts from the moment it is assigned; which
  /// have ended is looked at once for each batch of accepted connections.
  std::uint64_t active = 0;
};

/// Decides where connections go, in place of `Options::balancing`, when `Options::balancing_policy` points
/// to it.
///
/// Thread: the balancer's, one call at a time; never before `run`, never after it. With one loop, or with
/// `Options::reuse_port`, nobody is asked.
/// Lifetime: it outlives `run`.
class BalancingPolicy {
 public:
  BalancingPolicy() = default;
  BalancingPolicy(const BalancingPolicy&) = delete;
  BalancingPolicy& operator=(const BalancingPolicy&) = delete;
  virtual ~BalancingPolicy() = default;

  /// The loop for a connection that `peer` has made: less than `loops.size()`. Accepting waits meanwhile.
  ///
  /// `peer` is empty when it has already gone, and mostly "unix:" for a unix socket. The connection counts in
  /// `loops` from the next call on.
  ///
  /// Failure: a number that is no loop's ends the process, as other mistakes of the caller do. After an
  /// exception, which is logged, this connection goes where round robin would put it.
  ///
  /// Example: `return peer.ip[3] == 1 ? 0 : 1 + next++ % (loops.size() - 1);  // Loop 0 for one host.`
  virtual std::size_t assign(const Address& peer, std::span<const LoopLoad> loops) = 0;
};

}  // namespace ringwire
