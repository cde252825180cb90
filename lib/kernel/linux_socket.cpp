// The socket, file and event calls of the real Linux: each is one system call, with -errno for a result.
#include "lib/kernel/linux.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace ringwire::kernel {
namespace {

int result_of(int result) noexcept {
  return result < 0 ? -errno : result;
}

const sockaddr* plain(const SocketName& name) noexcept {
  return reinterpret_cast<const sockaddr*>(&name.storage);
}

sockaddr* plain(SocketName& name) noexcept {
  name.size = sizeof(name.storage);
  return reinterpret_cast<sockaddr*>(&name.storage);
}

sigset_t stop_signals() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

// What the thread had blocked before `open_signals`: opened and closed on one thread, so kept with it.
thread_local sigset_t mask_before;

}  // namespace

int Linux::open_socket(int family, int type, int protocol) noexcept {
  return result_of(::socket(family, type | SOCK_CLOEXEC, protocol));
}

int Linux::bind(int fd, const SocketName& name) noexcept {
  return result_of(::bind(fd, plain(name), name.size));
}

int Linux::connect(int fd, const SocketName& name) noexcept {
  return result_of(::connect(fd, plain(name), name.size));
}

int Linux::listen(int fd, int backlog) noexcept {
  return result_of(::listen(fd, backlog));
}

int Linux::accept(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
  int result = 0;
  do {
    result = result_of(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
  } while (result == -EINTR);
  return result;
}

int Linux::set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  return result_of(::setsockopt(fd, level, name, value, size));
}

int Linux::get_option(int fd, int level, int name, void* value, socklen_t& size) noexcept {
  return result_of(::getsockopt(fd, level, name, value, &size));
}

int Linux::local_name(int fd, SocketName& name) noexcept {
  return result_of(::getsockname(fd, plain(name), &name.size));
}

int Linux::peer_name(int fd, SocketName& name) noexcept {
  return result_of(::getpeername(fd, plain(name), &name.size));
}

int Linux::shutdown(int fd, int how) noexcept {
  return result_of(::shutdown(fd, how));
}

int Linux::close(int fd) noexcept {
  return result_of(::close(fd));
}

int Linux::resolve(const std::string& host, int family, std::vector<SocketName>& names) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int result = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); result != 0) {
    return result == EAI_SYSTEM ? -errno : -ENOENT;
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    SocketName name;
    std::memcpy(&name.storage, each->ai_addr, each->ai_addrlen);
    name.size = each->ai_addrlen;
    names.push_back(name);
  }
  return 0;
}

int Linux::identify_file(const char* path, FileIdentity& identity) noexcept {
  struct stat found {};
  if (::lstat(path, &found) != 0) return -errno;
  identity = {found.st_dev, found.st_ino, S_ISSOCK(found.st_mode)};
  return 0;
}

int Linux::remove_file(const char* path) noexcept {
  return result_of(::unlink(path));
}

int Linux::duplicate(int fd) noexcept {
  return result_of(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

int Linux::process_id() noexcept {
  return ::getpid();
}

int Linux::open_event() noexcept {
  return result_of(::eventfd(0, EFD_CLOEXEC));
}

int Linux::signal_event(int fd) noexcept {
  const std::uint64_t one = 1;
  return result_of(static_cast<int>(::write(fd, &one, sizeof(one))));
}

int Linux::open_signals() noexcept {
  const sigset_t set = stop_signals();
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, &mask_before); error != 0) return -error;
  const int fd = result_of(::signalfd(-1, &set, SFD_CLOEXEC));
  if (fd < 0) ::pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
  return fd;
}

void Linux::close_signals(int fd) noexcept {
  ::close(fd);
  // Who asks twice to stop means the stop that is over: with the mask as before, the second signal would end
  // the process. What was blocked before is its owner's.
  sigset_t ours;
  ::sigemptyset(&ours);
  for (const int number : {SIGINT, SIGTERM}) {
    if (::sigismember(&mask_before, number) == 0) ::sigaddset(&ours, number);
  }
  const timespec no_wait{};
  while (::sigtimedwait(&ours, nullptr, &no_wait) > 0) {
  }
  ::pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
}

}  // namespace ringwire::kernel
