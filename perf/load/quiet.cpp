// Quiet clients of an echo server: each asks 64 bytes now and then, and notes how long the answer took.
//
// Leaves to others: what else the server has to do meanwhile (perf/evidence/fairness). No ringwire inside.
// Invariant: a connection has at most one question under way; a turn that comes before its answer is passed.
//
// It prints one line of name=value pairs; exit code 1 when a byte was wrong or a connection was lost.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t size = 64;
constexpr std::chrono::nanoseconds interval = std::chrono::milliseconds{20};  // Of one connection.

struct Connection {
  int fd = -1;
  std::size_t received = 0;  // Of the answer under way.
  bool asking = false;
  Clock::time_point asked_at;
};

class Quiet {
 public:
  Quiet(std::uint16_t port, std::size_t count) : port_{port}, connections_(count) {
    for (std::size_t at = 0; at < size; ++at) question_[at] = static_cast<char>(at * 37);
  }

  bool connect() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port_);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (std::size_t index = 0; index < connections_.size(); ++index) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (::connect(fd, static_cast<sockaddr*>(static_cast<void*>(&name)), sizeof name) != 0) return false;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      connections_[index].fd = fd;
      watch(fd, index);
    }
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    const auto period = interval / connections_.size();  // They take turns.
    itimerspec time{};
    time.it_value.tv_nsec = period.count();
    time.it_interval.tv_nsec = period.count();
    timerfd_settime(timer_, 0, &time, nullptr);
    watch(timer_, connections_.size());
    return true;
  }

  int run(double seconds) {
    const auto end =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    while (errors_ == 0 && Clock::now() < end) {
      std::array<epoll_event, 256> events;
      const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 1000);
      for (int at = 0; at < ready; ++at) {
        const std::size_t index = events[static_cast<std::size_t>(at)].data.u64;
        index == connections_.size() ? take_turns() : receive(connections_[index]);
      }
    }
    return report();
  }

 private:
  void watch(int fd, std::size_t index) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void take_turns() {
    std::uint64_t turns = 0;
    if (::read(timer_, &turns, sizeof turns) != sizeof turns) return;
    // After a long wait of our own the turns that were missed are not made up for.
    Connection& one = connections_[next_++ % connections_.size()];
    if (one.asking) return;
    one.asking = true;
    one.received = 0;
    one.asked_at = Clock::now();
    if (::send(one.fd, question_.data(), size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) ++errors_;
  }

  void receive(Connection& one) {
    std::array<char, size> answer;
    const ssize_t came = ::recv(one.fd, answer.data(), size - one.received, MSG_DONTWAIT);
    if (came <= 0 || !one.asking ||
        std::memcmp(answer.data(), question_.data() + one.received, static_cast<std::size_t>(came)) != 0) {
      ++errors_;
      return;
    }
    one.received += static_cast<std::size_t>(came);
    if (one.received < size) return;
    one.asking = false;
    times_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - one.asked_at).count());
  }

  int report() {
    std::sort(times_.begin(), times_.end());
    const auto part = [this](double share) {
      return times_.empty()
                 ? 0.0
                 : times_[static_cast<std::size_t>(share * static_cast<double>(times_.size() - 1))];
    };
    std::cout << "answers=" << times_.size() << " errors=" << errors_ << " p50_us=" << part(0.5)
              << " p99_us=" << part(0.99) << " max_us=" << part(1) << std::endl;
    return errors_ == 0 && !times_.empty() ? 0 : 1;
  }

  std::uint16_t port_;
  std::vector<Connection> connections_;
  std::array<char, size> question_{};
  std::vector<double> times_;
  std::size_t next_ = 0;
  std::size_t errors_ = 0;
  int epoll_ = -1;
  int timer_ = -1;
};

}  // namespace

int main(int count, char** words) {
  if (count != 4) {
    std::cerr << "usage: quiet PORT CONNECTIONS SECONDS\n";
    return 2;
  }
  Quiet quiet{static_cast<std::uint16_t>(std::atoi(words[1])), std::strtoul(words[2], nullptr, 10)};
  return quiet.connect() ? quiet.run(std::strtod(words[3], nullptr)) : 1;
}
