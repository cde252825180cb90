// A bounded queue from many threads to one, which tells the poster whether the reader must be woken.
//
// Owns the waiting mail. Leaves to others: how to wake. Invariant: between two `take`s exactly one post
// answers `first`.
#pragma once

#include "lib/base/assert.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace ringwire::base {

/// What became of a post.
enum class Posted : std::uint8_t {
  /// Taken, and nobody posted since the last `take`: wake the reader.
  first,
  /// Taken; whoever was `first` wakes the reader.
  queued,
  /// Refused, the argument is untouched: as many as allowed are waiting.
  full,
  /// Refused, the argument is untouched: the reader has ended.
  closed,
};

/// Mail for one reader. A mutex and two vectors: the reader takes all mail for the price of one swap.
template <typename T>
class Mailbox {
 public:
  /// Room for `max` letters; memory is taken as they come.
  explicit Mailbox(std::size_t max) noexcept : max_(max) { RINGWIRE_ASSERT(max > 0); }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Adds `mail`; with `beyond_max` also when there is no room, for who has a bound of his own. Any thread.
  /// Letters of one thread keep their order. May throw bad_alloc; then nothing was added.
  [[nodiscard]] Posted post(T&& mail, bool beyond_max = false) {
    const std::lock_guard lock(mutex_);
    if (closed_) return Posted::closed;
    if (waiting_.size() >= max_ && !beyond_max) return Posted::full;
    waiting_.push_back(std::move(mail));
    size_.store(waiting_.size(), std::memory_order_release);
    return waiting_.size() > 1 ? Posted::queued : Posted::first;
  }

  /// True when there is mail. Any thread, without a lock; a post that has just returned is seen.
  [[nodiscard]] bool has_mail() const noexcept { return size() != 0; }

  /// Letters that wait. The same.
  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_acquire); }

  /// Moves all mail into `out`, which must be empty and whose memory is kept for the next letters. Reader
  /// only.
  void take(std::vector<T>& out) noexcept {
    RINGWIRE_ASSERT(out.empty(), "{} letters were not read", out.size());
    const std::lock_guard lock(mutex_);
    waiting_.swap(out);
    size_.store(0, std::memory_order_release);
  }

  /// The last `take`: every later post answers `closed`. Reader only; twice is harmless.
  void close(std::vector<T>& rest) noexcept {
    RINGWIRE_ASSERT(rest.empty(), "{} letters were not read", rest.size());
    const std::lock_guard lock(mutex_);
    closed_ = true;
    waiting_.swap(rest);
    size_.store(0, std::memory_order_release);
  }

 private:
  const std::size_t max_;
  std::mutex mutex_;
  std::vector<T> waiting_;            // Under mutex_.
  bool closed_ = false;               // Under mutex_.
  std::atomic<std::size_t> size_{0};  // Written under mutex_.
};

}  // namespace ringwire::base
