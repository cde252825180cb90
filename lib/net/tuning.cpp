// One line an option; the first that the kernel refuses ends it.
#include "lib/net/tuning.hpp"

#include "lib/net/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace ringwire::net {
namespace {

// Sets options until one is refused, whose name it then has.
class Tuner {
 public:
  Tuner(kernel::Kernel& kernel, int fd, std::string_view& fault) noexcept
      : kernel_{kernel}, fd_{fd}, fault_{fault} {}

  void set(std::string_view fault, int level, int name, const void* value, std::size_t size) noexcept {
    if (result_ < 0) return;
    result_ = kernel_.set_option(fd_, level, name, value, static_cast<socklen_t>(size));
    if (result_ < 0) fault_ = fault;
  }
  void set_number(std::string_view fault, int level, int name, int value) noexcept {
    set(fault, level, name, &value, sizeof value);
  }
  // The same where 0 means that nobody asked for it.
  void set_wish(std::string_view fault, int level, int name, std::int64_t value) noexcept {
    if (value != 0) set_number(fault, level, name, static_cast<int>(value));
  }

  [[nodiscard]] int result() const noexcept { return result_; }

 private:
  kernel::Kernel& kernel_;
  int fd_;
  std::string_view& fault_;
  int result_ = 0;
};

void set_buffers(Tuner& tuner, const Options& options) noexcept {
  tuner.set_wish(" (Options::socket_recv_buffer_size)", SOL_SOCKET, SO_RCVBUF,
                 static_cast<std::int64_t>(options.socket_recv_buffer_size));
  tuner.set_wish(" (Options::socket_send_buffer_size)", SOL_SOCKET, SO_SNDBUF,
                 static_cast<std::int64_t>(options.socket_send_buffer_size));
}

}  // namespace

int tune_socket(kernel::Kernel& kernel, int fd, const Options& options, std::string_view& fault) noexcept {
  Tuner tuner{kernel, fd, fault};
  set_buffers(tuner, options);
  if (!options.bind_to_device.empty()) {
    tuner.set(" (Options::bind_to_device)", SOL_SOCKET, SO_BINDTODEVICE, options.bind_to_device.data(),
              options.bind_to_device.size());
  }
  return tuner.result();
}

int tune_buffers(kernel::Kernel& kernel, int fd, const Options& options, std::string_view& fault) noexcept {
  Tuner tuner{kernel, fd, fault};
  set_buffers(tuner, options);
  return tuner.result();
}

int tune_listener(kernel::Kernel& kernel, int fd, const Options& options, std::string_view& fault) noexcept {
  Tuner tuner{kernel, fd, fault};
  tuner.set_wish(" (Options::tcp_defer_accept)", IPPROTO_TCP, TCP_DEFER_ACCEPT,
                 options.tcp_defer_accept.count());
  tuner.set_wish(" (Options::tcp_fast_open)", IPPROTO_TCP, TCP_FASTOPEN, options.tcp_fast_open);
  return tuner.result();
}

void tune_connection(kernel::Kernel& kernel, int fd, const Options& options) noexcept {
  std::string_view ignored;
  Tuner tuner{kernel, fd, ignored};
  if (options.tcp_no_delay) tuner.set_number({}, IPPROTO_TCP, TCP_NODELAY, 1);
  tuner.set_wish({}, IPPROTO_TCP, TCP_USER_TIMEOUT, options.tcp_user_timeout.count());
  if (options.tcp_keepalive.count() == 0) return;

  const std::int64_t idle = options.tcp_keepalive.count();
  const std::int64_t interval = options.tcp_keepalive_interval.count();
  tuner.set_wish({}, IPPROTO_TCP, TCP_KEEPIDLE, idle);
  tuner.set_wish({}, IPPROTO_TCP, TCP_KEEPINTVL,
                 interval != 0 ? interval : std::max<std::int64_t>(1, idle / 5));
  tuner.set_wish({}, IPPROTO_TCP, TCP_KEEPCNT, options.tcp_keepalive_count);
  tuner.set_number({}, SOL_SOCKET, SO_KEEPALIVE, 1);
}

bool is_group(const Address& address) noexcept {
  if (address.family == Address::Family::ipv4) return (address.ip[0] & 0xF0) == 0xE0;
  return address.family == Address::Family::ipv6 && address.ip[0] == 0xFF;
}

int share_group(kernel::Kernel& kernel, int fd, std::string_view& fault) noexcept {
  Tuner tuner{kernel, fd, fault};
  tuner.set_number({}, SOL_SOCKET, SO_REUSEADDR, 1);
  return tuner.result();
}

int join_group(kernel::Kernel& kernel, int fd, const Address& group, const Options& options,
               std::string_view& fault) noexcept {
  Tuner tuner{kernel, fd, fault};
  const std::string_view joining = " (joining the multicast group; see Options::multicast_interface)";
  const std::string_view sending = " (Options::multicast_interface)";
  const auto chosen = static_cast<int>(options.multicast_interface);
  if (group.family == Address::Family::ipv4) {
    ip_mreqn membership{};
    std::memcpy(&membership.imr_multiaddr, group.ip.data(), sizeof membership.imr_multiaddr);
    membership.imr_ifindex = chosen;
    tuner.set(joining, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership);
    membership.imr_multiaddr = {};
    if (chosen != 0) tuner.set(sending, IPPROTO_IP, IP_MULTICAST_IF, &membership, sizeof membership);
  } else {
    ipv6_mreq membership{};
    std::memcpy(&membership.ipv6mr_multiaddr, group.ip.data(), sizeof membership.ipv6mr_multiaddr);
    membership.ipv6mr_interface = chosen != 0 ? options.multicast_interface : group.zone;
    tuner.set(joining, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &membership, sizeof membership);
    tuner.set_wish(sending, IPPROTO_IPV6, IPV6_MULTICAST_IF, membership.ipv6mr_interface);
  }
  return tuner.result();
}

}  // namespace ringwire::net
