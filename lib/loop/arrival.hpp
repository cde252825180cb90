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

  /// As the message that hands it over carries it.
  [[nodiscard]] uring::Token token() const noexcept {
    return {uring::Op::handoff, is_tcp ? 0U : unix_bit, 0};
  }
  /// What such a message said.
  [[nodiscard]] static Arrival of(const uring::Token& token) noexcept {
    return {.is_tcp = (token.generation & unix_bit) == 0};
  }

 private:
  static constexpr std::uint32_t unix_bit = 1;
};

}  // namespace ringwire::loop
