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

#include "lib/base/assert.hpp"
#include "lib/kernel/kernel.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace ringwire::loop {

/// What a timer belongs to. The wheel does not look at it.
enum class TimerOf : std::uint8_t { loop, connection, dial, session, task };

/// Something that happens once, at a time. Must not be armed when it is destroyed. Every connection has one,
/// so what names its owner is left to those who need it: a connection is its timer's derived class.
class Timer {
 public:
  /// `of` tells who it belongs to.
  explicit Timer(TimerOf of = TimerOf::loop) noexcept : of_{of} {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { RINGWIRE_ASSERT(!armed(), "a timer for {} died armed", deadline_); }

  /// True from `Wheel::arm` until it fires or is cancelled.
  [[nodiscard]] bool armed() const noexcept { return place_ != nowhere; }

  /// The time it was last armed for.
  [[nodiscard]] kernel::Nanoseconds deadline() const noexcept { return deadline_; }

  /// Who it belongs to.
  [[nodiscard]] TimerOf of() const noexcept { return of_; }

 private:
  friend class Wheel;
  friend class TimerList;

  static constexpr std::uint16_t nowhere = 0xFFFF;

  Timer* previous_ = nullptr;
  Timer* next_ = nullptr;
  kernel::Nanoseconds deadline_ = 0;
  std::uint16_t place_ = nowhere;  // Index of its list.
  TimerOf of_;
};

/// The timer of what lives in a slot of a table.
struct SlotTimer : Timer {
  /// As the table names it.
  SlotTimer(TimerOf of, std::uint32_t slot_, std::uint32_t generation_) noexcept
      : Timer{of}, slot{slot_}, generation{generation_} {}

  std::uint32_t slot;
  std::uint32_t generation;
};

/// Timers in the order they were pushed: the wheel's own list, whose nodes do not know it, because their
/// place says where they stand.
class TimerList {
 public:
  /// True when no timer is in it.
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  /// The first timer, or nullptr.
  [[nodiscard]] Timer* front() const noexcept { return first_; }
  /// Adds a timer that is in no list.
  void push_back(Timer& timer) noexcept;
  /// Takes a timer of this list out. It must be in it.
  void remove(Timer& timer) noexcept;
  /// Takes the first out, or answers nullptr.
  Timer* pop_front() noexcept;

 private:
  Timer* first_ = nullptr;
  Timer* last_ = nullptr;
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
  /// Lets go of the timers that are armed; they live on.
  ~Wheel();

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
  static constexpr unsigned levels_count = 8;
  static constexpr unsigned slot_bits = 6;
  static constexpr std::uint32_t slots_count = 1U << slot_bits;
  static constexpr std::uint32_t overdue_place = levels_count * slots_count;
  static constexpr std::uint32_t due_place = overdue_place + 1;
  static_assert(due_place < Timer::nowhere);

  // The first slot that holds a timer.
  struct Slot {
    unsigned level;
    std::uint32_t index;
    std::uint64_t begin;  // Its first tick.
  };

  void place(Timer& timer) noexcept;
  void collect(kernel::Nanoseconds now) noexcept;
  void empty(TimerList& slot) noexcept;
  [[nodiscard]] Timer* take_due() noexcept;
  void vacate(unsigned level, std::uint32_t index) noexcept;
  [[nodiscard]] std::optional<Slot> first_slot() const noexcept;

  std::uint64_t tick_;        // Every timer of this tick or an earlier one has left the levels.
  std::uint32_t levels_ = 0;  // A bit for each level that holds a timer.
  std::array<std::uint64_t, levels_count> occupied_{};  // A bit for each slot that holds a timer.
  std::array<TimerList, due_place + 1> lists_;          // The slots, level by level; then overdue, then due.
};

}  // namespace ringwire::loop
