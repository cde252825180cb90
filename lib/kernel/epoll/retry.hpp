// Calls that a signal may interrupt.
//
// Leaves to others: which call. Invariant: EINTR is never an answer; it says nothing about the socket.
#pragma once

#include <cerrno>

namespace ringwire::kernel::epoll {

/// Makes a call again until no signal interrupts it: its result, or -errno.
///
/// Example: `uninterrupted([&] { return ::recv(fd, target, size, MSG_DONTWAIT); })`
template <typename Call>
[[nodiscard]] auto uninterrupted(Call&& call) noexcept {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result < 0 ? static_cast<decltype(result)>(-errno) : result;
}

}  // namespace ringwire::kernel::epoll
