// The steps from an endpoint to a listening socket, and what to try when the host has no IPv6.
#include "lib/net/listener.hpp"

#include "lib/net/opening.hpp"
#include "lib/net/socket.hpp"
#include "lib/net/tuning.hpp"
#include "lib/net/unix.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <string_view>

namespace ringwire::net {
namespace {

// Binds and listens on one address: a descriptor or -errno, with the option to blame, if there is one, in
// `fault`.
int open_at(kernel::Kernel& kernel, const Address& address, bool dual_stack, const Options& options,
            std::string_view& fault) noexcept {
  const int fd = open_ip_socket(kernel, address, SOCK_STREAM, dual_stack);
  if (fd < 0) return fd;
  // Else connections of an earlier listener in TIME_WAIT would hold the port for a minute.
  int result = set_int_option(kernel, fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (result >= 0 && options.reuse_port) result = set_int_option(kernel, fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (result >= 0) result = tune_socket(kernel, fd, options, fault);
  if (result >= 0) result = kernel.bind(fd, to_name(address));
  if (result >= 0) result = tune_listener(kernel, fd, options, fault);
  if (result >= 0) result = kernel.listen(fd, options.backlog);
  return opened(kernel, fd, result);
}

// Closes what was bound; of a unix socket the file goes, too.
void abandon(kernel::Kernel& kernel, const Address& address, int fd) noexcept {
  kernel::FileIdentity ours;
  if (identify_socket_file(kernel, address, ours)) remove_socket_file(kernel, address, ours);
  kernel.close(fd);
}

// The same for a unix socket. A dead socket's file makes way; a file that is none is told in `fault`.
int open_unix(kernel::Kernel& kernel, const Address& address, const Options& options,
              std::string_view& fault) noexcept {
  const int fd = kernel.open_socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return fd;
  const kernel::SocketName name = to_name(address);
  int result = tune_buffers(kernel, fd, options, fault);
  if (result >= 0) result = kernel.bind(fd, name);
  if (result == -EADDRINUSE && !address.path().empty()) {
    const Occupant occupant = evict_dead_socket(kernel, address);
    if (occupant == Occupant::file) fault = "; what stands there is no socket";
    if (occupant == Occupant::nobody) result = kernel.bind(fd, name);
  }
  const bool bound = result >= 0;
  if (bound) result = kernel.listen(fd, options.backlog);
  if (result >= 0 || !bound) return opened(kernel, fd, result);
  abandon(kernel, address, fd);
  return result;
}

}  // namespace

std::error_code open_listener(kernel::Kernel& kernel, const Endpoint& endpoint, const Options& options,
                              int& fd, Address& bound) {
  std::vector<Address> addresses;
  if (auto error = resolve(kernel, endpoint, addresses)) return error;

  const bool dual_stack = is_dual_stack(endpoint);
  int listening = -EADDRNOTAVAIL;
  std::string_view fault;
  for (const Address& address : addresses) {
    const bool is_unix = address.family == Address::Family::unix_socket;
    listening = is_unix ? open_unix(kernel, address, options, fault)
                        : open_at(kernel, address, dual_stack, options, fault);
    if (!is_absent(listening)) break;
  }
  if (listening < 0) return failed(endpoint, listening, fault);

  kernel::SocketName name;
  const int result = kernel.local_name(listening, name);
  if (result < 0) {
    abandon(kernel, addresses.front(), listening);
    return failed(endpoint, result);
  }
  fd = listening;
  bound = to_address(name);
  return {};
}

}  // namespace ringwire::net
