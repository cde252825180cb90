// The few options ringwire sets on a connection's socket, its two addresses, and who its peer is.
//
// Leaves to others: deciding them (`Options`), and the descriptor's life. Failures are the kernel's: the peer
// may be gone.
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/conn.hpp>

#include "lib/kernel/kernel.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <system_error>

namespace ringwire::net {

/// setsockopt(2) of a number: 0 or -errno.
[[nodiscard]] int set_int_option(kernel::Kernel& kernel, int fd, int level, int name, int value) noexcept;

/// TCP_NODELAY: small sends leave at once.
std::error_code set_no_delay(kernel::Kernel& kernel, int fd, bool on) noexcept;

/// Probes a silent peer after `idle`, then every `interval`, at most `count` times; see tcp(7). `idle` and
/// `interval` 1 to 32,767 s, `count` 1 to 127; idle 0 = never.
std::error_code set_keepalive(kernel::Kernel& kernel, int fd, std::chrono::seconds idle,
                              std::chrono::seconds interval, int count) noexcept;

/// SO_RCVBUF, 1 to INT_MAX bytes.
std::error_code set_recv_buffer_size(kernel::Kernel& kernel, int fd, std::size_t size) noexcept;

/// SO_SNDBUF, 1 to INT_MAX bytes.
std::error_code set_send_buffer_size(kernel::Kernel& kernel, int fd, std::size_t size) noexcept;

/// Makes closing send RST and drop what is unsent (SO_LINGER with 0 seconds).
std::error_code set_reset_on_close(kernel::Kernel& kernel, int fd) noexcept;

/// Closes it at once with RST. Only for descriptors no operation is armed on.
void close_with_reset(kernel::Kernel& kernel, int fd) noexcept;

/// Is this a connected stream socket? Empty = yes; else ENOTSOCK, EBADF, ENOTCONN, or EPROTOTYPE for a socket
/// of another type.
[[nodiscard]] std::error_code check_connected(kernel::Kernel& kernel, int fd) noexcept;

/// Our end's address; empty when the kernel has none any more.
[[nodiscard]] Address local_address(kernel::Kernel& kernel, int fd) noexcept;

/// The peer's address; empty when it was gone before it could be asked.
[[nodiscard]] Address remote_address(kernel::Kernel& kernel, int fd) noexcept;

/// Whose process connected to a unix socket, or listens there; nothing for other sockets.
[[nodiscard]] std::optional<PeerCredentials> peer_credentials(kernel::Kernel& kernel, int fd) noexcept;

}  // namespace ringwire::net
