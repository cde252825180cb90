// When messages are due in an open loop: at even times from the start, whatever the server does.
//
// Leaves to others: sending. Invariant: message N is due at start + N / rate, so that a late answer delays
// no later question and none is left out.
#pragma once

#include <chrono>
#include <cstdint>

namespace load {

using Clock = std::chrono::steady_clock;

/// The times of an open loop of `rate` messages a second.
class Schedule {
 public:
  Schedule(Clock::time_point start, double rate) : start_(start), rate_(rate) {}

  /// When message `number`, counted from 0, is due.
  [[nodiscard]] Clock::time_point due(std::uint64_t number) const {
    return start_ +
           std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(number) * 1e9 / rate_));
  }

  /// The next that was not taken yet.
  [[nodiscard]] Clock::time_point next() const { return due(taken_); }
  /// Is it time? If so the message is taken, and `next` is about the one after it.
  bool take(Clock::time_point now) {
    if (next() > now) return false;
    ++taken_;
    return true;
  }

 private:
  Clock::time_point start_;
  double rate_;
  std::uint64_t taken_ = 0;
};

}  // namespace load
