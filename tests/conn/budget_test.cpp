// The budget: what one connection may have of it, and what loops know of each other.
#include "lib/conn/budget.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace ringwire::conn {
namespace {

constexpr std::size_t kib = 1024;

TEST_CASE("without a budget, or with none of it limited, everything fits") {
  BudgetShare none;
  CHECK(none.allows(SIZE_MAX / 2, SIZE_MAX / 4, SIZE_MAX / 2));
  SendBudget budget{0, 1};
  BudgetShare share{budget, 0};
  CHECK(share.allows(SIZE_MAX / 2, SIZE_MAX / 4, SIZE_MAX / 2));
}

TEST_CASE("one connection gets an eighth of what is free of the first half, its last chunk among it") {
  SendBudget budget{16'000 * kib, 1};
  BudgetShare share{budget, 0};
  CHECK(share.allows(0, 936 * kib, 0));  // And 64 KiB for a chunk that is not full.
  CHECK_FALSE(share.allows(0, 936 * kib + 1, 0));
  CHECK(share.allows(436 * kib, 500 * kib, 0));
  CHECK(share.allows(0, 436 * kib, 4000 * kib));
  CHECK_FALSE(share.allows(0, 436 * kib + 1, 4000 * kib));
  CHECK_FALSE(share.allows(0, 1, 16'000 * kib));
}

TEST_CASE("however many slow readers there are, there is room for those who read") {
  SendBudget budget{64'000 * kib, 1};
  BudgetShare share{budget, 0};
  std::vector<std::size_t> queued(1000, 0);
  std::size_t waiting = 0;
  for (bool any = true; any;) {  // All write as much as they may.
    any = false;
    for (std::size_t& own : queued) {
      if (!share.allows(own, 10 * kib, waiting)) continue;
      if (own == 0) waiting += 16 * kib;
      if (own > 0 && own % (60 * kib) == 10 * kib) waiting += 64 * kib;
      own += 10 * kib;
      any = true;
    }
  }
  CHECK(waiting <= 64'000 * kib);
  for (int reader = 0; reader < 10; ++reader) {
    CHECK(share.allows(0, 10 * kib, waiting));
    waiting += 16 * kib;
  }
}

TEST_CASE(
    "a thousand slow readers that took all they could, one after the other, leave room for those who read") {
  SendBudget budget{64 << 20, 1};
  BudgetShare share{budget, 0};
  std::size_t waiting = 0;
  for (int slow = 0; slow < 1000; ++slow) {
    std::size_t own = 0;
    for (; share.allows(own, 16 * kib, waiting); own += 16 * kib) waiting += 16 * kib;
    CHECK(own > 0);
  }
  CHECK(waiting < 64 << 20);
  for (int reader = 0; reader < 20; ++reader) {
    CHECK(share.allows(0, 16 * kib, waiting));
    waiting += 16 * kib;
  }
}

TEST_CASE("the second half is for queues of a 2,048th, and ends where the budget does") {
  SendBudget budget{16'384 * kib, 1};
  BudgetShare share{budget, 0};
  for (const std::size_t waiting : {8192 * kib, 12'000 * kib, 16'376 * kib}) {
    CHECK(share.allows(0, 4 * kib, waiting));  // And as much for a chunk that is not full.
    CHECK_FALSE(share.allows(0, 4 * kib + 1, waiting));
    CHECK_FALSE(share.allows(4 * kib, 1, waiting));
  }
  CHECK_FALSE(share.allows(0, 4 * kib, 16'377 * kib));
}

TEST_CASE("what others have published counts, and is looked at once a lap") {
  SendBudget budget{16'000 * kib, 3};
  BudgetShare first{budget, 0};
  BudgetShare second{budget, 1};
  second.publish(4000 * kib);
  CHECK(budget.elsewhere(0) == 4000 * kib);
  CHECK(budget.elsewhere(1) == 0);
  CHECK_FALSE(first.allows(0, 500 * kib, 0));
  CHECK(first.allows(0, 400 * kib, 0));
  second.publish(0);
  CHECK_FALSE(first.allows(0, 500 * kib, 0));  // As it was when it looked.
  first.publish(0);                            // The next lap.
  CHECK(first.allows(0, 500 * kib, 0));
}

TEST_CASE("a loop that has little waiting does not look, whatever the others have") {
  SendBudget budget{2000 * kib, 2};
  BudgetShare hog{budget, 0};
  BudgetShare modest{budget, 1};
  hog.publish(2000 * kib);
  CHECK(modest.allows(0, BudgetShare::unasked, 0));
  CHECK_FALSE(modest.allows(0, 1, BudgetShare::unasked));
}

TEST_CASE("of a small budget a 16th is what is not asked about") {
  SendBudget budget{160, 2};
  BudgetShare hog{budget, 0};
  BudgetShare modest{budget, 1};
  hog.publish(160);
  CHECK(modest.allows(0, 10, 0));
  CHECK_FALSE(modest.allows(0, 11, 0));
}

}  // namespace
}  // namespace ringwire::conn
