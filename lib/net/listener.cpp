// The steps from an endpoint to a listening socket, and what to try when the host has no IPv6.
#include "lib/net/listener.hpp"

#include "lib/base/error.hpp"
#include "lib/net/unix.hpp"

#include <fmt/core.h>

#include <netinet/in.h>

#include <cerrno>
#include <string_view>

namespace ringwire::net {
namespace {

// Binds and listens on one address: a descriptor or -errno.
int open_at(kernel::Kernel& kernel, const Address& address, bool dual_stack, int backlog,
            bool reuse_port) noexcept {
  const bool ipv6 = address.family == Address::Family::ipv6;
  const int fd = kernel.open_socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM, IPPROTO_TCP);
  if (fd < 0) return fd;

  // Else connections of an earlier listener in TIME_WAIT would hold the port for a minute.
  const int on = 1;
  int result = kernel.set_option(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (result >= 0 && reuse_port) {
    result = kernel.set_option(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  }
  if (result >= 0 && ipv6) {
    // Always said, because the default is the machine's (net.ipv6.bindv6only).
    const int v6_only = dual_stack ? 0 : 1;
    result = kernel.set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
  }
  if (result >= 0) result = kernel.bind(fd, to_name(address));
  if (result >= 0) result = kernel.listen(fd, backlog);
  if (result >= 0) return fd;
  kernel.close(fd);
  return result;
}

// The host lacks this address or this kind of address, so another may do.
bool is_absent(int result) noexcept {
  return result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL;
}

// Closes what was bound; of a unix socket the file goes, too.
void abandon(kernel::Kernel& kernel, const Address& address, int fd) noexcept {
  kernel::FileIdentity ours;
  if (identify_socket_file(kernel, address, ours)) remove_socket_file(kernel, address, ours);
  kernel.close(fd);
}

// The same for a unix socket. A dead socket's file makes way; a file that is none is told in `fault`.
int open_unix(kernel::Kernel& kernel, const Address& address, int backlog, std::string_view& fault) noexcept {
  const int fd = kernel.open_socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return fd;
  const kernel::SocketName name = to_name(address);
  int result = kernel.bind(fd, name);
  if (result == -EADDRINUSE && !address.path().empty()) {
    const Occupant occupant = evict_dead_socket(kernel, address);
    if (occupant == Occupant::file) fault = "; what stands there is no socket";
    if (occupant == Occupant::nobody) result = kernel.bind(fd, name);
  }
  const bool bound = result >= 0;
  if (bound) result = kernel.listen(fd, backlog);
  if (result >= 0) return fd;
  if (bound) {
    abandon(kernel, address, fd);
  } else {
    kernel.close(fd);
  }
  return result;
}

std::error_code failed(const Endpoint& endpoint, int result, std::string_view fault = {}) {
  const std::error_code code = base::to_error(result);
  return base::fail(code, fmt::format("{}: {}{}", endpoint.text, code.message(), fault));
}

}  // namespace

std::error_code open_listener(kernel::Kernel& kernel, const Endpoint& endpoint, int backlog, int& fd,
                              Address& bound, bool reuse_port) {
  std::vector<Address> addresses;
  if (auto error = resolve(kernel, endpoint, addresses)) return error;

  const bool dual_stack = endpoint.host.empty() && endpoint.family == Endpoint::Family::any;
  int opened = -EADDRNOTAVAIL;
  std::string_view fault;
  for (const Address& address : addresses) {
    const bool is_unix = address.family == Address::Family::unix_socket;
    opened = is_unix ? open_unix(kernel, address, backlog, fault)
                     : open_at(kernel, address, dual_stack, backlog, reuse_port);
    if (!is_absent(opened)) break;
  }
  if (opened < 0) return failed(endpoint, opened, fault);

  kernel::SocketName name;
  const int result = kernel.local_name(opened, name);
  if (result < 0) {
    abandon(kernel, addresses.front(), opened);
    return failed(endpoint, result);
  }
  fd = opened;
  bound = to_address(name);
  return {};
}

}  // namespace ringwire::net
