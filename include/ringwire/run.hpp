// The one call that starts an engine.
#pragma once

#include <ringwire/handler.hpp>
#include <ringwire/options.hpp>

#include <span>
#include <string_view>
#include <system_error>

namespace ringwire {

/// Listens on `address`, serves until stopped, and returns when every connection is closed and every loop has
/// ended.
///
/// `address`: "tcp://host:port"; tcp (IPv6 and IPv4 when the host is left out), tcp4, tcp6, and udp, udp4,
/// udp6 for datagrams (`Handler::on_datagram`); IPv6 hosts in brackets ("tcp://[::1]:9000"); port 0 lets the
/// kernel choose (`Engine::addresses` says which). A name is resolved once. A multicast address
/// ("udp4://239.1.2.3:9000", "udp6://[ff02::1%eth0]:9000") is joined, on loop 0 alone; others may do the same
/// at the same port (`Options::multicast_interface`).
///
/// Or a unix socket: "unix:///run/server.sock", "unix://relative.sock", "unix://@name" for an abstract one
/// (no file). The file of a server that was killed is replaced, one that somebody listens on is
/// `address_in_use`; it is removed when the engine stops listening. Its permissions are the umask's.
///
/// Or a socket that listens already: "fd://3" takes descriptor 3 over (another process has left it there, see
/// `Engine::dup_listener`); "systemd://" takes all that systemd has left (LISTEN_PID, LISTEN_FDS), and
/// "systemd://name" those of that name (LISTEN_FDNAMES). Taken over means: the number is free again, the
/// socket is the engine's, which closes it; on failure those before the failing one are closed, too. A unix
/// socket's file is then left to whoever made it. Source: sd_listen_fds(3).
///
/// Thread: blocks the caller, which gets `on_boot` and `on_shutdown`; loops run in threads of their own.
/// Several engines may run at the same time, each from its own thread.
///
/// Failure: returns the reason nothing could be started (address taken, io_uring forbidden, memlock too
/// small, bad option); `explain(error)` says cause and cure. Empty after a normal stop. Never throws because
/// of the network.
///
/// Example: `auto error = ringwire::run(echo, "tcp://:9000", {.multicore = true});`
[[nodiscard]] std::error_code run(Handler& handler, std::string_view address, const Options& options = {});

/// The same with several addresses in one engine. Source: gnet Rotate.
[[nodiscard]] std::error_code run(Handler& handler, std::span<const std::string_view> addresses,
                                  const Options& options = {});

/// The same with a handler for each loop: whatever it counts or keeps is its loop's alone, and needs no lock.
///
/// Thread: the factory is called on the caller's thread, once for each loop, when every address is bound and
/// before the first `on_boot`. Each handler is told `on_boot` and `on_shutdown` there, in the order of the
/// loops; every other event on its loop's thread. `Action::shutdown` or an exception from one `on_boot` ends
/// the boot: the handlers behind it are not told.
///
/// Lifetime: the handlers are destroyed before `run` returns, behind the last `on_shutdown`.
///
/// Failure: a factory that throws, answers nullptr or is empty: `Error::handler_failed`.
///
/// Example: `run([](std::size_t) { return std::make_unique<Counter>(); }, "tcp://:9000", {.multicore =
/// true});`
[[nodiscard]] std::error_code run(HandlerFactory factory, std::string_view address,
                                  const Options& options = {});

/// The same with a handler for each loop and several addresses.
[[nodiscard]] std::error_code run(HandlerFactory factory, std::span<const std::string_view> addresses,
                                  const Options& options = {});

}  // namespace ringwire
