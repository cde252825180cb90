// The budget: what one connection may have of it, and what loops know of each other.
#include "lib/conn/budget.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace ringwire::conn {
namespace {

constexpr std::size_t kibibyte = 1024;

TEST_CASE("without a budget, or with none of it limited, everything fits") {
  BudgetShare none;
  CHECK(none.allows(SIZE_MAX / 2, SIZE_MAX / 4, SIZE_MAX / 2));
  SendBudget budget{0, 1};
  BudgetShare share{budget, 0};
  CHECK(share.allows(SIZE_MAX / 2, SIZE_MAX / 4, SIZE_MAX / 2));
}

TEST_CASE("one connection gets an eighth of what is free of the first half, its last chunk among it") {
  SendBudget budget{16'000 * kibibyte, 1};
  BudgetShare share{budget, 0};
  CHECK(share.allows(0, 936 * kibibyte, 0));  // And 64 KiB for a chunk that is not full.
  CHECK_FALSE(share.allows(0, 936 * kibibyte + 1, 0));
  CHECK(share.allows(436 * kibibyte, 500 * kibibyte, 0));
  CHECK(share.allows(0, 436 * kibibyte, 4000 * kibibyte));
  CHECK_FALSE(share.allows(0, 436 * kibibyte + 1, 4000 * kibibyte));
  CHECK_FALSE(share.allows(0, 1, 16'000 * kibibyte));
}

TEST_CASE("however many slow readers there are, there is room for those who read") {
  SendBudget budget{64'000 * kibibyte, 1};
  BudgetShare share{budget, 0};
  std::vector<std::size_t> queued(1000, 0);
  std::size_t waiting = 0;
  for (bool any = true; any;) {  // All write as much as they may.
    any = false;
    for (std::size_t& own : queued) {
      if (!share.allows(own, 10 * kibibyte, waiting)) continue;
      if (own == 0) waiting += 16 * kibibyte;
      if (own > 0 && own % (60 * kibibyte) == 10 * kibibyte) waiting += 64 * kibibyte;
      own += 10 * kibibyte;
      any = true;
    }
  }
  CHECK(waiting <= 64'000 * kibibyte);
  for (int reader = 0; reader < 10; ++reader) {
    CHECK(share.allows(0, 10 * kibibyte, waiting));
    waiting += 16 * kibibyte;
  }
}

TEST_CASE(
    "a thousand slow readers that took all they could, one after the other, leave room for those who read") {
  SendBudget budget{64 << 20, 1};
  BudgetShare share{budget, 0};
  std::size_t waiting = 0;
  for (int slow = 0; slow < 1000; ++slow) {
    std::size_t own = 0;
    for (; share.allows(own, 16 * kibibyte, waiting); own += 16 * kibibyte) waiting += 16 * kibibyte;
    CHECK(own > 0);
  }
  CHECK(waiting < 64 << 20);
  for (int reader = 0; reader < 20; ++reader) {
    CHECK(share.allows(0, 16 * kibibyte, waiting));
    waiting += 16 * kibibyte;
  }
}

TEST_CASE("the second half is for queues of a 2,048th, and ends where the budget does") {
  SendBudget budget{16'384 * kibibyte, 1};
  BudgetShare share{budget, 0};
  for (const std::size_t waiting : {8192 * kibibyte, 12'000 * kibibyte, 16'376 * kibibyte}) {
    CHECK(share.allows(0, 4 * kibibyte, waiting));  // And as much for a chunk that is not full.
    CHECK_FALSE(share.allows(0, 4 * kibibyte + 1, waiting));
    CHECK_FALSE(share.allows(4 * kibibyte, 1, waiting));
  }
  CHECK_FALSE(share.allows(0, 4 * kibibyte, 16'377 * kibibyte));
}

TEST_CASE("what others have published counts, and is looked at once a lap") {
  SendBudget budget{16'000 * kibibyte, 3};
  BudgetShare first{budget, 0};
  BudgetShare second{budget, 1};
  second.publish(4000 * kibibyte);
  CHECK(budget.elsewhere(0) == 4000 * kibibyte);
  CHECK(budget.elsewhere(1) == 0);
  CHECK_FALSE(first.allows(0, 500 * kibibyte, 0));
  CHECK(first.allows(0, 400 * kibibyte, 0));
  second.publish(0);
  CHECK_FALSE(first.allows(0, 500 * kibibyte, 0));  // As it was when it looked.
  first.publish(0);                                 // The next lap.
  CHECK(first.allows(0, 500 * kibibyte, 0));
}

TEST_CASE("a loop that has little waiting does not look, whatever the others have") {
  SendBudget budget{2000 * kibibyte, 2};
  BudgetShare hog{budget, 0};
  BudgetShare modest{budget, 1};
  hog.publish(2000 * kibibyte);
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
