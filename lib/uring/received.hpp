// What a multishot recvmsg writes into its buffer: who sent the datagram, how long it was, and the datagram,
// or several of one length that the kernel has joined (UDP_GRO).
//
//   0                  16                        48                     80
//   +------------------+-------------------------+----------------------+------------------ - -
//   | recvmsg_out      | the sender's name       | control: how long    | payload
//   |                  |                         | each of several is   |
//   +------------------+-------------------------+----------------------+------------------ - -
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

/// Room for what the kernel says beside it: one number takes 24 bytes, and the payload begins at a round
/// place.
inline constexpr std::size_t received_control_size = 32;

/// What a `prep_recvmsg_multishot` is told of that room.
inline constexpr msghdr received_shape = [] {
  msghdr shape{};
  shape.msg_namelen = received_name_size;
  shape.msg_controllen = received_control_size;
  return shape;
}();

/// Bytes of a buffer before the payload.
inline constexpr std::size_t received_head_size =
    sizeof(io_uring_recvmsg_out) + received_name_size + received_control_size;

/// Bytes of payload a buffer needs where the kernel joins datagrams: they are one datagram on their way up,
/// and no longer than one can be.
inline constexpr std::size_t joined_size_most = 65'536;

/// A received datagram, or several; the payload is in the buffer still.
struct Received {
  kernel::SocketName name;
  Bytes payload;
  /// Bytes it was sent with; more than the payload has when it was cut.
  std::size_t size = 0;
  /// Of several: how long each is, but the last, which may be shorter. 0 = it is one.
  std::size_t segment_size = 0;
};

/// Reads what a completion of `prep_recvmsg_multishot` brought. `buffer` has as many bytes as its res says.
[[nodiscard]] Received read_received(Bytes buffer) noexcept;

/// Takes the first datagram out of `rest`, cut to `size_max`; what is behind it stays. `rest.size` is 0 after
/// the last.
[[nodiscard]] Received take_datagram(Received& rest, std::size_t size_max) noexcept;

}  // namespace ringwire::uring
