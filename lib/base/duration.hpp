// From the durations users give to the nanoseconds the clock counts.
//
// Invariant: a time of the clock plus such a duration is a time of the clock again; it never wraps round.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace ringwire::base {

/// Whatever lasts longer is taken as this: who waits for a century waits for ever.
inline constexpr std::chrono::milliseconds duration_max = std::chrono::hours{24} * 36'525;

/// Nanoseconds of a duration: 0 when it is negative, a century when it is longer.
[[nodiscard]] constexpr std::uint64_t to_nanoseconds(std::chrono::milliseconds duration) noexcept {
  const auto bounded = std::clamp(duration, std::chrono::milliseconds{0}, duration_max);
  return static_cast<std::uint64_t>(std::chrono::nanoseconds{bounded}.count());
}
static_assert(to_nanoseconds(duration_max) < INT64_MAX / 2, "the clock's own time is added to it");

}  // namespace ringwire::base
