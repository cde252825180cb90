// Numbers that one thread counts and others read.
//
// They stay plain integers, so that a struct of them can be copied, added and shown like any other; only how
// they are written and read while it counts is special: a load, an add and a store, which cost what `++`
// costs where there is one writer. Leaves to others: what is counted. Invariant: one thread writes a number,
// and every other reads it by `read_tally`.
#pragma once

#include <cstdint>

namespace ringwire::base {

/// Sets a number that others read. Its writer only.
inline void set_tally(std::uint64_t& number, std::uint64_t value) noexcept {
  __atomic_store_n(&number, value, __ATOMIC_RELAXED);
}

/// Adds to it. Its writer only, who may read it like any other number.
inline void tally(std::uint64_t& number, std::uint64_t more = 1) noexcept {
  set_tally(number, number + more);
}

/// What it is, or was a moment ago. Any thread.
[[nodiscard]] inline std::uint64_t read_tally(const std::uint64_t& number) noexcept {
  return __atomic_load_n(&number, __ATOMIC_RELAXED);
}

}  // namespace ringwire::base
