// The cycles of connections that do not stay.
#include "churn.hpp"

#include "connection.hpp"
#include "socket.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

namespace load {
namespace {

class Churn {
 public:
  explicit Churn(const Settings& settings)
      : settings_(settings), traffic_(settings), slots_(settings.connections) {
    buffer_.resize(settings.piece);
  }

  int run() {
    if (!resolve(settings_, target_)) return 1;
    allow_descriptors(settings_.connections + 64);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    const ServerWatch server{settings_.server_pid};
    const auto end = server.end(settings_.seconds);
    for (std::size_t index = 0; index < slots_.size(); ++index) open(index);
    while (figures_.errors == 0 && open_ > 0) {
      std::array<epoll_event, 256> events;
      const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 10'000);
      if (ready < 0 && errno != EINTR) figures_.fail("epoll_wait");
      if (ready == 0) {
        errno = ETIMEDOUT;
        figures_.fail("nothing came back for 10 s");
      }
      if (Clock::now() >= end) stopping_ = true;
      for (int index = 0; index < ready; ++index) serve(events[static_cast<std::size_t>(index)]);
    }
    return report(settings_, server, figures_);
  }

 private:
  void open(std::size_t index) {
    if (stopping_ || (settings_.messages != 0 && begun_ >= settings_.messages)) return;
    const Clock::time_point now = Clock::now();
    const int fd = open_socket(target_, SOCK_STREAM, true, begun_);
    if (fd < 0) return figures_.fail("connect");
    slots_[index].emplace(fd, begun_++, traffic_);
    slots_[index]->begin(now);
    ++open_;
    epoll_event event{};
    event.events = EPOLLOUT;
    event.data.u64 = index;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void serve(const epoll_event& event) {
    const std::size_t index = event.data.u64;
    Connection& one = *slots_[index];
    if ((event.events & EPOLLIN) == 0) {
      // Connected, or not: then send says why.
      const Connection::Outcome outcome = one.send(traffic_, settings_.piece);
      if (outcome == Connection::Outcome::failed) return figures_.fail("connect");
      if (outcome == Connection::Outcome::blocked) return;
      epoll_event next = event;
      next.events = EPOLLIN;
      epoll_ctl(epoll_, EPOLL_CTL_MOD, one.fd(), &next);
      return;
    }
    if (one.receive(traffic_, buffer_, figures_.latency) == Connection::Outcome::failed)
      return figures_.fail("receive");
    if (one.under_way() > 0) return;
    ::close(one.fd());
    slots_[index].reset();
    --open_;
    ++figures_.messages;
    open(index);
  }

  const Settings& settings_;
  Traffic traffic_;
  Target target_;
  Figures figures_;
  std::string buffer_;
  std::vector<std::optional<Connection>> slots_;
  int epoll_ = -1;
  std::size_t begun_ = 0;
  std::size_t open_ = 0;
  bool stopping_ = false;
};

}  // namespace

int run_churn(const Settings& settings) {
  return Churn{settings}.run();
}

}  // namespace load
