// Opens the datagram sockets of one address, one for each loop. Leaves to others: receiving and sending
// (`loop`), and closing them once they are open.
//
// Invariant: on failure no descriptor is left open.
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/options.hpp>

#include "lib/kernel/kernel.hpp"
#include "lib/net/address.hpp"

#include <cstddef>
#include <system_error>
#include <vector>

namespace ringwire::net {

/// Binds `count` sockets to the endpoint, among which the kernel divides the peers. Appends them to `fds`,
/// which are the caller's to close; `bound` has the port the kernel chose where 0 was asked for.
///
/// The first is bound alone, so that an address somebody else has is in use, as it is with one socket; only
/// then it shares its port (SO_REUSEPORT) with the others. Hosts and IP versions as in `open_listener`. Of
/// the options those under "sockets" count.
///
/// A multicast group is joined, on one socket whatever `count` says: each would get all. Other processes may
/// do the same.
///
/// Failure: the kernel's error, with the endpoint, and the option to blame if there is one, as detail; `fds`
/// and `bound` are untouched. May throw bad_alloc.
[[nodiscard]] std::error_code open_datagram_sockets(kernel::Kernel& kernel, const Endpoint& endpoint,
                                                    const Options& options, std::size_t count,
                                                    std::vector<int>& fds, Address& bound);

/// A new socket, connected to `peer`: its descriptor, or -errno; `local` is where the kernel has bound it. Of
/// the options those under "sockets" count.
[[nodiscard]] int connect_datagram_socket(kernel::Kernel& kernel, const Address& peer, const Options& options,
                                          Address& local) noexcept;

/// May a send on it be several datagrams that the kernel cuts apart (UDP_SEGMENT, Linux 4.18)?
[[nodiscard]] bool may_segment(kernel::Kernel& kernel, int fd) noexcept;

/// Lets the kernel hand over datagrams of one length of one peer as one (UDP_GRO, Linux 5.0). False when it
/// cannot.
[[nodiscard]] bool join_received(kernel::Kernel& kernel, int fd) noexcept;

/// The name of `to` for a socket bound to an address of `family`; an IPv4 address as IPv6 writes it where
/// need be. With size 0 when `family` cannot write it. A socket for IPv6 only has a name for an IPv4 address,
/// too; the kernel refuses it when it is sent to (ENETUNREACH).
[[nodiscard]] kernel::SocketName name_for(Address::Family family, const Address& to) noexcept;

}  // namespace ringwire::net
