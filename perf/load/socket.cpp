// Opens the load generator's sockets.
#include "socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace load {
namespace {

void* bytes_of(void* name) {
  return name;
}

// Whoever connects to the loopback may come from any of its addresses.
void choose_source(int fd, std::size_t index) {
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(index % 16));
  const int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  bind(fd, static_cast<sockaddr*>(bytes_of(&source)), sizeof source);
}

}  // namespace

bool resolve(const Settings& settings, Target& target) {
  if (!settings.unix_path.empty()) {
    auto& name = *static_cast<sockaddr_un*>(bytes_of(&target.name));
    if (settings.unix_path.size() >= sizeof name.sun_path) return false;
    name.sun_family = AF_UNIX;
    settings.unix_path.copy(name.sun_path, settings.unix_path.size());
    target.size = sizeof name;
    return true;
  }
  auto& name = *static_cast<sockaddr_in*>(bytes_of(&target.name));
  name.sin_family = AF_INET;
  name.sin_port = htons(settings.port);
  target.size = sizeof name;
  target.is_tcp = !settings.udp;
  return inet_pton(AF_INET, settings.host.c_str(), &name.sin_addr) == 1;
}

int open_socket(const Target& target, int type, bool nonblocking, std::size_t index) {
  const int fd = socket(target.name.ss_family, type | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
  if (fd < 0) return -1;
  if (target.is_tcp) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto& name = *static_cast<const sockaddr_in*>(static_cast<const void*>(&target.name));
    if (ntohl(name.sin_addr.s_addr) == INADDR_LOOPBACK) choose_source(fd, index);
  }
  const auto* const name = static_cast<const sockaddr*>(static_cast<const void*>(&target.name));
  if (::connect(fd, name, target.size) != 0 && errno != EINPROGRESS) {
    const int error = errno;
    ::close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

void allow_descriptors(std::size_t count) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(count, limit.rlim_max));
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace load
