// What a multishot recvmsg writes into its buffer: who sent the datagram, how long it was, and the datagram.
//
//   0                  16                        48
//   +------------------+-------------------------+------------------ - -
//   | recvmsg_out      | the sender's name       | payload
//   +------------------+-------------------------+------------------ - -
//
// Invariant: nothing is read beyond what the completion says was written.
#pragma once

#include <ringwire/bytes.hpp>

#include "lib/kernel/kernel.hpp"

#include <liburing.h>
#include <sys/socket.h>

#include <cstddef>

namespace ringwire::uring {

/// Room for the sender's name in each buffer: an IPv6 name has 28 bytes.
inline constexpr std::size_t received_name_size = 32;

/// What a `prep_recvmsg_multishot` is told of that room.
inline constexpr msghdr received_shape = [] {
  msghdr shape{};
  shape.msg_namelen = received_name_size;
  return shape;
}();

/// Bytes of a buffer before the payload.
inline constexpr std::size_t received_head_size = sizeof(io_uring_recvmsg_out) + received_name_size;

/// A received datagram; its payload is in the buffer still.
struct Received {
  kernel::SocketName name;
  Bytes payload;
  /// Bytes it was sent with; more than the payload has when it was cut.
  std::size_t size = 0;
};

/// Reads what a completion of `prep_recvmsg_multishot` brought. `buffer` has as many bytes as its res says.
[[nodiscard]] Received read_received(Bytes buffer) noexcept;

}  // namespace ringwire::uring
