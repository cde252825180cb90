// What the balancer tells a loop of a connection it hands over, beside the descriptor: the rest of the
// message's token.
//
// The token of a TCP connection is all zeros. Leaves to others: the message itself.
#pragma once

#include "lib/uring/token.hpp"

#include <cstdint>

namespace ringwire::loop {

/// A connection on its way from whoever accepted it.
struct Arrival {
  /// Not a unix socket: TCP's options apply.
  bool is_tcp = true;
  /// What `Admission::leave` wants back when it has ended; 0 where nobody counts by address.
  std::uint32_t pass = 0;

  /// As the message that hands it over carries it.
  [[nodiscard]] uring::Token token() const noexcept {
    return {uring::Op::handoff, is_tcp ? 0U : unix_bit, pass};
  }
  /// What such a message said.
  [[nodiscard]] static Arrival of(const uring::Token& token) noexcept {
    return {.is_tcp = (token.generation & unix_bit) == 0, .pass = token.slot};
  }

 private:
  static constexpr std::uint32_t unix_bit = 1;
};

}  // namespace ringwire::loop
