// Unix sockets: what a user may write as a name, the name as the kernel takes it, and the file a path leaves.
//
// Leaves to others: sockets (`listener.hpp`), and IP addresses (`address.hpp`). Invariant: a file is removed
// only when it is a socket that nobody listens on, or the one that was named by its identity.
#pragma once

#include <ringwire/address.hpp>

#include "lib/kernel/kernel.hpp"

#include <string_view>

namespace ringwire::net {

/// What is wrong with the text behind "unix://", a path or "@name"; "" = nothing. Any thread.
[[nodiscard]] std::string_view fault_of_unix_name(std::string_view text) noexcept;

/// The address that such a text means; it must have no fault.
[[nodiscard]] Address to_unix_address(std::string_view text) noexcept;

/// A unix address as the kernel takes it. Of an unnamed one: just the family.
[[nodiscard]] kernel::SocketName to_unix_name(const Address& address) noexcept;

/// A unix socket's name of the kernel as an address.
[[nodiscard]] Address to_unix_address(const kernel::SocketName& name) noexcept;

/// What stands where a unix socket is to be bound.
enum class Occupant : unsigned char {
  /// Nothing now: it never was there, or a socket nobody listened on was removed.
  nobody,
  /// Somebody listens there, or may: it could not be asked.
  listener,
  /// A file that is no socket.
  file,
};

/// Makes room for a listener at `address`, which must have a path: removes a socket's file when a connect to
/// it is refused, which is how a server leaves it that was killed. Leaves everything else as it is.
///
/// Two servers that start at one path in the same instant can still take it from each other: between the
/// question and the removal nothing holds the file.
[[nodiscard]] Occupant evict_dead_socket(kernel::Kernel& kernel, const Address& address) noexcept;

/// Which file a unix address names; false when it has no path, or there is no such file. Any thread.
[[nodiscard]] bool identify_socket_file(kernel::Kernel& kernel, const Address& address,
                                        kernel::FileIdentity& identity) noexcept;

/// Removes the file at `address` if it is still the one that `identity` names. Any thread.
void remove_socket_file(kernel::Kernel& kernel, const Address& address,
                        const kernel::FileIdentity& identity) noexcept;

}  // namespace ringwire::net
