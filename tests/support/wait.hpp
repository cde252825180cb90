// How long tests wait, and whether a sanitizer makes everything slower.
//
// Leaves to others: waiting itself. Invariant: nothing in the tests waits without a deadline, and nothing
// sleeps.
#pragma once

#include <chrono>
#include <cstddef>

namespace ringwire::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

/// The deadline for anything that must happen. Long: it only costs time in a test that fails.
inline constexpr std::chrono::milliseconds patience{sanitized ? 60'000 : 20'000};

/// A count or size for plain builds, and the smaller one for builds with a sanitizer.
constexpr std::size_t scaled(std::size_t plain, std::size_t under_sanitizer) {
  return sanitized ? under_sanitizer : plain;
}

}  // namespace ringwire::test
