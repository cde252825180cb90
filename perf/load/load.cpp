// Our load generator: echo clients over one epoll, byte-checked. No ringwire inside, so that it measures any
// echo server alike.
//
// Leaves to others: pinning (taskset) and comparing (perf/evidence). Invariant: each connection has at most
// `depth` messages under way, and every byte that comes back is compared with what was sent.
//
// It prints one line of name=value pairs; exit code 1 when a byte was wrong, a connection was lost, or the
// asked number of messages was not reached.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::size_t connections = 64;
  std::size_t size = 64;
  std::size_t depth = 1;
  double seconds = 0;        // 0: until `messages` have been echoed.
  std::size_t messages = 0;  // Over all connections; 0: for `seconds`.
  std::uint64_t seed = 1;
  std::size_t piece = 256 << 10;  // Bytes one call sends or receives at most.
  int server_pid = 0;
};

bool read_number(std::string_view name, const char* value, Settings& settings) {
  char* end = nullptr;
  const double number = std::strtod(value, &end);
  if (*end != '\0' || number < 0) return false;
  const auto count = static_cast<std::size_t>(number);
  if (name == "--port") {
    settings.port = static_cast<std::uint16_t>(count);
  } else if (name == "--connections") {
    settings.connections = count;
  } else if (name == "--size") {
    settings.size = count;
  } else if (name == "--depth") {
    settings.depth = count;
  } else if (name == "--seconds") {
    settings.seconds = number;
  } else if (name == "--messages") {
    settings.messages = count;
  } else if (name == "--seed") {
    settings.seed = count;
  } else if (name == "--piece") {
    settings.piece = count;
  } else if (name == "--server-pid") {
    settings.server_pid = static_cast<int>(count);
  } else {
    return false;
  }
  return true;
}

bool parse(int count, char** words, Settings& settings) {
  for (int index = 1; index < count; index += 2) {
    if (index + 1 == count) return false;
    const std::string_view name{words[index]};
    if (name == "--host") {
      settings.host = words[index + 1];
    } else if (!read_number(name, words[index + 1], settings)) {
      return false;
    }
  }
  return settings.port != 0 && settings.connections > 0 && settings.size > 0 && settings.depth > 0 &&
         settings.piece > 0 && (settings.seconds > 0 || settings.messages > 0);
}

// CPU seconds of a process: the sum of its threads' run times, in nanoseconds, from schedstat; the clock
// ticks of stat are far too coarse here.
double cpu_seconds(int pid) {
  std::uint64_t total = 0;
  std::error_code ignored;
  const std::string directory = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& thread : std::filesystem::directory_iterator{directory, ignored}) {
    std::ifstream file{thread.path() / "schedstat"};
    std::uint64_t running = 0;
    file >> running;
    total += running;
  }
  return static_cast<double>(total) * 1e-9;
}

struct Connection {
  int fd = -1;
  std::size_t sent = 0;      // Bytes of the endless stream that went out.
  std::size_t wanted = 0;    // Bytes that may go out: `depth` messages ahead of what came back.
  std::size_t received = 0;  // Bytes that came back and were right.
  std::size_t offset = 0;    // Where in the pattern this connection's stream starts.
  bool wants_output = false;
};

class Load {
 public:
  explicit Load(const Settings& settings) : settings_(settings) {
    // Long and odd, so that no two messages or connections look the same where they are compared.
    pattern_.resize((1 << 20) + 7);
    std::mt19937_64 random{settings.seed};
    for (char& byte : pattern_) byte = static_cast<char>(random());
    buffer_.resize(settings.piece);
  }

  bool connect() {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(settings_.port);
    if (inet_pton(AF_INET, settings_.host.c_str(), &name.sin_addr) != 1) return false;
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    connections_.resize(settings_.connections);
    for (std::size_t index = 0; index < connections_.size(); ++index) {
      Connection& one = connections_[index];
      one.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (one.fd < 0 ||
          ::connect(one.fd, static_cast<sockaddr*>(static_cast<void*>(&name)), sizeof name) != 0) {
        std::cerr << "connect: " << std::strerror(errno) << std::endl;
        return false;
      }
      const int on = 1;
      setsockopt(one.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      one.offset = (index * 7919) % pattern_.size();
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = index;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, one.fd, &event);
    }
    return true;
  }

  // Runs until the time is over or the messages are done, then lets what is under way come back.
  int run() {
    const auto start = Clock::now();
    const double cpu_before = settings_.server_pid > 0 ? cpu_seconds(settings_.server_pid) : 0;
    const auto end = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                                 settings_.seconds > 0 ? settings_.seconds : 1e6));
    for (Connection& one : connections_) fill(one);
    while (errors_ == 0 && (under_way_ > 0)) {
      epoll_event events[256];
      const int ready = epoll_wait(epoll_, events, 256, 10'000);
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) {
        ++errors_;
        std::cerr << "nothing came back for 10 s" << std::endl;
      }
      if (Clock::now() >= end) stopping_ = true;
      for (int index = 0; index < ready; ++index)
        serve(connections_[events[index].data.u64], events[index].events);
    }
    return report(start, cpu_before);
  }

 private:
  [[nodiscard]] bool may_start() const {
    return !stopping_ && (settings_.messages == 0 || started_ < settings_.messages);
  }

  // Starts as many messages as depth allows, and sends.
  void fill(Connection& one) {
    while (one.wanted - one.received < settings_.depth * settings_.size && may_start()) {
      one.wanted += settings_.size;
      ++started_;
      under_way_ += settings_.size;
    }
    send_some(one);
  }

  void send_some(Connection& one) {
    while (one.sent < one.wanted) {
      const std::size_t at = (one.offset + one.sent) % pattern_.size();
      const std::size_t size = std::min({pattern_.size() - at, one.wanted - one.sent, settings_.piece});
      const ssize_t sent = ::send(one.fd, pattern_.data() + at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0) {
        if (errno != EAGAIN) lost("send");
        break;
      }
      one.sent += static_cast<std::size_t>(sent);
    }
    const bool wants_output = one.sent < one.wanted;
    if (wants_output == one.wants_output) return;
    one.wants_output = wants_output;
    epoll_event event{};
    event.events = wants_output ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.u64 = static_cast<std::uint64_t>(&one - connections_.data());
    epoll_ctl(epoll_, EPOLL_CTL_MOD, one.fd, &event);
  }

  void serve(Connection& one, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) send_some(one);
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
    const ssize_t came = ::recv(one.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (came < 0 && errno == EAGAIN) return;
    if (came <= 0) return lost("receive");
    check(one, static_cast<std::size_t>(came));
    fill(one);
  }

  void check(Connection& one, std::size_t size) {
    const std::size_t messages_before = one.received / settings_.size;
    if (size > one.sent - one.received) return lost("more came back than was sent");
    for (std::size_t done = 0; done < size;) {
      const std::size_t at = (one.offset + one.received) % pattern_.size();
      const std::size_t piece = std::min(pattern_.size() - at, size - done);
      if (std::memcmp(buffer_.data() + done, pattern_.data() + at, piece) != 0) return lost("compare");
      one.received += piece;
      done += piece;
    }
    under_way_ -= size;
    completed_ += one.received / settings_.size - messages_before;
  }

  void lost(const char* where) {
    ++errors_;
    std::cerr << where << ": " << std::strerror(errno) << std::endl;
  }

  int report(Clock::time_point start, double cpu_before) {
    const double wall = std::chrono::duration<double>(Clock::now() - start).count();
    std::cout << "messages=" << completed_ << " seconds=" << wall
              << " rate=" << static_cast<std::uint64_t>(static_cast<double>(completed_) / wall)
              << " errors=" << errors_;
    if (settings_.server_pid > 0) {
      const double cpu = cpu_seconds(settings_.server_pid) - cpu_before;
      std::cout << " server_cpu_seconds=" << cpu << " server_us_per_message="
                << cpu * 1e6 / static_cast<double>(std::max<std::size_t>(completed_, 1));
    }
    std::cout << std::endl;
    const bool enough = settings_.messages == 0 || completed_ >= settings_.messages;
    return errors_ == 0 && enough ? 0 : 1;
  }

  Settings settings_;
  std::string pattern_;
  std::string buffer_;
  std::vector<Connection> connections_;
  int epoll_ = -1;
  std::size_t started_ = 0;
  std::size_t completed_ = 0;
  std::size_t under_way_ = 0;  // Bytes sent, or to be sent, and not back yet.
  std::size_t errors_ = 0;
  bool stopping_ = false;
};

}  // namespace

int main(int count, char** words) {
  Settings settings;
  if (!parse(count, words, settings)) {
    std::cerr << "usage: load --port N [--host A] [--connections N] [--size BYTES] [--depth N]\n"
                 "            (--seconds S | --messages N) [--seed N] [--piece BYTES] [--server-pid PID]\n";
    return 2;
  }
  Load load{settings};
  return load.connect() ? load.run() : 1;
}
