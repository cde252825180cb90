// How much may wait to be sent in all loops of an engine together: `Options::send_budget`.
//
// Each loop owns its counter and publishes it once a lap; nobody ever adds to another's. Leaves to others:
// what becomes of a write that does not fit. Invariant: what waits is at most the budget, plus `unasked`, one
// chunk and what other loops have queued in their current lap, for each loop.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

namespace ringwire::conn {

/// The counters of all loops.
class SendBudget {
 public:
  /// `limit` 0 = unlimited.
  SendBudget(std::size_t limit, std::size_t loops_count) : limit_{limit}, counts_(loops_count) {}
  SendBudget(const SendBudget&) = delete;
  SendBudget& operator=(const SendBudget&) = delete;

  /// Bytes of memory that may wait.
  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }
  /// Says what waits in a loop. That loop's thread.
  void publish(std::size_t loop, std::size_t waiting) noexcept {
    counts_[loop].waiting.store(waiting, std::memory_order_relaxed);
  }
  /// What all others have published. Any thread.
  [[nodiscard]] std::size_t elsewhere(std::size_t loop) const noexcept;

 private:
  struct alignas(64) Count {
    std::atomic<std::size_t> waiting{0};
  };

  std::size_t limit_;
  std::vector<Count> counts_;
};

/// One loop's side of it. That loop's thread.
class BudgetShare {
 public:
  /// Bytes a loop may have waiting without looking at the others, or a 16th of the budget if that is less:
  /// the hot path never looks.
  static constexpr std::size_t unasked = 64 << 10;

  /// Without a budget: everything fits.
  BudgetShare() noexcept = default;
  /// The share of loop `loop`; `budget` outlives it.
  BudgetShare(SendBudget& budget, std::size_t loop) noexcept : budget_{&budget}, loop_{loop} {}

  /// May a connection that has `queued` bytes waiting queue `size` more, when `waiting` wait in this loop?
  ///
  /// One connection gets an eighth of what is free of the first half, counting its last chunk as empty: a
  /// sixteenth of the budget at most. The second half is for queues of a 2,048th of the budget: who reads
  /// slowly, and so keeps for ever what it once got, cannot take all of it from those who read.
  [[nodiscard]] bool allows(std::size_t queued, std::size_t size, std::size_t waiting) noexcept;

  /// Once a lap.
  void publish(std::size_t waiting) noexcept;

 private:
  SendBudget* budget_ = nullptr;
  std::size_t loop_ = 0;
  std::size_t published_ = 0;
  std::size_t elsewhere_ = 0;
  bool knows_elsewhere_ = false;  // It has looked in this lap.
};

}  // namespace ringwire::conn
