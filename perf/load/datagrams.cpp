// The loop of datagrams.
#include "datagrams.hpp"

#include "socket.hpp"
#include "traffic.hpp"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace load {
namespace {

constexpr std::chrono::milliseconds patience{200};  // Then a datagram is lost.

// One datagram under way. Its number is `turn * places + place`.
struct Place {
  std::uint64_t number = 0;
  Clock::time_point sent;
  bool waits = false;
};

class Datagrams {
 public:
  explicit Datagrams(const Settings& settings) : settings_(settings), traffic_(settings) {}

  int run() {
    if (!connect()) return 1;
    const ServerWatch server{settings_.server_pid};
    const auto end = server.end(settings_.seconds);
    for (std::size_t place = 0; place < places_.size(); ++place) begin(place);
    auto sweep = Clock::now() + patience;
    while (figures_.errors == 0 && under_way_ > 0) {
      std::array<epoll_event, 256> events;
      const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(patience.count() / 4));
      if (ready < 0 && errno != EINTR) figures_.fail("epoll_wait");
      const auto now = Clock::now();
      if (now >= end) stopping_ = true;
      for (int index = 0; index < ready; ++index)
        receive_all(events[static_cast<std::size_t>(index)].data.u64);
      if (now < sweep) continue;
      sweep = now + patience / 4;
      give_up_late_ones(now);
    }
    if (figures_.messages == 0) ++figures_.errors;  // Nobody answers.
    return report(settings_, server, figures_);
  }

 private:
  bool connect() {
    Target target;
    if (!resolve(settings_, target)) return false;
    allow_descriptors(settings_.connections + 64);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    places_.resize(settings_.connections * settings_.depth);
    message_.resize(settings_.size);
    answer_.resize(settings_.size + 1);
    for (std::size_t index = 0; index < settings_.connections; ++index) {
      sockets_.push_back(open_socket(target, SOCK_DGRAM, true, index));
      if (sockets_.back() < 0) return false;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = index;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, sockets_.back(), &event);
    }
    return true;
  }

  // Number first, then what the number chooses of the stream.
  std::string_view content(std::uint64_t number) {
    std::memcpy(message_.data(), &number, sizeof number);
    std::size_t done = sizeof number;
    while (done < message_.size()) {
      const std::string_view bytes =
          traffic_.out().at(0, number * 7919 + done).substr(0, message_.size() - done);
      done += bytes.copy(message_.data() + done, bytes.size());
    }
    return message_;
  }

  void begin(std::size_t index) {
    if (stopping_ || (settings_.messages != 0 && begun_ >= settings_.messages + figures_.lost)) return;
    Place& place = places_[index];
    place.number = place.number == 0 ? index + places_.size() : place.number + places_.size();
    place.sent = Clock::now();
    place.waits = true;
    ++begun_;
    ++under_way_;
    const std::string_view bytes = content(place.number);
    const int fd = sockets_[index / settings_.depth];
    // A full socket loses it, as the network may.
    if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0 && errno != EAGAIN && errno != ENOBUFS) {
      figures_.fail("send");
    }
  }

  void receive_all(std::size_t socket) {
    while (figures_.errors == 0) {
      const ssize_t came = ::recv(sockets_[socket], answer_.data(), answer_.size(), 0);
      if (came < 0 && errno == EAGAIN) return;
      if (came < 0) return figures_.fail("receive");
      check({answer_.data(), static_cast<std::size_t>(came)});
    }
  }

  void check(std::string_view answer) {
    std::uint64_t number = 0;
    if (answer.size() >= sizeof number) std::memcpy(&number, answer.data(), sizeof number);
    if (answer != content(number)) {
      errno = EBADMSG;
      return figures_.fail("an echo differs");
    }
    const std::size_t index = number % places_.size();
    Place& place = places_[index];
    if (!place.waits || place.number != number) return;  // Late: it was counted as lost.
    figures_.latency.record(Clock::now() - place.sent);
    ++figures_.messages;
    end_turn(index);
  }

  void give_up_late_ones(Clock::time_point now) {
    for (std::size_t index = 0; index < places_.size(); ++index) {
      if (!places_[index].waits || now - places_[index].sent < patience) continue;
      ++figures_.lost;
      end_turn(index);
    }
  }

  void end_turn(std::size_t index) {
    places_[index].waits = false;
    --under_way_;
    begin(index);
  }

  const Settings& settings_;
  Traffic traffic_;
  Figures figures_;
  std::vector<int> sockets_;
  std::vector<Place> places_;  // `depth` for each socket.
  std::string message_;
  std::string answer_;
  int epoll_ = -1;
  std::size_t begun_ = 0;
  std::size_t under_way_ = 0;
  bool stopping_ = false;
};

}  // namespace

int run_datagrams(const Settings& settings) {
  return Datagrams{settings}.run();
}

}  // namespace load
