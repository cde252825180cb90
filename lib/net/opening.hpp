// What opening a listener and opening datagram sockets have in common. For `lib/net` itself.
//
// Leaves to others: which sockets, and binding them. Invariant: a step that fails leaves no descriptor open.
#pragma once

#include <ringwire/address.hpp>

#include "lib/kernel/kernel.hpp"
#include "lib/net/address.hpp"

#include <string_view>
#include <system_error>

namespace ringwire::net {

/// Does the endpoint mean IPv6 and IPv4 on one socket? One without host does; others take one version.
[[nodiscard]] bool is_dual_stack(const Endpoint& endpoint) noexcept;

/// A new socket for an IPv4 or IPv6 address, SOCK_STREAM or SOCK_DGRAM, which takes IPv4 peers on IPv6 if
/// `dual_stack`: its descriptor, or -errno.
[[nodiscard]] int open_ip_socket(kernel::Kernel& kernel, const Address& address, int type,
                                 bool dual_stack) noexcept;

/// What opening `fd` answers after its last step: `fd`, or the step's -errno, and `fd` is closed again.
[[nodiscard]] int opened(kernel::Kernel& kernel, int fd, int result) noexcept;

/// Does this -errno say that the host lacks the address, or this kind of address? Then another may do.
[[nodiscard]] bool is_absent(int result) noexcept;

/// The kernel's -errno as an error, with the endpoint, and `fault` behind the reason, as detail. May throw
/// bad_alloc.
[[nodiscard]] std::error_code failed(const Endpoint& endpoint, int result, std::string_view fault = {});

}  // namespace ringwire::net
