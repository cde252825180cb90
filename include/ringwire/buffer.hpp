// Bytes that belong to whoever holds them: counted references to memory that never changes.
//
//   Buffer ─┐    on the heap   Storage and bytes in one block, freed with the last reference
//   Buffer ─┼──▶
//   a slice ┘    lent          a loop's receive buffer, given out by `Conn::take` without a copy
//
//                last reference dies, on any thread ──▶ list of those that came home ──▶ the loop's next
//                flush
//                                                       └── the loop has ended: the memory waits for the last
//                                                           of its buffers, and goes with it
// Leaves to others: how long bytes are needed. Invariant: what a Buffer shows stays where and what it is for
// as long as any reference to it lives, whatever becomes of the connection, the loop or the engine.
#pragma once

#include <ringwire/bytes.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace ringwire {

/// A reference to immutable bytes: cheap to copy, to slice and to pass on.
///
/// Thread: each object one at a time, like an int; copies of it on any threads at the same time.
/// Lifetime: the bytes live as long as the last Buffer that shows any of them; a small slice keeps all.
/// Cost: copying or destroying one is an atomic increment or decrement.
///
/// Example: `const Buffer news{"42\n"}; for (const ConnRef& ref : readers) ref.write(news);`
class Buffer {
 public:
  /// What references point to; for ringwire itself.
  struct Storage {
    /// How many Buffers show it.
    std::atomic<std::uint32_t> references{1};
    /// Called with the last of them, on its thread.
    void (*free)(Storage* storage) noexcept = nullptr;
  };

  /// No bytes.
  Buffer() noexcept = default;
  /// A copy of `bytes`, in one allocation. Throws std::bad_alloc.
  explicit Buffer(Bytes bytes);
  /// The same of text.
  explicit Buffer(std::string_view text) : Buffer{to_bytes(text)} {}
  /// For ringwire itself: takes over one reference to `storage`, which holds `bytes`.
  Buffer(Storage* storage, Bytes bytes) noexcept : storage_{storage}, bytes_{bytes} {}

  Buffer(const Buffer& other) noexcept : storage_{other.storage_}, bytes_{other.bytes_} {
    if (storage_ != nullptr) storage_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Buffer(Buffer&& other) noexcept
      : storage_{std::exchange(other.storage_, nullptr)}, bytes_{std::exchange(other.bytes_, {})} {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(storage_, other.storage_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Buffer() {
    if (storage_ == nullptr) return;
    if (storage_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) storage_->free(storage_);
  }

  /// Makes `size` bytes and has `fill` write them, without a copy. `fill` is called once, before anybody else
  /// can see them; what it throws is passed on. Throws std::bad_alloc.
  ///
  /// Example: `auto zeros = Buffer::make(64, [](std::span<std::byte> room) { std::ranges::fill(room,
  /// std::byte{0}); });`
  template <typename Fill>
  [[nodiscard]] static Buffer make(std::size_t size, Fill&& fill) {
    std::span<std::byte> room;
    Buffer made = allocate(size, room);
    std::forward<Fill>(fill)(room);
    return made;
  }

  /// The bytes. Valid while this Buffer, or any other of the same bytes, lives.
  [[nodiscard]] Bytes bytes() const noexcept { return bytes_; }
  /// The same as text.
  [[nodiscard]] std::string_view text() const noexcept { return to_text(bytes_); }
  /// How many.
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  /// None?
  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }

  /// A part of it, without a copy: up to `size` bytes from `offset`; none when `offset` is beyond its end.
  ///
  /// Example: `const Buffer body = frame.slice(4);`
  [[nodiscard]] Buffer slice(std::size_t offset, std::size_t size = SIZE_MAX) const noexcept {
    Buffer part{*this};
    const std::size_t begin = std::min(offset, bytes_.size());
    part.bytes_ = bytes_.subspan(begin, std::min(size, bytes_.size() - begin));
    return part;
  }

 private:
  [[nodiscard]] static Buffer allocate(std::size_t size, std::span<std::byte>& room);

  Storage* storage_ = nullptr;
  Bytes bytes_;
};

}  // namespace ringwire
