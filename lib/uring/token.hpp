// What travels through the kernel in user_data and says whose completion this is.
//
//    63      56 55                    32 31                              0
//   +----------+------------------------+---------------------------------+
//   |    op    |       generation       |              slot               |
//   +----------+------------------------+---------------------------------+
//
// Invariant: a slot's generation changes when it is released, so a completion that comes late finds nobody.
#pragma once

#include <cstdint>

namespace ringwire::uring {

/// Which operation a completion belongs to.
enum class Op : std::uint8_t {
  none,
  // Of a connection; slot and generation name it.
  recv,
  send,
  pause,   // cancels the recv
  cancel,  // cancels everything on the descriptor, before the close
  close,
  // Of a loop or the balancer; slot says which of several.
  accept,
  accept_cancel,
  accept_close,
  connect,
  connect_cancel,
  datagram_recv,
  datagram_send,  // slot and generation name the datagram
  datagram_cancel,
  datagram_close,
  event,  // a read of the eventfd
  signal,
  cancel_all,
  probe,
  timer,         // of a scheduled task; names it in the wheel, and is never a request's
  session,       // of a datagram session; the same
  handoff_send,  // a message to a loop's ring
  // Posted by another ring: they answer no operation of ours.
  wake,
  handoff,
  handoff_end,
};

/// True for completions that no operation of this ring is waiting for.
[[nodiscard]] constexpr bool is_foreign(Op op) noexcept {
  return op == Op::wake || op == Op::handoff || op == Op::handoff_end;
}

/// The three parts of user_data.
struct Token {
  /// Generations are counted modulo this; 0 is never used for a slot.
  static constexpr std::uint32_t generation_max = (1U << 24) - 1;

  Op op = Op::none;
  std::uint32_t generation = 0;
  std::uint32_t slot = 0;

  /// As user_data.
  [[nodiscard]] constexpr std::uint64_t pack() const noexcept {
    return std::uint64_t{static_cast<std::uint8_t>(op)} << 56 |
           std::uint64_t{generation & generation_max} << 32 | slot;
  }

  /// From user_data.
  [[nodiscard]] static constexpr Token unpack(std::uint64_t user_data) noexcept {
    return {static_cast<Op>(user_data >> 56), static_cast<std::uint32_t>(user_data >> 32) & generation_max,
            static_cast<std::uint32_t>(user_data)};
  }

  /// Equal in all parts.
  friend constexpr bool operator==(const Token&, const Token&) noexcept = default;
};

static_assert(Token::unpack(Token{Op::handoff_end, Token::generation_max, UINT32_MAX}.pack()) ==
              Token{Op::handoff_end, Token::generation_max, UINT32_MAX});

}  // namespace ringwire::uring
