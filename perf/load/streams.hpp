// Many connections that stay, over one epoll: a closed loop of `depth` messages on each, or an open loop.
//
// Leaves to others: bytes (connection.hpp). Invariant: in a closed loop each connection has at most `depth`
// messages under way; in an open loop each message is begun when it is due, however many wait already.
#pragma once

#include "connection.hpp"
#include "report.hpp"
#include "settings.hpp"
#include "socket.hpp"

#include <optional>
#include <string>
#include <vector>

namespace load {

class Streams {
 public:
  explicit Streams(const Settings& settings);

  /// Connects all, and shakes hands where that is due; false when one could not.
  bool connect();
  /// Runs until the time is over or the messages are done, lets what is under way come back, and reports.
  int run();

 private:
  struct Slot {
    Connection connection;
    bool wants_output = false;
  };

  void begin(Slot& slot, Clock::time_point due);
  void fill(Slot& slot, Clock::time_point now);
  void begin_due(Clock::time_point now);
  void send(Slot& slot);
  void serve(Slot& slot, std::uint32_t events);
  void wait();
  [[nodiscard]] int patience(Clock::time_point now) const;

  Settings settings_;
  Traffic traffic_;
  std::string buffer_;
  std::vector<Slot> slots_;
  std::optional<Schedule> schedule_;
  Figures figures_;
  int epoll_ = -1;
  std::size_t begun_ = 0;
  Clock::time_point end_;
  bool stopping_ = false;  // No further message is begun.
};

}  // namespace load
