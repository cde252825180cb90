// What all peers share: the command line, the listening sockets, and the line that says where they are.
//
// Leaves to others: serving. `--threads N` gives N listeners: on one port by SO_REUSEPORT, so that the kernel
// spreads clients; at one unix path by duplicates of one socket. Invariant: nothing is printed before all
// listen.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace peer {

/// What a peer is told.
struct Settings {
  std::uint16_t port = 0;  // 0: the kernel chooses.
  std::string unix_path;   // Instead of a port.
  unsigned threads = 1;
  std::size_t clients = 0;  // The process ends when so many have come and gone; 0: never.
};

/// What a serving thread is given: a socket that listens and does not block.
struct Listener {
  int fd = -1;
  bool is_tcp = true;
  std::size_t clients = 0;  // As in Settings.
};

/// Ends the process and says why.
[[noreturn]] inline void fail(const char* what, int error = errno) {
  std::cerr << what << ": " << std::strerror(error) << std::endl;
  std::exit(1);
}

/// Reads the command line; ends the process when it cannot.
/// `counts_clients`: this peer knows how to end by itself.
inline Settings parse(int count, char** words, bool counts_clients = false) {
  Settings settings;
  for (int index = 1; index < count; index += 2) {
    const std::string_view name{words[index]};
    const char* value = index + 1 < count ? words[index + 1] : "";
    const unsigned long number = std::strtoul(value, nullptr, 10);
    if (name == "--port") {
      settings.port = static_cast<std::uint16_t>(number);
    } else if (name == "--unix" && *value != '\0') {
      settings.unix_path = value;
    } else if (name == "--threads" && number > 0) {
      settings.threads = static_cast<unsigned>(number);
    } else if (name == "--clients" && counts_clients) {
      settings.clients = number;
    } else {
      std::cerr << "usage: " << words[0] << " [--port N | --unix PATH] [--threads N]"
                << (counts_clients ? " [--clients N]\n" : "\n");
      std::exit(2);
    }
  }
  return settings;
}

/// An echo that waits for nobody: no Nagle.
inline void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// Listens on a port of the loopback; with `port` 0 that becomes the one chosen.
inline int listen_tcp(std::uint16_t& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_in name{};
  socklen_t size = sizeof name;
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const address = static_cast<sockaddr*>(static_cast<void*>(&name));
  if (bind(fd, address, sizeof name) != 0 || listen(fd, 4096) != 0) fail("listen");
  getsockname(fd, address, &size);
  port = ntohs(name.sin_port);
  return fd;
}

/// Listens at a path, of which a file left over is removed.
inline int listen_unix(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) fail("--unix", ENAMETOOLONG);
  path.copy(name.sun_path, path.size());
  ::unlink(path.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(fd, static_cast<sockaddr*>(static_cast<void*>(&name)), sizeof name) != 0 ||
      listen(fd, 4096) != 0) {
    fail("listen");
  }
  return fd;
}

/// As many descriptors as this process may have.
inline void raise_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// Listens, says where, and runs `serve(Listener)` in each thread; it does not return.
template <typename Serve>
int run(Settings settings, Serve serve) {
  raise_descriptors();
  const bool is_tcp = settings.unix_path.empty();
  std::vector<Listener> listeners;
  for (unsigned index = 0; index < settings.threads; ++index) {
    const int fd = is_tcp       ? listen_tcp(settings.port)
                   : index == 0 ? listen_unix(settings.unix_path)
                                : fcntl(listeners.front().fd, F_DUPFD_CLOEXEC, 0);
    listeners.push_back({fd, is_tcp, settings.clients});
  }
  std::cout << "listening "
            << (is_tcp ? "127.0.0.1:" + std::to_string(settings.port) : "unix:" + settings.unix_path)
            << std::endl;
  std::vector<std::thread> threads;
  for (std::size_t index = 1; index < listeners.size(); ++index)
    threads.emplace_back(serve, listeners[index]);
  serve(listeners.front());
  for (std::thread& thread : threads) thread.join();
  return 1;  // A server does not end by itself.
}

}  // namespace peer
