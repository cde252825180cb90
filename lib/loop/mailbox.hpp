// How other threads reach a loop: letters, and a bell that is rung for the first of them.
//
// Kept alive by every handle (`LoopRef`, `ConnRef`), so it may outlive its loop: posts are then answered
// `closed`. Invariant: the bell's descriptors are used only while the loop lives, because both are guarded by
// one lock.
#pragma once

#include <ringwire/function.hpp>

#include "lib/base/mailbox.hpp"
#include "lib/kernel/kernel.hpp"
#include "lib/loop/timers.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <vector>

namespace ringwire::loop {

class Loop;

/// A letter: run on the loop's thread; or with nullptr and the reason when no loop will ever read it.
using Mail = Function<void(Loop* loop, std::error_code refused)>;

/// The mailbox of one loop.
class Mailbox {
 public:
  /// Room for `max` letters and `timers_max` scheduled tasks.
  Mailbox(kernel::Kernel& kernel, std::size_t max, std::size_t timers_max = 0) noexcept
      : kernel_{kernel}, mail_{max}, timers_{kernel, timers_max} {}

  /// Leaves a letter and wakes the loop if need be. Any thread. When refused (`Error::closed`, or EAGAIN when
  /// full) the letter is untouched. The loop's own letters always find room: it cannot wait for itself; so
  /// do those `beyond_max`, which have a bound of their own. May throw bad_alloc.
  [[nodiscard]] std::error_code post(Mail&& mail, bool beyond_max = false);

  /// The tasks scheduled on its loop. What they leave for the loop wants `wake`.
  [[nodiscard]] Timers& timers() noexcept { return timers_; }
  /// The same, to look.
  [[nodiscard]] const Timers& timers() const noexcept { return timers_; }

  /// Wakes the loop without a letter. Any thread.
  void wake() noexcept;

  /// Is there something to read? Any thread.
  [[nodiscard]] bool has_mail() const noexcept { return mail_.has_mail(); }
  /// Letters that wait. Any thread.
  [[nodiscard]] std::size_t size() const noexcept { return mail_.size(); }

  /// Moves all letters to `out`, which must be empty. The loop only.
  void take(std::vector<Mail>& out) noexcept { mail_.take(out); }

  /// From now on wakes go to this ring by message, or, when `event_fd` >= 0, through that eventfd. The loop
  /// only.
  void open(int ring_fd, int event_fd) noexcept;

  /// The loop ends: later letters are refused, and nobody rings any more. Moves those not read to `rest`,
  /// which must be empty: its owner tells them so. The loop only; twice is harmless.
  void close(std::vector<Mail>& rest) noexcept;

  /// A number nobody else gets: it tells requests apart that can be cancelled. Any thread.
  [[nodiscard]] std::uint64_t next_number() noexcept {
    return numbers_.fetch_add(1, std::memory_order_relaxed);
  }

  /// The kernel its loop runs on.
  [[nodiscard]] kernel::Kernel& kernel() const noexcept { return kernel_; }

  /// Says that the calling thread now runs this mailbox's loop, or no longer does.
  void enter() noexcept;
  /// Ends what `enter` began.
  void leave() noexcept;
  /// Does the calling thread run this mailbox's loop?
  [[nodiscard]] bool is_current() const noexcept;

 private:
  kernel::Kernel& kernel_;
  base::Mailbox<Mail> mail_;
  Timers timers_;
  std::atomic<std::uint64_t> numbers_{1};
  std::mutex bell_mutex_;
  int ring_fd_ = -1;   // Under bell_mutex_.
  int event_fd_ = -1;  // Under bell_mutex_.
};

}  // namespace ringwire::loop
