// The socket and event calls of the real Linux: what each answers when it works, and its -errno when it does
// not.
#include "lib/kernel/linux.hpp"

#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

namespace ringwire::kernel {
namespace {

// A descriptor that is closed at the end.
struct Fd {
  explicit Fd(int fd) : number{fd} {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (number >= 0) ::close(number);
  }
  int number;
};

SocketName loopback(in_port_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  SocketName name;
  std::memcpy(&name.storage, &address, sizeof address);
  name.size = sizeof address;
  return name;
}

sockaddr_in as_ipv4(const SocketName& name) {
  sockaddr_in address{};
  std::memcpy(&address, &name.storage, sizeof address);
  return address;
}

in_port_t port_of(const SocketName& name) {
  return ntohs(as_ipv4(name).sin_port);
}

bool is_readable(int fd) {
  pollfd poll_fd{fd, POLLIN, 0};
  return ::poll(&poll_fd, 1, 0) == 1;
}

// A listener on a port of the kernel's choice, and a connection to it, both ends.
struct Connected {
  Connected() {
    REQUIRE(listener.number >= 0);
    REQUIRE(kernel.bind(listener.number, loopback(0)) == 0);
    REQUIRE(kernel.listen(listener.number, 1) == 0);
    REQUIRE(kernel.local_name(listener.number, listening) == 0);
    const sockaddr_in address = as_ipv4(listening);
    REQUIRE(::connect(client.number, static_cast<const sockaddr*>(static_cast<const void*>(&address)),
                      sizeof address) == 0);
    server.number = ::accept(listener.number, nullptr, nullptr);
    REQUIRE(server.number >= 0);
  }

  Linux kernel;
  Fd listener{kernel.open_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)};
  Fd client{kernel.open_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)};
  Fd server{-1};
  SocketName listening;
};

TEST_CASE("a socket is not inherited by programs we start") {
  Linux kernel;
  const Fd fd{kernel.open_socket(AF_INET, SOCK_STREAM, 0)};
  REQUIRE(fd.number >= 0);
  CHECK((::fcntl(fd.number, F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a socket of no known kind is refused with its errno") {
  Linux kernel;
  CHECK(kernel.open_socket(12'345, SOCK_STREAM, 0) == -EAFNOSUPPORT);
  CHECK(kernel.open_socket(AF_INET, SOCK_STREAM, IPPROTO_UDP) == -EPROTONOSUPPORT);
}

TEST_CASE("every call on a descriptor that is none answers EBADF") {
  Linux kernel;
  SocketName name = loopback(0);
  int value = 0;
  socklen_t size = sizeof value;
  CHECK(kernel.bind(-1, name) == -EBADF);
  CHECK(kernel.listen(-1, 1) == -EBADF);
  CHECK(kernel.set_option(-1, SOL_SOCKET, SO_REUSEADDR, &value, size) == -EBADF);
  CHECK(kernel.get_option(-1, SOL_SOCKET, SO_REUSEADDR, &value, size) == -EBADF);
  CHECK(kernel.local_name(-1, name) == -EBADF);
  CHECK(kernel.peer_name(-1, name) == -EBADF);
  CHECK(kernel.shutdown(-1, SHUT_WR) == -EBADF);
  CHECK(kernel.close(-1) == -EBADF);
  CHECK(kernel.signal_event(-1) == -EBADF);
}

TEST_CASE("a listener told port 0 has a real one, and both ends know each other's name") {
  Connected at;
  CHECK(port_of(at.listening) != 0);
  SocketName theirs;
  SocketName ours;
  REQUIRE(at.kernel.peer_name(at.client.number, theirs) == 0);
  CHECK(theirs.size == sizeof(sockaddr_in));
  CHECK(port_of(theirs) == port_of(at.listening));
  REQUIRE(at.kernel.local_name(at.client.number, ours) == 0);
  REQUIRE(at.kernel.peer_name(at.server.number, theirs) == 0);
  CHECK(port_of(theirs) == port_of(ours));
}

TEST_CASE("a port somebody listens on answers EADDRINUSE") {
  Connected at;
  const Fd second{at.kernel.open_socket(AF_INET, SOCK_STREAM, 0)};
  CHECK(at.kernel.bind(second.number, loopback(port_of(at.listening))) == -EADDRINUSE);
}

TEST_CASE("an address of another machine answers EADDRNOTAVAIL") {
  Linux kernel;
  const Fd fd{kernel.open_socket(AF_INET, SOCK_STREAM, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(0xC0'00'02'01);  // 192.0.2.1, for documentation only (RFC 5737).
  SocketName name;
  std::memcpy(&name.storage, &address, sizeof address);
  name.size = sizeof address;
  CHECK(kernel.bind(fd.number, name) == -EADDRNOTAVAIL);
}

TEST_CASE("a socket without a peer answers ENOTCONN") {
  Linux kernel;
  const Fd fd{kernel.open_socket(AF_INET, SOCK_STREAM, 0)};
  SocketName name;
  CHECK(kernel.peer_name(fd.number, name) == -ENOTCONN);
  CHECK(kernel.shutdown(fd.number, SHUT_WR) == -ENOTCONN);
}

TEST_CASE("an option that was set is read back with its size") {
  Linux kernel;
  const Fd fd{kernel.open_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)};
  const int on = 1;
  REQUIRE(kernel.set_option(fd.number, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
  int value = 0;
  socklen_t size = sizeof value;
  REQUIRE(kernel.get_option(fd.number, IPPROTO_TCP, TCP_NODELAY, &value, size) == 0);
  CHECK(value == 1);
  CHECK(size == sizeof value);
}

TEST_CASE("an option nobody knows answers ENOPROTOOPT, a descriptor that is no socket ENOTSOCK") {
  Linux kernel;
  const Fd fd{kernel.open_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)};
  const Fd event{kernel.open_event()};
  const int on = 1;
  CHECK(kernel.set_option(fd.number, IPPROTO_TCP, 9'999, &on, sizeof on) == -ENOPROTOOPT);
  CHECK(kernel.set_option(event.number, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -ENOTSOCK);
}

TEST_CASE("shutting down one direction sends FIN and leaves the other open") {
  Connected at;
  REQUIRE(at.kernel.shutdown(at.server.number, SHUT_WR) == 0);
  char byte = 0;
  CHECK(::recv(at.client.number, &byte, 1, 0) == 0);
  REQUIRE(::send(at.client.number, "x", 1, MSG_NOSIGNAL) == 1);
  CHECK(::recv(at.server.number, &byte, 1, 0) == 1);
  CHECK(byte == 'x');
}

TEST_CASE("a numeric host is resolved without its port") {
  Linux kernel;
  std::vector<SocketName> names;
  REQUIRE(kernel.resolve("127.0.0.1", AF_UNSPEC, names) == 0);
  REQUIRE(names.size() == 1);
  CHECK(names[0].storage.ss_family == AF_INET);
  CHECK(port_of(names[0]) == 0);
  CHECK(as_ipv4(names[0]).sin_addr.s_addr == htonl(INADDR_LOOPBACK));
}

TEST_CASE("resolving appends, and a host the family does not fit answers ENOENT") {
  Linux kernel;
  std::vector<SocketName> names(1);
  CHECK(kernel.resolve("127.0.0.1", AF_INET6, names) == -ENOENT);
  CHECK(names.size() == 1);
  CHECK(kernel.resolve("::1", AF_INET6, names) == 0);
  REQUIRE(names.size() == 2);
  CHECK(names[1].storage.ss_family == AF_INET6);
}

TEST_CASE("an event counts its signals until they are read") {
  Linux kernel;
  const Fd event{kernel.open_event()};
  REQUIRE(event.number >= 0);
  CHECK((::fcntl(event.number, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK_FALSE(is_readable(event.number));
  REQUIRE(kernel.signal_event(event.number) >= 0);
  REQUIRE(kernel.signal_event(event.number) >= 0);
  std::uint64_t count = 0;
  REQUIRE(::read(event.number, &count, sizeof count) == sizeof count);
  CHECK(count == 2);
  CHECK_FALSE(is_readable(event.number));
}

// Which signals the calling thread has blocked.
struct Blocked {
  Blocked() { ::pthread_sigmask(SIG_SETMASK, nullptr, &set); }
  [[nodiscard]] bool has(int signal) const { return sigismember(&set, signal) == 1; }
  sigset_t set{};
};

TEST_CASE("the stop signals are blocked and arrive through the descriptor instead") {
  std::array<unsigned, 2> received{};
  bool blocked = false;
  bool closed_on_exec = false;
  std::thread{[&] {
    Linux kernel;
    const int fd = kernel.open_signals();
    if (fd < 0) return;
    blocked = Blocked{}.has(SIGTERM) && Blocked{}.has(SIGINT);
    closed_on_exec = (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
    for (unsigned& number : received) {
      ::pthread_kill(::pthread_self(), &number == &received[0] ? SIGTERM : SIGINT);
      signalfd_siginfo info{};
      if (is_readable(fd) && ::read(fd, &info, sizeof info) == sizeof info) number = info.ssi_signo;
    }
    kernel.close_signals(fd);
  }}.join();
  CHECK(blocked);
  CHECK(closed_on_exec);
  CHECK(received[0] == SIGTERM);
  CHECK(received[1] == SIGINT);
}

TEST_CASE("the signal mask is afterwards what it was before") {
  bool term_blocked = true;
  bool int_blocked = false;
  bool still_open = true;
  std::thread{[&] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);  // Blocked by whoever embeds us: it must stay so.
    ::pthread_sigmask(SIG_SETMASK, &set, nullptr);
    Linux kernel;
    const int fd = kernel.open_signals();
    kernel.close_signals(fd);
    term_blocked = Blocked{}.has(SIGTERM);
    int_blocked = Blocked{}.has(SIGINT);
    still_open = ::fcntl(fd, F_GETFD) >= 0;
  }}.join();
  CHECK_FALSE(term_blocked);
  CHECK(int_blocked);
  CHECK_FALSE(still_open);
}

}  // namespace
}  // namespace ringwire::kernel
