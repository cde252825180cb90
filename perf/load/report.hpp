// The figures of a run, and how they are told.
//
// Leaves to others: counting. It prints one line, of name=value pairs or as JSON.
#pragma once

#include "histogram.hpp"
#include "schedule.hpp"
#include "settings.hpp"

#include <cstddef>

namespace load {

/// What a run has counted.
struct Figures {
  std::size_t messages = 0;  // Echoed and right; with --churn: cycles.
  std::size_t errors = 0;
  std::size_t lost = 0;  // Datagrams that did not come back.
  Histogram latency;     // Nanoseconds from when a message was due until its last byte was back.
  Histogram lateness;    // Open loop: how long after it was due a message was handed to its connection.

  /// Counts an error, and says where it was and what errno says.
  void fail(const char* where);
};

/// Seconds of all threads of a process, kernel threads of its rings included.
struct CpuTime {
  double running = 0;
  double waiting = 0;  // For a CPU that somebody else had.
};

/// What the server and the load take, from when this was made.
class ServerWatch {
 public:
  /// `pid` 0: nothing is known of the server.
  explicit ServerWatch(int pid);
  /// The server, since then.
  [[nodiscard]] CpuTime cpu() const;
  /// This process, since then.
  [[nodiscard]] CpuTime own_cpu() const;
  /// Physical memory of the server now, in bytes.
  [[nodiscard]] std::size_t memory() const;
  [[nodiscard]] Clock::time_point start() const { return start_; }
  /// When a run of so many seconds is over; of 0, never.
  [[nodiscard]] Clock::time_point end(double seconds) const;

 private:
  int pid_;
  Clock::time_point start_;
  CpuTime own_before_;
  CpuTime before_;
};

/// Prints; answers the exit code: 1 when a byte was wrong or lost, or fewer messages came than were asked
/// for.
int report(const Settings& settings, const ServerWatch& server, const Figures& figures);

}  // namespace load
