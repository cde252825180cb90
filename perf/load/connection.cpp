// Sends, receives and compares.
#include "connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>

namespace load {

void Connection::begin(Clock::time_point due) {
  if (under_way() == due_.size()) {
    std::vector<Clock::time_point> larger(std::max<std::size_t>(1, 2 * due_.size()));
    for (std::size_t number = completed_; number < begun_; ++number) {
      larger[number % larger.size()] = due_[number % due_.size()];
    }
    due_ = std::move(larger);
  }
  due_[begun_++ & (due_.size() - 1)] = due;
}

Connection::Outcome Connection::send(const Traffic& traffic, std::size_t piece) {
  const std::size_t wanted = begun_ * traffic.out().message_size;
  while (sent_ < wanted) {
    const std::string_view bytes = traffic.out().at(out_offset_, sent_);
    const std::size_t size = std::min({bytes.size(), wanted - sent_, piece});
    const ssize_t taken = ::send(fd_, bytes.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0) return errno == EAGAIN ? Outcome::blocked : Outcome::failed;
    sent_ += static_cast<std::size_t>(taken);
  }
  return Outcome::fine;
}

Connection::Outcome Connection::receive(const Traffic& traffic, std::string& buffer, Histogram& latency) {
  const ssize_t came = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (came < 0 && errno == EAGAIN) return Outcome::blocked;
  if (came == 0) errno = ECONNRESET;  // Too early for an end.
  if (came <= 0) return Outcome::failed;
  if (!is_right(traffic, {buffer.data(), static_cast<std::size_t>(came)})) {
    errno = EBADMSG;
    return Outcome::failed;
  }
  complete(traffic.back().message_size, latency);
  return Outcome::fine;
}

bool Connection::is_right(const Traffic& traffic, std::string_view bytes) {
  // Not before it was sent.
  const std::size_t asked = sent_ / traffic.out().message_size;
  const std::size_t part = sent_ % traffic.out().message_size;
  const std::size_t most = asked * traffic.back().message_size + std::min(part, traffic.back().message_size);
  if (bytes.size() > most - received_) return false;
  while (!bytes.empty()) {
    const std::string_view right = traffic.back().at(back_offset_, received_).substr(0, bytes.size());
    if (std::memcmp(bytes.data(), right.data(), right.size()) != 0) return false;
    received_ += right.size();
    bytes.remove_prefix(right.size());
  }
  return true;
}

void Connection::complete(std::size_t message_size, Histogram& latency) {
  const std::size_t complete = received_ / message_size;
  if (complete == completed_) return;
  const auto now = Clock::now();
  for (; completed_ < complete; ++completed_) {
    latency.record(now - due_[completed_ & (due_.size() - 1)]);
  }
}

}  // namespace load
