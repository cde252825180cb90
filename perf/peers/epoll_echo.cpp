// A plain epoll echo server, as one would write it by hand with care: the thing to compare ringwire with.
//
// Level-triggered; what is read is written at once, without a queue; only what the socket does not take waits
// in a per-connection buffer, and then reading stops until it is gone. `--threads N` runs N of these, each
// with its own SO_REUSEPORT listener. Leaves to others: measuring.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

int open_listener(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, static_cast<sockaddr*>(static_cast<void*>(&name)), sizeof name) != 0 ||
      listen(fd, 4096) != 0) {
    std::cerr << "listen: " << std::strerror(errno) << std::endl;
    std::exit(1);
  }
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_in name{};
  socklen_t size = sizeof name;
  getsockname(fd, static_cast<sockaddr*>(static_cast<void*>(&name)), &size);
  return ntohs(name.sin_port);
}

class Server {
 public:
  explicit Server(int listener) : listener_(listener), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
  }

  void run() {
    epoll_event events[512];
    while (true) {
      const int ready = epoll_wait(epoll_, events, 512, -1);
      for (int index = 0; index < ready; ++index) {
        const int fd = events[index].data.fd;
        if (fd == listener_) {
          accept_all();
        } else if ((events[index].events & EPOLLOUT) != 0) {
          write_left(fd);
        } else {
          echo(fd);
        }
      }
    }
  }

 private:
  void watch(int verb, int fd, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll_, verb, fd, &event);
  }

  void accept_all() {
    while (true) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
  }

  // One read, one write: level-triggered epoll tells again when there is more.
  void echo(int fd) {
    const ssize_t size = ::recv(fd, buffer_, sizeof buffer_, 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return drop(fd);
    const ssize_t sent = ::send(fd, buffer_, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (sent == size) return;
    if (sent < 0 && errno != EAGAIN) return drop(fd);
    const ssize_t taken = sent < 0 ? 0 : sent;
    left_[fd].assign(buffer_ + taken, static_cast<std::size_t>(size - taken));
    watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
  }

  void write_left(int fd) {
    std::string& left = left_[fd];
    const ssize_t sent = ::send(fd, left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return drop(fd);
    if (sent > 0) left.erase(0, static_cast<std::size_t>(sent));
    if (!left.empty()) return;
    left_.erase(fd);
    watch(EPOLL_CTL_MOD, fd, EPOLLIN);
  }

  void drop(int fd) {
    left_.erase(fd);
    ::close(fd);
  }

  int listener_;
  int epoll_;
  std::unordered_map<int, std::string> left_;
  char buffer_[64 * 1024];
};

}  // namespace

int main(int count, char** words) {
  std::uint16_t port = 0;
  unsigned long threads_count = 1;
  for (int index = 1; index + 1 < count; index += 2) {
    const unsigned long value = std::strtoul(words[index + 1], nullptr, 10);
    if (std::string_view{words[index]} == "--port") port = static_cast<std::uint16_t>(value);
    if (std::string_view{words[index]} == "--threads") threads_count = value;
  }
  std::vector<int> listeners{open_listener(port)};
  port = port_of(listeners.front());
  while (listeners.size() < threads_count) listeners.push_back(open_listener(port));
  std::cout << "listening 127.0.0.1:" << port << std::endl;

  std::vector<std::thread> threads;
  for (const int listener : listeners) {
    threads.emplace_back([listener] { std::make_unique<Server>(listener)->run(); });
  }
  for (std::thread& thread : threads) thread.join();
}
