// A byte queue in one piece: what a handler left unread, so that it can see old and new bytes together.
//
// Owns its buffer. Invariant: bytes move only in `append`; `consume` leaves earlier views readable.
#pragma once

#include <ringwire/bytes.hpp>

#include <cstddef>
#include <memory>

namespace ringwire::base {

/// Contiguous bytes, first in, first out. One thread only.
///
/// Appending n bytes costs O(n), amortised: bytes are moved down only when at least as many were consumed.
class ByteQueue {
 public:
  ByteQueue() noexcept = default;
  ByteQueue(const ByteQueue&) = delete;
  ByteQueue& operator=(const ByteQueue&) = delete;

  /// Adds a copy of `bytes`, which must not be this queue's own. Ends all views. Throws bad_alloc, then
  /// nothing changed.
  void append(Bytes bytes);

  /// All bytes. Valid until the next `append`, `settle` or `release`.
  [[nodiscard]] Bytes view() const noexcept { return {buffer_.get() + begin_, end_ - begin_}; }

  /// Drops the first `size` bytes, of which there must be as many. Moves nothing.
  void consume(std::size_t size) noexcept;

  /// How many bytes are in.
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }

  /// True when no byte is in.
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }

  /// Call when no view is out any more: frees the memory of an empty queue, and does nothing to another.
  void settle() noexcept {
    if (empty()) release();
  }

  /// Drops all bytes and frees the memory.
  void release() noexcept;

  /// Bytes of memory held.
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

 private:
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};
static_assert(sizeof(ByteQueue) <= 32, "one in every connection that keeps bytes");

}  // namespace ringwire::base
