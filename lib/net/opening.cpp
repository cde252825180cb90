// The steps that streams and datagrams share.
#include "lib/net/opening.hpp"

#include "lib/base/error.hpp"
#include "lib/net/socket.hpp"

#include <fmt/core.h>

#include <netinet/in.h>

#include <cerrno>

namespace ringwire::net {

bool is_dual_stack(const Endpoint& endpoint) noexcept {
  return endpoint.host.empty() && endpoint.family == Endpoint::Family::any;
}

int open_ip_socket(kernel::Kernel& kernel, const Address& address, int type, bool dual_stack) noexcept {
  const bool ipv6 = address.family == Address::Family::ipv6;
  const int protocol = type == SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP;
  const int fd = kernel.open_socket(ipv6 ? AF_INET6 : AF_INET, type, protocol);
  if (fd < 0 || !ipv6) return fd;
  // Always said, because the default is the machine's (net.ipv6.bindv6only).
  return opened(kernel, fd, set_int_option(kernel, fd, IPPROTO_IPV6, IPV6_V6ONLY, dual_stack ? 0 : 1));
}

int opened(kernel::Kernel& kernel, int fd, int result) noexcept {
  if (result >= 0) return fd;
  kernel.close(fd);
  return result;
}

bool is_absent(int result) noexcept {
  return result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL;
}

std::error_code failed(const Endpoint& endpoint, int result, std::string_view fault) {
  const std::error_code code = base::to_error(result);
  return base::fail(code, fmt::format("{}: {}{}", endpoint.text, code.message(), fault));
}

}  // namespace ringwire::net
