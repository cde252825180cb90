// Socket options, one function each.
#include "lib/net/socket.hpp"

#include "lib/base/error.hpp"
#include "lib/net/address.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstdint>
#include <limits>

namespace ringwire::net {
namespace {

std::error_code set_number(kernel::Kernel& kernel, int fd, int level, int name, int value) noexcept {
  return base::to_error(set_int_option(kernel, fd, level, name, value));
}

// A socket that is no TCP says so in one of two ways, for UDP or for unix.
std::error_code set_tcp_number(kernel::Kernel& kernel, int fd, int name, int value) noexcept {
  const int result = set_int_option(kernel, fd, IPPROTO_TCP, name, value);
  return base::to_error(result == -ENOPROTOOPT ? -EOPNOTSUPP : result);
}

std::error_code set_size(kernel::Kernel& kernel, int fd, int name, std::size_t size) noexcept {
  if (size == 0 || size > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return std::make_error_code(std::errc::invalid_argument);
  }
  return set_number(kernel, fd, SOL_SOCKET, name, static_cast<int>(size));
}

bool is_between(std::int64_t value, std::int64_t least, std::int64_t most) noexcept {
  return value >= least && value <= most;
}

}  // namespace

int set_int_option(kernel::Kernel& kernel, int fd, int level, int name, int value) noexcept {
  return kernel.set_option(fd, level, name, &value, sizeof value);
}

std::error_code set_no_delay(kernel::Kernel& kernel, int fd, bool on) noexcept {
  return set_tcp_number(kernel, fd, TCP_NODELAY, on ? 1 : 0);
}

std::error_code set_keepalive(kernel::Kernel& kernel, int fd, std::chrono::seconds idle,
                              std::chrono::seconds interval, int count) noexcept {
  constexpr std::int64_t seconds_max = 32'767;  // MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL
  constexpr std::int64_t count_max = 127;       // MAX_TCP_KEEPCNT
  if (idle.count() == 0) return set_number(kernel, fd, SOL_SOCKET, SO_KEEPALIVE, 0);
  if (!is_between(idle.count(), 1, seconds_max) || !is_between(interval.count(), 1, seconds_max) ||
      !is_between(count, 1, count_max)) {
    return std::make_error_code(std::errc::invalid_argument);
  }
  if (auto error = set_tcp_number(kernel, fd, TCP_KEEPIDLE, static_cast<int>(idle.count()))) return error;
  if (auto error = set_tcp_number(kernel, fd, TCP_KEEPINTVL, static_cast<int>(interval.count())))
    return error;
  if (auto error = set_tcp_number(kernel, fd, TCP_KEEPCNT, count)) return error;
  return set_number(kernel, fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

std::error_code set_recv_buffer_size(kernel::Kernel& kernel, int fd, std::size_t size) noexcept {
  return set_size(kernel, fd, SO_RCVBUF, size);
}

std::error_code set_send_buffer_size(kernel::Kernel& kernel, int fd, std::size_t size) noexcept {
  return set_size(kernel, fd, SO_SNDBUF, size);
}

std::error_code set_reset_on_close(kernel::Kernel& kernel, int fd) noexcept {
  const linger at_once{1, 0};
  return base::to_error(kernel.set_option(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
}

void close_with_reset(kernel::Kernel& kernel, int fd) noexcept {
  static_cast<void>(set_reset_on_close(kernel, fd));
  kernel.close(fd);
}

std::error_code check_connected(kernel::Kernel& kernel, int fd) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  int result = kernel.get_option(fd, SOL_SOCKET, SO_TYPE, &type, size);
  if (result >= 0 && type != SOCK_STREAM) result = -EPROTOTYPE;
  kernel::SocketName peer;
  if (result >= 0) result = kernel.peer_name(fd, peer);
  return result < 0 ? base::to_error(result) : std::error_code{};
}

Address local_address(kernel::Kernel& kernel, int fd) noexcept {
  kernel::SocketName name;
  return kernel.local_name(fd, name) < 0 ? Address{} : to_address(name);
}

Address remote_address(kernel::Kernel& kernel, int fd) noexcept {
  kernel::SocketName name;
  return kernel.peer_name(fd, name) < 0 ? Address{} : to_address(name);
}

std::optional<PeerCredentials> peer_credentials(kernel::Kernel& kernel, int fd) noexcept {
  // TCP sockets answer, too, with nobody.
  if (local_address(kernel, fd).family != Address::Family::unix_socket) return std::nullopt;
  ucred found{};
  socklen_t size = sizeof found;
  if (kernel.get_option(fd, SOL_SOCKET, SO_PEERCRED, &found, size) < 0) return std::nullopt;
  return PeerCredentials{found.pid, found.uid, found.gid};
}

}  // namespace ringwire::net
