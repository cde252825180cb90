// Opens a listening socket. Leaves to others: accepting (`loop`, `engine`), and closing it once it is open.
//
// Invariant: on failure no descriptor is left open.
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/options.hpp>

#include "lib/kernel/kernel.hpp"
#include "lib/net/address.hpp"

#include <system_error>

namespace ringwire::net {

/// Binds and listens. `fd` is the caller's to close; `bound` has the port the kernel chose where 0 was asked
/// for.
///
/// A tcp endpoint without host takes IPv6 and IPv4 on one socket, or IPv4 alone where there is no IPv6; every
/// other IPv6 socket takes IPv6 only. A name is bound at its first address this host has. The port of a
/// listener that has just been closed can be had again at once. A unix socket's file that nobody listens on
/// any more is replaced; whoever closes the listener removes the file (`unix.hpp`).
///
/// Of the options those under "sockets" count. With `reuse_port` (not of a unix socket) others that say so,
/// too, can listen at the same place.
///
/// Failure: the kernel's error, with the endpoint, and the option to blame if there is one, as detail; `fd`
/// and `bound` are untouched. May throw bad_alloc.
[[nodiscard]] std::error_code open_listener(kernel::Kernel& kernel, const Endpoint& endpoint,
                                            const Options& options, int& fd, Address& bound);

}  // namespace ringwire::net
