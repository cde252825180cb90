// The receive buffers of one loop: lent to the kernel all at once, taken back one by one.
//
//   ours (held) --give_back--> written to the ring --publish--> the kernel's --CQE with F_BUFFER, take-->
//   ours (held) --lend--> a user's (lent) --last reference dies--> home --publish--> the kernel's
//   ours (held) --share--> both (shared) --give_back--> a user's (lent)
//
// Invariant: each buffer is held, lent or the kernel's; `held_count()` is 0 when nobody looks at received
// bytes, and at most half of them are held or lent after a `lend`.
#pragma once

#include <ringwire/buffer.hpp>
#include <ringwire/bytes.hpp>

#include "lib/kernel/kernel.hpp"
#include "lib/uring/lender.hpp"
#include "lib/uring/ring.hpp"

#include <cstddef>
#include <cstdint>
#include <system_error>
#include <vector>

namespace ringwire::uring {

/// A provided-buffer ring (io_uring_register_buf_ring(3), Linux 5.19) and the memory behind it.
class BufferPool {
 public:
  /// Touches nothing yet.
  BufferPool(kernel::Kernel& kernel, std::uint16_t bgid) noexcept : kernel_{kernel}, bgid_{bgid} {}
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool() { close(); }

  /// Maps `count` (a power of two, at most 32,768) buffers of `size` bytes and lends them all. Fails with
  /// `Error::memlock_too_small` or an errno.
  [[nodiscard]] std::error_code open(Ring& ring, std::size_t count, std::size_t size);

  /// Frees the memory, or leaves it to those who were lent some. The ring must be closed, or nothing armed on
  /// it.
  void close() noexcept;

  /// Has it buffers?
  [[nodiscard]] bool is_open() const noexcept { return entries_ != nullptr; }

  /// The group receives select from.
  [[nodiscard]] std::uint16_t bgid() const noexcept { return bgid_; }

  /// Takes the buffer a completion brought: it is held from now on.
  void take(std::uint16_t bid) noexcept;

  /// The first `size` bytes of a held buffer; valid until it is given back.
  [[nodiscard]] Bytes view(std::uint16_t bid, std::size_t size) const noexcept;

  /// Gives a held buffer back; the kernel sees it after `publish`.
  void give_back(std::uint16_t bid) noexcept;

  /// May a held buffer be lent? Only while more than half of them are neither held nor lent, so that users
  /// who keep theirs for ever cannot starve the receives.
  [[nodiscard]] bool can_lend() const noexcept { return (held_count_ + lent_count_) * 2 < count_; }

  /// Lends a held buffer to a user, who sees `bytes` of it. It is home when the last reference has died, on
  /// whatever thread and however late. Throws bad_alloc; it is still held then.
  [[nodiscard]] Buffer lend(std::uint16_t bid, Bytes bytes);

  /// A reference to `bytes` if they lie in a held buffer, fill a good part of it, and one can be lent: what
  /// is to be sent need not be copied then. The buffer stays held; once given back it is lent until the last
  /// reference has died. No bytes when not, or for want of memory.
  [[nodiscard]] Buffer share(Bytes bytes) noexcept;

  /// Lets the kernel see what was given back, and what came home. Once a lap.
  void publish() noexcept;

  /// Buffers held by us.
  [[nodiscard]] std::size_t held_count() const noexcept { return held_count_; }
  /// Buffers lent to users.
  [[nodiscard]] std::size_t lent_count() const noexcept { return lent_count_; }
  /// Buffers neither held nor lent; 0 when it is closed.
  [[nodiscard]] std::size_t free_count() const noexcept {
    return entries_ != nullptr ? count_ - held_count_ - lent_count_ : 0;
  }
  /// Bytes of one buffer.
  [[nodiscard]] std::size_t buffer_size() const noexcept { return size_; }
  /// All buffers.
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

 private:
  // Where a buffer is: the kernel's, or on its way to it; held; held and in users' hands; in users' hands.
  enum class Place : std::uint8_t { kernel, held, shared, lent };

  [[nodiscard]] bool is_held(std::uint16_t bid) const noexcept {
    return places_[bid] == Place::held || places_[bid] == Place::shared;
  }
  void add(std::uint16_t bid) noexcept;
  void welcome_home() noexcept;

  kernel::Kernel& kernel_;
  io_uring_buf* entries_ =
      nullptr;                // The ring the kernel reads; its tail lies in the first entry's reserved word.
  Lender* lender_ = nullptr;  // Owns what is at memory_, with those who were lent some of it.
  std::byte* memory_ = nullptr;
  std::size_t count_ = 0;
  std::size_t size_ = 0;
  std::size_t held_count_ = 0;
  std::size_t lent_count_ = 0;
  std::uint16_t bgid_;
  std::uint16_t tail_ = 0;
  std::vector<Place> places_;
};

}  // namespace ringwire::uring
