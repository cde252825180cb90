// A pause before something that failed is tried again: ten milliseconds, then twice as long each time, up to
// a tenth of a second.
//
// Leaves to others: what failed, and waking at its end. Invariant: who waits for no end has `until` 0, so
// that nobody is woken for it.
#pragma once

#include "lib/kernel/kernel.hpp"

#include <algorithm>
#include <cstdint>

namespace ringwire::loop {

/// The pauses of one operation.
class Pause {
 public:
  /// The first, and the longest.
  static constexpr kernel::Nanoseconds length_min = 10'000'000;
  static constexpr kernel::Nanoseconds length_max = 100'000'000;

  /// Begins one. The next is twice as long.
  void begin(kernel::Nanoseconds now) noexcept {
    until_ = now + length_;
    length_ = std::min(length_ * 2, length_max);
  }
  /// Nobody waits for its end any more.
  void end() noexcept { until_ = 0; }
  /// It has worked: the next is a short one.
  void forget() noexcept { length_ = length_min; }

  /// May it be tried?
  [[nodiscard]] bool is_over(kernel::Nanoseconds now) const noexcept { return now >= until_; }
  /// When it ends; 0 when there is none.
  [[nodiscard]] kernel::Nanoseconds until() const noexcept { return until_; }

 private:
  kernel::Nanoseconds until_ = 0;
  kernel::Nanoseconds length_ = length_min;
};

/// The first end of the pauses of all of them; UINT64_MAX when none pauses.
template <typename Those>
[[nodiscard]] kernel::Nanoseconds first_resume_of(const Those& those) noexcept {
  kernel::Nanoseconds first = UINT64_MAX;
  for (const auto& each : those) {
    if (each.resume_at() != 0) first = std::min(first, each.resume_at());
  }
  return first;
}

}  // namespace ringwire::loop
