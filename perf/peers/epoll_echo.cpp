// A plain epoll echo server, as one would write it by hand with care: the thing to compare ringwire with.
//
// Level-triggered; what is read is written at once, without a queue; only what the socket does not take waits
// in a per-connection buffer, and then reading stops until it is gone. Leaves to others: measuring.
#include "peer.hpp"

#include <sys/epoll.h>

#include <memory>
#include <unordered_map>

namespace {

class Server {
 public:
  explicit Server(peer::Listener listener) : listener_(listener), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    watch(EPOLL_CTL_ADD, listener_.fd, EPOLLIN);
  }

  void run() {
    epoll_event events[512];
    while (true) {
      const int ready = epoll_wait(epoll_, events, 512, -1);
      for (int index = 0; index < ready; ++index) {
        const int fd = events[index].data.fd;
        if (fd == listener_.fd) {
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
      const int fd = accept4(listener_.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      if (listener_.is_tcp) peer::set_no_delay(fd);
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

  peer::Listener listener_;
  int epoll_;
  std::unordered_map<int, std::string> left_;
  char buffer_[64 * 1024];
};

}  // namespace

int main(int count, char** words) {
  return peer::run(peer::parse(count, words),
                   [](peer::Listener listener) { std::make_unique<Server>(listener)->run(); });
}
