// Receive buffers in the hands of users: memory that outlives its pool until the last of them is back.
//
//   pool ── 1 ──┐
//   loan ── 1 ──┼──▶ Lender: the memory of all buffers, and the list of those that came home
//   loan ── 1 ──┘    whoever gives the last reference up frees the memory
//
// The memory is ours and not the kernel's: a handler may keep a buffer for longer than a simulated kernel
// lives. Leaves to others: which buffer may be lent (`BufferPool`). Invariant: a buffer is lent at most once
// at a time, and the kernel gets it back only through the pool, on the loop's thread.
#pragma once

#include <ringwire/buffer.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace ringwire::uring {

/// The memory behind a pool's buffers, shared with those who were lent one.
class Lender {
 public:
  /// Takes `size` bytes for `count` buffers, on behalf of the pool; nullptr when there is no memory.
  [[nodiscard]] static Lender* open(std::size_t count, std::size_t size) noexcept;

  Lender(const Lender&) = delete;
  Lender& operator=(const Lender&) = delete;

  /// Where the first buffer begins.
  [[nodiscard]] std::byte* memory() const noexcept { return memory_; }

  /// Gives `bytes` of buffer `bid` out. The loop's thread. Throws bad_alloc, and then lends nothing.
  [[nodiscard]] Buffer lend(std::uint16_t bid, Bytes bytes);

  /// The same while the pool itself still shows the buffer: one reference more, which `drop` gives up. The
  /// loop's thread. Throws bad_alloc, and then shares nothing.
  [[nodiscard]] Buffer share(std::uint16_t bid, Bytes bytes);
  /// Shows `bytes` of a buffer that is shared already to one more. The loop's thread.
  [[nodiscard]] Buffer share_again(std::uint16_t bid, Bytes bytes) noexcept;
  /// Hands the pool's reference over to whoever is lent the buffer now.
  [[nodiscard]] Buffer hand_over(std::uint16_t bid, Bytes bytes) noexcept;
  /// Gives up the pool's reference. The loop's thread.
  void drop(std::uint16_t bid) noexcept;

  /// Has any come home since the last `take_returned`? Any thread, without a lock.
  [[nodiscard]] bool has_returned() const noexcept { return has_returned_.load(std::memory_order_acquire); }
  /// Calls `fn(bid)` for each that has come home since. The loop's thread.
  template <typename Fn>
  void take_returned(Fn&& fn) {
    const std::lock_guard lock{mutex_};
    for (const std::uint16_t bid : returned_) fn(bid);
    returned_.clear();
    has_returned_.store(false, std::memory_order_release);
  }

  /// Gives up one reference: the pool's, or a loan's. Any thread.
  void release() noexcept;

 private:
  // A buffer that is out. Made for all buffers at once when the first is lent.
  struct Loan : Buffer::Storage {
    Lender* lender = nullptr;
    std::uint16_t bid = 0;
  };

  Lender(std::byte* memory, std::size_t count) noexcept : memory_{memory}, count_{count} {}
  ~Lender() = default;

  [[nodiscard]] Loan& begin_loan(std::uint16_t bid, std::uint32_t references);
  static void come_home(Buffer::Storage* storage) noexcept;
  void prepare();

  std::byte* memory_;
  std::size_t count_;
  std::atomic<std::uint32_t> references_{1};
  std::atomic<bool> has_returned_{false};
  std::unique_ptr<Loan[]> loans_;
  std::mutex mutex_;
  std::vector<std::uint16_t> returned_;  // Under mutex_; has room for all, so that coming home cannot fail.
};

}  // namespace ringwire::uring
