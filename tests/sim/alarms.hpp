// The scheduled tasks of a swarm, and a model of when each must run.
//
// Rules: none early · none missed: nothing sleeps when one is due · a repeating one keeps to its grid · none
// begins after a cancel that answered true · each is destroyed once, at the latest with its loop.
#pragma once

#include <ringwire/loop_ref.hpp>

#include "lib/kernel/sim/choices.hpp"
#include "lib/kernel/sim/sim_kernel.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace ringwire::test {

/// All timers of one run.
class Alarms {
 public:
  /// Both outlive it.
  Alarms(kernel::sim::Choices& choices, kernel::sim::SimKernel& kernel) noexcept
      : choices_{choices}, kernel_{kernel} {}
  Alarms(const Alarms&) = delete;
  Alarms& operator=(const Alarms&) = delete;

  /// Sets a timer on this loop, or cancels one of those set before. From anywhere.
  void act(const LoopRef& loop);
  /// From now on none is set, and repeating ones are cancelled: the run is to end.
  void calm_down();
  /// What was broken so far, in words; empty = nothing.
  [[nodiscard]] const std::string& violation() const noexcept { return violation_; }
  /// Nothing could move at `time`, so nothing may have been due. Empty = nothing was.
  [[nodiscard]] std::string check_quiet(kernel::Nanoseconds time) const;
  /// All loops have ended. Empty = every rule held.
  [[nodiscard]] std::string check_end() const;

 private:
  struct Alarm {
    TimerRef ref;
    kernel::Nanoseconds due = 0;  // The next time.
    kernel::Nanoseconds period = 0;
    std::size_t runs = 0;
    bool cancelled = false;
    bool destroyed = false;
  };
  class Life;

  void set(const LoopRef& loop);
  void cancel(Alarm& alarm);
  void run(Alarm& alarm);
  void violate(const std::string& what);

  kernel::sim::Choices& choices_;
  kernel::sim::SimKernel& kernel_;
  std::deque<Alarm> alarms_;
  std::string violation_;
  bool calm_ = false;
};

}  // namespace ringwire::test
