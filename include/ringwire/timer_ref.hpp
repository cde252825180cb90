// A handle to one scheduled task, to cancel it from anywhere.
//
// Leaves to others: setting it (`LoopRef::schedule`), and the loop that keeps the time. Slot and generation
// name the timer; a handle to one that is over never reaches its successor.
#pragma once

#include <cstdint>
#include <memory>
#include <system_error>

namespace ringwire {

namespace loop {
class Mailbox;
}

/// Names one scheduled task. A small value, safe on any thread at any time, also after the task ran or the
/// loop ended. Copies name the same task; losing all of them changes nothing, the task still runs.
class TimerRef {
 public:
  /// Names no task: false, `error` is `Error::closed`, `cancel` does nothing.
  TimerRef() noexcept = default;

  /// Was the task taken? Stays true when it has run.
  explicit operator bool() const noexcept { return generation_ != 0; }

  /// Why `schedule` did not take the task: `Error::closed` when the loop has ended,
  /// `std::errc::resource_unavailable_try_again` when `Options::timers_max` wait already. Empty when it did.
  [[nodiscard]] std::error_code error() const noexcept;

  /// Keeps the task from running (again). Any thread, any time, inside the task too; costs the same whether
  /// ten wait or a million.
  ///
  /// Answers true when this call made the difference: the task does not begin after it has returned. From
  /// another thread a run of a repeating task that has already begun may still be under way. False: it has
  /// run, is running for the last time, was cancelled before, or was destroyed because its loop ended. The
  /// task is destroyed on the loop's thread: before `cancel` returns when called there, else with one of its
  /// next laps.
  ///
  /// Example: `if (answered) timeout.cancel();`
  bool cancel() const;

  /// Two handles are equal when they name the same task.
  friend bool operator==(const TimerRef&, const TimerRef&) noexcept = default;

 private:
  friend class LoopRef;

  std::shared_ptr<loop::Mailbox> mailbox_;
  // Generation 0: the task was not taken. Slot 0 then means that the loop has ended, 1 that it had no room.
  std::uint32_t slot_ = 0;
  std::uint32_t generation_ = 0;
};

}  // namespace ringwire
