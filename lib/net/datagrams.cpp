// From an endpoint to as many bound sockets as there are loops.
#include "lib/net/datagrams.hpp"

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"

#include <fmt/core.h>

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

namespace ringwire::net {
namespace {

int set_flag(kernel::Kernel& kernel, int fd, int level, int name, bool on) noexcept {
  const int value = on ? 1 : 0;
  return kernel.set_option(fd, level, name, &value, sizeof value);
}

// A bound socket: its descriptor, or -errno. `shares`: the address has one already.
int open_at(kernel::Kernel& kernel, const Address& address, bool dual_stack, bool shares) noexcept {
  const bool ipv6 = address.family == Address::Family::ipv6;
  const int fd = kernel.open_socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM, IPPROTO_UDP);
  if (fd < 0) return fd;

  int result = 0;
  if (ipv6) result = set_flag(kernel, fd, IPPROTO_IPV6, IPV6_V6ONLY, !dual_stack);
  if (result >= 0 && shares) result = set_flag(kernel, fd, SOL_SOCKET, SO_REUSEPORT, true);
  if (result >= 0) result = kernel.bind(fd, to_name(address));
  if (result >= 0) return fd;
  kernel.close(fd);
  return result;
}

// The host lacks this address or this kind of address, so another may do.
bool is_absent(int result) noexcept {
  return result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL;
}

// The sockets of one address; answers 0, or -errno and has closed them again.
int open_all(kernel::Kernel& kernel, const Address& address, bool dual_stack, std::size_t count,
             std::vector<int>& fds, Address& bound) {
  const auto first = static_cast<std::ptrdiff_t>(fds.size());
  fds.reserve(fds.size() + count);
  int result = open_at(kernel, address, dual_stack, false);
  if (result >= 0) {
    fds.push_back(result);
    kernel::SocketName name;
    result = kernel.local_name(fds.back(), name);
    bound = to_address(name);
  }
  if (result >= 0 && count > 1) result = set_flag(kernel, fds.back(), SOL_SOCKET, SO_REUSEPORT, true);
  for (std::size_t index = 1; index < count && result >= 0; ++index) {
    result = open_at(kernel, bound, dual_stack, true);
    if (result >= 0) fds.push_back(result);
  }
  if (result >= 0) return 0;
  std::for_each(fds.begin() + first, fds.end(), [&](int fd) { kernel.close(fd); });
  fds.erase(fds.begin() + first, fds.end());
  return result;
}

}  // namespace

std::error_code open_datagram_sockets(kernel::Kernel& kernel, const Endpoint& endpoint, std::size_t count,
                                      std::vector<int>& fds, Address& bound) {
  RINGWIRE_ASSERT(endpoint.transport == Endpoint::Transport::datagram);
  RINGWIRE_ASSERT(count > 0);

  std::vector<Address> addresses;
  if (auto error = resolve(kernel, endpoint, addresses)) return error;

  const bool dual_stack = endpoint.host.empty() && endpoint.family == Endpoint::Family::any;
  Address found;
  int result = -EADDRNOTAVAIL;
  for (const Address& address : addresses) {
    result = open_all(kernel, address, dual_stack, count, fds, found);
    if (!is_absent(result)) break;
  }
  if (result < 0) {
    const std::error_code code = base::to_error(result);
    return base::fail(code, fmt::format("{}: {}", endpoint.text, code.message()));
  }
  bound = found;
  return {};
}

kernel::SocketName name_for(Address::Family family, const Address& to) noexcept {
  if (to.family == Address::Family::none) return {};
  if (to.family == family) return to_name(to);
  if (family != Address::Family::ipv6 || to.family != Address::Family::ipv4) return {};

  Address mapped;  // ::ffff:a.b.c.d, RFC 4291
  mapped.family = Address::Family::ipv6;
  mapped.port = to.port;
  mapped.ip[10] = mapped.ip[11] = 0xFF;
  std::copy_n(to.ip.begin(), 4, mapped.ip.begin() + 12);
  return to_name(mapped);
}

}  // namespace ringwire::net
