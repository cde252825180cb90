// Allocations that fail when a test says so. A program that links failing_new.cpp has this operator new.
//
// Leaves to others: which code counts; whoever drives a run says when counting begins and ends. One thread.
#pragma once

#include <cstdint>

namespace ringwire::test {

/// The n-th counted allocation from now on (0 = the next) throws bad_alloc; with `for_good` all later ones
/// do.
void fail_allocation(std::uint64_t nth, bool for_good) noexcept;
/// How many were counted since then.
[[nodiscard]] std::uint64_t allocations_count() noexcept;

/// While it lives, allocations are counted (`counted`) or left alone; then it is as before. They nest.
class Counting {
 public:
  explicit Counting(bool counted) noexcept;
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  ~Counting();

 private:
  bool before_;
};

/// While it lives, every allocation throws std::bad_alloc.
class FailingNew {
 public:
  FailingNew() noexcept { fail_allocation(0, true); }

 private:
  Counting counting_{true};
};

}  // namespace ringwire::test
