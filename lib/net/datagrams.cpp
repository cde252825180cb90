// From an endpoint to as many bound sockets as there are loops.
#include "lib/net/datagrams.hpp"

#include "lib/base/assert.hpp"
#include "lib/net/opening.hpp"
#include "lib/net/socket.hpp"
#include "lib/net/tuning.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace ringwire::net {
namespace {

int share_port(kernel::Kernel& kernel, int fd) noexcept {
  return set_int_option(kernel, fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

// What sockets are opened with, and the option to blame for a failure.
struct Opening {
  kernel::Kernel& kernel;
  const Options& options;
  std::string_view& fault;
};

// A bound socket: its descriptor, or -errno. `shares`: the address has one already.
int open_at(const Opening& with, const Address& address, bool dual_stack, bool shares) noexcept {
  const int fd = open_ip_socket(with.kernel, address, SOCK_DGRAM, dual_stack);
  if (fd < 0) return fd;
  const bool group = is_group(address);
  int result = shares ? share_port(with.kernel, fd) : 0;
  if (group) result = share_group(with.kernel, fd, with.fault);
  if (result >= 0) result = tune_socket(with.kernel, fd, with.options, with.fault);
  if (result >= 0) result = with.kernel.bind(fd, to_name(address));
  if (result >= 0 && group) result = join_group(with.kernel, fd, address, with.options, with.fault);
  return opened(with.kernel, fd, result);
}

// The sockets of one address; answers 0, or -errno and has closed them again.
int open_all(const Opening& with, const Address& address, bool dual_stack, std::size_t count,
             std::vector<int>& fds, Address& bound) {
  // Each socket of a group gets all that is sent to it, so there is one.
  if (is_group(address)) count = 1;
  kernel::Kernel& kernel = with.kernel;
  const auto first = static_cast<std::ptrdiff_t>(fds.size());
  fds.reserve(fds.size() + count);
  int result = open_at(with, address, dual_stack, false);
  if (result >= 0) {
    fds.push_back(result);
    kernel::SocketName name;
    result = kernel.local_name(fds.back(), name);
    bound = to_address(name);
  }
  if (result >= 0 && count > 1) result = share_port(kernel, fds.back());
  for (std::size_t index = 1; index < count && result >= 0; ++index) {
    result = open_at(with, bound, dual_stack, true);
    if (result >= 0) fds.push_back(result);
  }
  if (result >= 0) return 0;
  std::for_each(fds.begin() + first, fds.end(), [&](int fd) { kernel.close(fd); });
  fds.erase(fds.begin() + first, fds.end());
  return result;
}

}  // namespace

std::error_code open_datagram_sockets(kernel::Kernel& kernel, const Endpoint& endpoint,
                                      const Options& options, std::size_t count, std::vector<int>& fds,
                                      Address& bound) {
  RINGWIRE_ASSERT(endpoint.transport == Endpoint::Transport::datagram);
  RINGWIRE_ASSERT(count > 0);

  std::vector<Address> addresses;
  if (auto error = resolve(kernel, endpoint, addresses)) return error;

  const bool dual_stack = is_dual_stack(endpoint);
  Address found;
  std::string_view fault;
  int result = -EADDRNOTAVAIL;
  for (const Address& address : addresses) {
    result = open_all({kernel, options, fault}, address, dual_stack, count, fds, found);
    if (!is_absent(result)) break;
  }
  if (result < 0) return failed(endpoint, result, fault);
  bound = found;
  return {};
}

int connect_datagram_socket(kernel::Kernel& kernel, const Address& peer, const Options& options,
                            Address& local) noexcept {
  const int fd = open_ip_socket(kernel, peer, SOCK_DGRAM, false);
  if (fd < 0) return fd;
  std::string_view fault;
  kernel::SocketName name;
  int result = tune_socket(kernel, fd, options, fault);
  if (result >= 0) result = kernel.connect(fd, to_name(peer));
  if (result >= 0) result = kernel.local_name(fd, name);
  local = to_address(name);
  return opened(kernel, fd, result);
}

bool may_segment(kernel::Kernel& kernel, int fd) noexcept {
  return set_int_option(kernel, fd, SOL_UDP, UDP_SEGMENT, 0) >= 0;  // 0: only where a send says so.
}

bool join_received(kernel::Kernel& kernel, int fd) noexcept {
  return set_int_option(kernel, fd, SOL_UDP, UDP_GRO, 1) >= 0;
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
