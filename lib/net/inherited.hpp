// Listening sockets that somebody else has opened and left to this process: "fd://3", "systemd://".
//
// Leaves to others: how they came here (exec, SCM_RIGHTS), and accepting on them. Source: sd_listen_fds(3),
// whose protocol is three environment variables; no library is needed. Invariant: what is adopted is a stream
// socket that listens.
#pragma once

#include <ringwire/address.hpp>

#include "lib/kernel/kernel.hpp"

#include <string_view>
#include <system_error>
#include <vector>

namespace ringwire::net {

/// Does `url` name inherited sockets, rather than a place?
[[nodiscard]] bool is_inherited(std::string_view url) noexcept;

/// Appends the descriptors that such a `url` names, in order: one for "fd://N"; for "systemd://" all that
/// LISTEN_FDS says, from 3 on, for "systemd://name" those of that name in LISTEN_FDNAMES.
///
/// Failure: `Error::invalid_address`, with the fault: no number, no such
/// variable, meant for another process, none of that name. May throw bad_alloc.
[[nodiscard]] std::error_code find_inherited(kernel::Kernel& kernel, std::string_view url,
                                             std::vector<int>& descriptors);

/// Takes `given` over: `fd` is another number for the same socket, close-on-exec, and `given` is closed.
///
/// Failure: `std::errc::bad_file_descriptor` when nothing is open there,
/// `std::errc::not_a_socket`, `std::errc::invalid_argument` when it does not
/// listen, with `url` as detail; `given` stays open then. May throw bad_alloc.
[[nodiscard]] std::error_code adopt_listener(kernel::Kernel& kernel, std::string_view url, int given, int& fd,
                                             Address& bound);

}  // namespace ringwire::net
