// The loops of a load over connections that stay.
#include "streams.hpp"

#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iostream>
#include <string_view>

namespace load {
namespace {

constexpr int silence_max = 10'000;  // ms without any answer: something is wrong.
// An open loop nearer to its next message than this looks again and again: a sleep would be too late.
constexpr std::chrono::microseconds spin_time{200};
// Messages that may wait in an open loop. Beyond, the server is far too slow for the rate.
constexpr std::size_t backlog_max = 10'000'000;

// Blocking: this is before the measurement.
bool shake_hands(int fd) {
  const timeval limit{10, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const std::string_view request{websocket_request};
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    return false;
  }
  std::string head;
  for (bool complete = false; !complete;) {
    char byte = 0;
    if (::recv(fd, &byte, 1, 0) != 1) return false;
    head += byte;
    if (!is_websocket_answer(head, complete) || head.size() > 4096) {
      errno = EPROTO;
      return false;
    }
  }
  return true;
}

}  // namespace

Streams::Streams(const Settings& settings) : settings_(settings), traffic_(settings) {
  buffer_.resize(settings.piece);
}

bool Streams::connect() {
  Target target;
  if (!resolve(settings_, target)) return false;
  allow_descriptors(settings_.connections + 64);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  slots_.reserve(settings_.connections);
  for (std::size_t index = 0; index < settings_.connections; ++index) {
    const int fd = open_socket(target, SOCK_STREAM, false, index);
    if (fd < 0 || (settings_.websocket && !shake_hands(fd))) {
      std::cerr << "connection " << index << ": " << std::strerror(errno) << std::endl;
      return false;
    }
    slots_.push_back({{fd, index, traffic_}});
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
  return true;
}

int Streams::run() {
  const ServerWatch server{settings_.server_pid};
  end_ = server.end(settings_.seconds);
  if (settings_.rate > 0) {
    schedule_.emplace(server.start(), settings_.rate);
  } else {
    for (Slot& slot : slots_) fill(slot, Clock::now());
  }
  while (figures_.errors == 0 && (!stopping_ || begun_ > figures_.messages)) wait();
  return report(settings_, server, figures_);
}

void Streams::begin(Slot& slot, Clock::time_point due) {
  slot.connection.begin(due);
  ++begun_;
  if (begun_ == settings_.messages) stopping_ = true;
}

void Streams::fill(Slot& slot, Clock::time_point now) {
  while (slot.connection.under_way() < settings_.depth && !stopping_) begin(slot, now);
  send(slot);
}

// The connections take turns.
void Streams::begin_due(Clock::time_point now) {
  while (!stopping_) {
    const Clock::time_point due = schedule_->next();
    if (due >= end_) {
      stopping_ = true;
      return;
    }
    if (!schedule_->take(now)) return;
    Slot& slot = slots_[begun_ % slots_.size()];
    figures_.lateness.record(now - due);
    begin(slot, due);
    if (!slot.wants_output) send(slot);
    if (begun_ - figures_.messages > backlog_max) {
      errno = ETIMEDOUT;
      return figures_.fail("the server is far slower than the rate");
    }
    now = Clock::now();
  }
}

void Streams::send(Slot& slot) {
  const Connection::Outcome outcome = slot.connection.send(traffic_, settings_.piece);
  if (outcome == Connection::Outcome::failed) return figures_.fail("send");
  const bool wants_output = outcome == Connection::Outcome::blocked;
  if (wants_output == slot.wants_output) return;
  slot.wants_output = wants_output;
  epoll_event event{};
  event.events = wants_output ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = static_cast<std::uint64_t>(&slot - slots_.data());
  epoll_ctl(epoll_, EPOLL_CTL_MOD, slot.connection.fd(), &event);
}

void Streams::serve(Slot& slot, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) send(slot);
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
  const std::size_t before = slot.connection.completed();
  const Connection::Outcome outcome = slot.connection.receive(traffic_, buffer_, figures_.latency);
  if (outcome == Connection::Outcome::failed) return figures_.fail("receive");
  figures_.messages += slot.connection.completed() - before;
  if (!schedule_ && slot.connection.completed() > before) fill(slot, Clock::now());
}

void Streams::wait() {
  std::array<epoll_event, 256> events;
  const int timeout = patience(Clock::now());
  const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout);
  if (ready < 0 && errno != EINTR) return figures_.fail("epoll_wait");
  if (ready == 0 && timeout == silence_max) {
    errno = ETIMEDOUT;
    return figures_.fail("nothing came back for 10 s");
  }
  const Clock::time_point now = Clock::now();
  if (now >= end_ && !schedule_) stopping_ = true;
  for (int index = 0; index < ready; ++index) {
    const epoll_event& event = events[static_cast<std::size_t>(index)];
    serve(slots_[event.data.u64], event.events);
    if (schedule_) begin_due(Clock::now());
  }
  if (schedule_) begin_due(now);
}

// How long nobody need be looked at, in ms.
int Streams::patience(Clock::time_point now) const {
  if (!schedule_ || stopping_) return silence_max;
  const auto left = schedule_->next() - now - spin_time;
  return left.count() <= 0 ? 0
                           : static_cast<int>(std::chrono::floor<std::chrono::milliseconds>(left).count());
}

}  // namespace load
