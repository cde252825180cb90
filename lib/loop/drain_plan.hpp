// By when a loop that stops must have told its connections so, when it cuts off who is left, and whether it
// serves meanwhile those who have no connection.
//
// Said by any thread, followed by the loop. Invariant: what is said later can only shorten what was said, so
// two who speak at the same time need no order between them.
#pragma once

#include "lib/kernel/kernel.hpp"

#include <atomic>
#include <cstdint>

namespace ringwire::loop {

/// What a loop that stops goes by; times of the kernel's clock, UINT64_MAX = nobody has said.
struct DrainPlan {
  kernel::Nanoseconds told_by = UINT64_MAX;   // `on_drain` is spread evenly until then.
  kernel::Nanoseconds deadline = UINT64_MAX;  // Whoever is still there is reset.
  bool serves = true;                         // Until then ticks and datagrams go on: it is no stop.

  bool operator==(const DrainPlan&) const = default;
};

/// The plan of one loop.
class SharedDrainPlan {
 public:
  /// Takes the earlier of each time; who does not serve once will not again. Any thread.
  void shorten(const DrainPlan& plan) noexcept {
    lower(told_by_, plan.told_by);
    lower(deadline_, plan.deadline);
    if (!plan.serves) serves_.store(false, std::memory_order_release);
  }

  /// The plan so far. The loop looks again when it is woken for a shorter one.
  [[nodiscard]] DrainPlan read() const noexcept {
    return {told_by_.load(std::memory_order_acquire), deadline_.load(std::memory_order_acquire),
            serves_.load(std::memory_order_acquire)};
  }

 private:
  static void lower(std::atomic<kernel::Nanoseconds>& time, kernel::Nanoseconds to) noexcept {
    kernel::Nanoseconds current = time.load(std::memory_order_relaxed);
    while (to < current && !time.compare_exchange_weak(current, to, std::memory_order_acq_rel)) {
    }
  }

  std::atomic<kernel::Nanoseconds> told_by_{UINT64_MAX};
  std::atomic<kernel::Nanoseconds> deadline_{UINT64_MAX};
  std::atomic<bool> serves_{true};
};

}  // namespace ringwire::loop
