// Tasks scheduled on one loop by any thread: a table of them, whose deadlines stand in the loop's wheel.
//
// Owns the tasks. Leaves to others: the wheel, waking the loop, running a task. User code (a task, or what
// dies with it) is never called under the lock. Invariant: a timer is in the wheel, or in the list of those
// the loop has not seen yet, or running; only the loop's thread touches the wheel.
//
//   add ──▶ unseen ──take_news──▶ in the wheel ──begin──▶ running ──end──▶ gone, or in the wheel again
//   cancel marks it from any thread; the loop lets it go
#pragma once

#include <ringwire/function.hpp>

#include "lib/base/list.hpp"
#include "lib/base/mailbox.hpp"
#include "lib/base/slots.hpp"
#include "lib/kernel/kernel.hpp"
#include "lib/loop/wheel.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace ringwire::loop {

/// Tells the links of the unseen from others.
struct Unseen;

/// The scheduled tasks of one loop.
class Timers {
 public:
  /// Names one: slot and generation. Generation 0 names none.
  struct Name {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
  };
  /// What became of a cancel.
  enum class Cancelled : std::uint8_t {
    no,        // Nothing to cancel: it is gone, or runs for the last time.
    yes,       // It does not begin any more.
    yes_wake,  // The same, and the loop must be woken to let it go.
  };

  /// Room for `max`. `kernel` is asked for the time while the loop lives.
  Timers(kernel::Kernel& kernel, std::size_t max) noexcept : kernel_{kernel}, table_{max} {}
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;

  /// Says which wheel keeps the time; it outlives `close`. Once, before a loop runs.
  void attach(Wheel& wheel) noexcept { wheel_ = &wheel; }

  // -- any thread; `at_home` = on the loop's own

  /// Takes `task`, to be run `delay` from now and then, unless it is 0, each `period`. Answers `first` when
  /// the loop must be woken. Refused (`full`, `closed`), the task is untouched. May throw bad_alloc; then
  /// nothing was added.
  [[nodiscard]] base::Posted add(kernel::Nanoseconds delay, kernel::Nanoseconds period, Task&& task,
                                 Name& name, bool at_home);
  /// Sees to it that a task does not begin (again).
  [[nodiscard]] Cancelled cancel(Name name, bool at_home) noexcept;
  /// Is there something for `take_news`? What an `add` or `cancel` that has returned left is seen.
  [[nodiscard]] bool has_news() const noexcept { return has_news_.load(std::memory_order_acquire); }
  /// Tasks that wait, or run. A snapshot.
  [[nodiscard]] std::size_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

  // -- the loop's thread

  /// Puts into the wheel what others have added, and lets go of what they have cancelled.
  void take_news() noexcept;
  /// The task of a timer that has fired, to be run now; nullptr when it has been cancelled.
  [[nodiscard]] Task* begin(Timer& timer) noexcept;
  /// It has run: lets it go, or arms it for its next time.
  void end(Timer& timer) noexcept;
  /// Destroys all tasks, unrun; later ones are refused. Twice is harmless.
  void close() noexcept;

 private:
  struct Scheduled : base::Link<Unseen> {
    Scheduled(std::uint32_t slot, std::uint32_t generation, kernel::Nanoseconds deadline_,
              kernel::Nanoseconds period_, Task&& task_) noexcept;

    SlotTimer timer;  // The loop's thread only, once it is in the wheel.
    Task task;
    kernel::Nanoseconds deadline;
    kernel::Nanoseconds period;
    bool running = false;
    bool cancelled = false;
  };

  [[nodiscard]] std::size_t unseen_count() noexcept;
  // All of these under the mutex.
  [[nodiscard]] Scheduled& scheduled_of(const Timer& timer) noexcept;
  [[nodiscard]] bool enlist(Scheduled& scheduled) noexcept;
  [[nodiscard]] Task release(Scheduled& scheduled) noexcept;
  void publish_count() noexcept { count_.store(table_.size(), std::memory_order_relaxed); }

  kernel::Kernel& kernel_;
  Wheel* wheel_ = nullptr;
  std::mutex mutex_;
  base::SlotTable<Scheduled> table_;      // Under mutex_.
  base::List<Scheduled, Unseen> unseen_;  // Under mutex_.
  std::size_t unseen_count_ = 0;          // Under mutex_.
  bool closed_ = false;                   // Under mutex_.
  std::atomic<bool> has_news_{false};     // Written under mutex_.
  std::atomic<std::size_t> count_{0};     // Written under mutex_.
};

}  // namespace ringwire::loop
