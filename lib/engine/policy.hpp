// Which loop gets the next connection. Pure arithmetic: no clock, no descriptors, no threads.
//
// Invariant: connections are counted when they are assigned, so a burst that the loops have not seen yet is
// in the count.
#pragma once

#include <ringwire/options.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ringwire::engine {

/// Chooses loops and remembers how many connections each was given. The balancer's thread only.
class Policy {
 public:
  /// For `loops` loops, at least one.
  Policy(Balancing balancing, std::size_t loops);

  /// Takes note of how many of the connections given to `loop` have ended since the start.
  void set_closed(std::size_t loop, std::uint64_t closed) noexcept;

  /// The loop for the next connection, which counts from now on.
  [[nodiscard]] std::size_t assign() noexcept;

  /// Connections assigned to `loop` and not ended, as far as we know.
  [[nodiscard]] std::uint64_t active(std::size_t loop) const noexcept;

 private:
  struct Load {
    std::uint64_t assigned = 0;
    std::uint64_t closed = 0;
  };

  [[nodiscard]] std::size_t least_loaded() const noexcept;

  Balancing balancing_;
  std::vector<Load> loads_;
  std::size_t next_ = 0;  // Where the next choice begins to look: ties rotate.
};

}  // namespace ringwire::engine
