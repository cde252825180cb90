// Timers of one loop: arming and cancelling cost the same whether there are ten or a million.
//
// Owns no timer: each lives in what it times, and is cancelled before that dies. Leaves to others: the clock,
// and what a timer means. Invariant: a timer never fires early, and at most one tick late if the wheel is
// turned in time.
//
//   level 0   64 slots of 1 ms        a timer stands at the highest level where its time differs
//   level 1   64 slots of 64 ms       from now, in the slot its time names there; when now reaches
//   …         each 64 × the last      that slot, its timers move down, those of this tick fire
//   level 7   far beyond the last Nanoseconds there is
#pragma once

#include "lib/base/list.hpp"
#include "lib/kernel/kernel.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace ringwire::loop {

/// Tells a timer's links from others.
struct WheelTag;

/// Something that happens once, at a time. Must not be armed when it is destroyed.
class Timer : public base::Link<WheelTag> {
 public:
  /// `token` tells its owner which timer it is; the wheel does not look at it.
  explicit Timer(std::uint64_t token = 0) noexcept : token_(token) {}

  /// True from `Wheel::arm` until it fires or is cancelled.
  [[nodiscard]] bool armed() const noexcept { return linked(); }

  /// The time it was last armed for.
  [[nodiscard]] kernel::Nanoseconds deadline() const noexcept { return deadline_; }

  /// What its owner gave it.
  [[nodiscard]] std::uint64_t token() const noexcept { return token_; }

 private:
  friend class Wheel;

  std::uint64_t token_;
  kernel::Nanoseconds deadline_ = 0;
  std::uint32_t place_ = 0;  // Index of its list.
};

/// A hierarchical timer wheel. The loop's thread only.
class Wheel {
 public:
  /// Deadlines are rounded up to a multiple of this.
  static constexpr kernel::Nanoseconds tick = 1'000'000;

  /// Starts at `now`, with no timer.
  explicit Wheel(kernel::Nanoseconds now) noexcept : tick_(now / tick) {}
  Wheel(const Wheel&) = delete;
  Wheel& operator=(const Wheel&) = delete;

  /// Arms the timer for `deadline`, or moves it there. A deadline in the past fires at the next turn. O(1).
  void arm(Timer& timer, kernel::Nanoseconds deadline) noexcept;

  /// Disarms the timer; harmless when it is not armed. O(1).
  void cancel(Timer& timer) noexcept;

  /// Turns the wheel to `now` and calls `fire(Timer&)` for each timer that is due, by deadline, equal ones in
  /// the order they were armed. Answers how many fired.
  ///
  /// The timer is no longer armed when `fire` is called. `fire` may arm or cancel any timer: a cancelled one
  /// does not fire any more, and one armed now fires at the next turn at the earliest, even when it is due
  /// already.
  template <typename Fire>
  std::size_t advance(kernel::Nanoseconds now, Fire&& fire) {
    collect(now);
    std::size_t count = 0;
    while (Timer* timer = take_due()) {
      ++count;
      fire(*timer);
    }
    return count;
  }

  /// When to turn the wheel next; nothing when no timer is armed.
  ///
  /// The moment the earliest timer fires (its deadline, rounded up to a tick). While that is still far,
  /// possibly an earlier moment, at most one for each level but the lowest. 0 when a timer is overdue.
  [[nodiscard]] std::optional<kernel::Nanoseconds> next() const noexcept;

 private:
  using Timers = base::List<Timer, WheelTag>;

  static constexpr unsigned levels_count = 8;
  static constexpr unsigned slot_bits = 6;
  static constexpr std::uint32_t slots_count = 1U << slot_bits;
  static constexpr std::uint32_t overdue_place = levels_count * slots_count;
  static constexpr std::uint32_t due_place = overdue_place + 1;

  // The first slot that holds a timer.
  struct Slot {
    unsigned level;
    std::uint32_t index;
    std::uint64_t begin;  // Its first tick.
  };

  void place(Timer& timer) noexcept;
  void collect(kernel::Nanoseconds now) noexcept;
  void empty(Timers& slot) noexcept;
  [[nodiscard]] Timer* take_due() noexcept;
  [[nodiscard]] std::optional<Slot> first_slot() const noexcept;

  std::uint64_t tick_;  // Every timer of this tick or an earlier one has left the levels.
  std::array<std::uint64_t, levels_count> occupied_{};  // A bit for each slot that holds a timer.
  std::array<Timers, due_place + 1> lists_;             // The slots, level by level; then overdue, then due.
};

}  // namespace ringwire::loop
