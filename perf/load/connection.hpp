// One connection of the load: messages that go out, and the comparison of what comes back.
//
// Leaves to others: when a message is due, and waiting for the socket. Invariant: every byte that comes back
// is compared, and the time of a message is taken when its last byte was right.
#pragma once

#include "histogram.hpp"
#include "schedule.hpp"
#include "traffic.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace load {

class Connection {
 public:
  enum class Outcome { fine, blocked, failed };

  Connection(int fd, std::size_t index, const Traffic& traffic)
      : fd_(fd), out_offset_(traffic.out_offset(index)), back_offset_(traffic.back_offset(index)) {}

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::size_t under_way() const { return begun_ - completed_; }
  [[nodiscard]] std::size_t completed() const { return completed_; }

  /// One message more, which was due then. It goes out with the next `send`.
  void begin(Clock::time_point due);

  /// Sends what was begun; `blocked` when the socket takes no more now.
  Outcome send(const Traffic& traffic, std::size_t piece);

  /// Receives once and compares; counts the latency of each message that is complete.
  Outcome receive(const Traffic& traffic, std::string& buffer, Histogram& latency);

 private:
  bool is_right(const Traffic& traffic, std::string_view bytes);
  void complete(std::size_t message_size, Histogram& latency);

  int fd_;
  std::size_t out_offset_;
  std::size_t back_offset_;
  std::size_t begun_ = 0;               // Messages.
  std::size_t completed_ = 0;           // Messages.
  std::size_t sent_ = 0;                // Bytes.
  std::size_t received_ = 0;            // Bytes that were right.
  std::vector<Clock::time_point> due_;  // A circle of the messages under way, by number; a power of two long.
};

}  // namespace load
