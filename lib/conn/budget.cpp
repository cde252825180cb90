// Counting, and asking.
#include "lib/conn/budget.hpp"

#include "lib/base/chunks.hpp"

#include <algorithm>

namespace ringwire::conn {
namespace {

constexpr std::size_t part_of_budget = 16;  // The most one connection gets, when nothing waits.
constexpr std::size_t part_of_free = 8;     // Of the first half: the same, when nothing waits.
constexpr std::size_t short_queues = 2048;  // A short queue is this part of the budget.

// Memory that a queue of so many bytes may take: the last of its chunks is not full, and they grow with it.
std::size_t memory_of(std::size_t size) noexcept {
  return std::max<std::size_t>(base::chunk_sizes.front(),
                               size + std::min<std::size_t>(size, base::chunk_sizes.back()));
}

// What a queue may take of the second half. Of a small budget more than its part: no chunk is smaller.
std::size_t short_queue(std::size_t limit) noexcept {
  return std::max(limit / short_queues,
                  std::min<std::size_t>(base::chunk_sizes.front(), limit / part_of_budget));
}

}  // namespace

std::size_t SendBudget::elsewhere(std::size_t loop) const noexcept {
  std::size_t sum = 0;
  for (std::size_t index = 0; index < counts_.size(); ++index) {
    if (index != loop) sum += counts_[index].waiting.load(std::memory_order_relaxed);
  }
  return sum;
}

bool BudgetShare::allows(std::size_t queued, std::size_t size, std::size_t waiting) noexcept {
  if (budget_ == nullptr || budget_->limit() == 0) return true;
  const std::size_t limit = budget_->limit();
  if (waiting + size <= std::min(unasked, limit / part_of_budget)) return true;

  if (!knows_elsewhere_) elsewhere_ = budget_->elsewhere(loop_);
  knows_elsewhere_ = true;
  const std::size_t all = waiting + elsewhere_;
  const std::size_t memory = memory_of(queued + size);
  const std::size_t half = limit / 2;
  if (all < half && memory <= (half - all) / part_of_free) return true;
  return all < limit && memory <= std::min(short_queue(limit), limit - all);
}

void BudgetShare::publish(std::size_t waiting) noexcept {
  knows_elsewhere_ = false;
  if (budget_ == nullptr || waiting == published_) return;
  published_ = waiting;
  budget_->publish(loop_, waiting);
}

}  // namespace ringwire::conn
