// What `Options` say of sockets, told to the kernel: before they are bound or connect, before they listen,
// and when a connection begins.
//
// Leaves to others: single options (`socket.hpp`). Invariant: an option that is not asked for costs no call.
#pragma once

#include <ringwire/options.hpp>

#include "lib/kernel/kernel.hpp"
#include "lib/net/address.hpp"

#include <string_view>

namespace ringwire::net {

/// A new IP socket: buffer sizes and device. 0, or -errno with the option's name in `fault`.
[[nodiscard]] int tune_socket(kernel::Kernel& kernel, int fd, const Options& options,
                              std::string_view& fault) noexcept;

/// A new unix socket: buffer sizes. As `tune_socket`.
[[nodiscard]] int tune_buffers(kernel::Kernel& kernel, int fd, const Options& options,
                               std::string_view& fault) noexcept;

/// A bound TCP socket that is about to listen: deferred accept and fast open. As `tune_socket`.
[[nodiscard]] int tune_listener(kernel::Kernel& kernel, int fd, const Options& options,
                                std::string_view& fault) noexcept;

/// A TCP connection: delay, keep-alive, user timeout. A peer that has gone already makes these fail; the
/// first receive tells.
void tune_connection(kernel::Kernel& kernel, int fd, const Options& options) noexcept;

/// Is this a multicast group? Source: RFC 1112 section 4, RFC 4291 section 2.7.
[[nodiscard]] bool is_group(const Address& address) noexcept;

/// A datagram socket that is about to be bound to a group: several processes may, and each gets all. As
/// `tune_socket`.
[[nodiscard]] int share_group(kernel::Kernel& kernel, int fd, std::string_view& fault) noexcept;

/// Joins the group the socket is bound to, and sends to groups by the same device. As `tune_socket`.
[[nodiscard]] int join_group(kernel::Kernel& kernel, int fd, const Address& group, const Options& options,
                             std::string_view& fault) noexcept;

}  // namespace ringwire::net
