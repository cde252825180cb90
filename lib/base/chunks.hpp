// A byte queue made of chunks that never move, so that the kernel can send from it while more is added.
//
//   chunk ──▶ chunk ──▶ borrowed ──▶ chunk        a copy of what was written, or a reference to a Buffer
//
// `ChunkPool` owns chunks nobody uses, one pool a loop; `ChunkQueue` owns those that hold bytes. Leaves to
// others: when to send. Invariant: a queued byte keeps its address until it is consumed, and an empty queue
// holds no chunk.
#pragma once

#include <ringwire/buffer.hpp>
#include <ringwire/bytes.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ringwire::base {

/// The three sizes of a chunk, in bytes of room.
inline constexpr std::array<std::uint32_t, 3> chunk_sizes{4 << 10, 16 << 10, 64 << 10};

/// Bytes of one borrowed chunk at most: 16 of them are what one sendmsg(2) may carry (MAX_RW_COUNT, 2 GiB).
inline constexpr std::size_t borrowed_max = 64 << 20;

/// A piece of memory and the bytes in it: used `[begin, end)`, free `[end, room)`. Its bytes follow it in
/// memory; a borrowed one has a Buffer there instead, and no free room.
struct alignas(std::max_align_t) Chunk {
  /// The next one of its queue or free list.
  Chunk* next = nullptr;
  /// How many bytes fit: one of `chunk_sizes`; of a borrowed one, how many there are.
  std::uint32_t room = 0;
  /// Position of the first byte not yet consumed.
  std::uint32_t begin = 0;
  /// Position behind the last byte.
  std::uint32_t end = 0;

  /// Are its bytes somebody else's?
  bool borrowed = false;

  /// Where position 0 of its own memory is.
  [[nodiscard]] std::byte* data() noexcept { return static_cast<std::byte*>(static_cast<void*>(this + 1)); }
  /// What keeps borrowed bytes alive.
  [[nodiscard]] Buffer& owner() noexcept { return *static_cast<Buffer*>(static_cast<void*>(this + 1)); }
  /// The bytes in use, wherever they are.
  [[nodiscard]] Bytes used() noexcept {
    const std::byte* bytes = borrowed ? owner().bytes().data() : data();
    return {bytes + begin, end - begin};
  }
};
static_assert(alignof(Buffer) <= alignof(std::max_align_t));

/// Chunks in reserve. One thread only; must outlive the queues it serves.
class ChunkPool {
 public:
  /// Keeps at most `kept_max` bytes for reuse; the rest goes back to malloc.
  explicit ChunkPool(std::size_t kept_max) noexcept : kept_max_(kept_max) {}
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;
  ~ChunkPool();

  /// An empty chunk: the smallest with room for `size`, or the largest. Throws bad_alloc.
  [[nodiscard]] Chunk* acquire(std::size_t size);

  /// A chunk that shows `bytes`, which stay where they are. At most `borrowed_max` bytes. Throws bad_alloc.
  [[nodiscard]] Chunk* borrow(Buffer bytes);

  /// Takes a chunk back that `acquire` or `borrow` answered.
  void release(Chunk* chunk) noexcept;

  /// Bytes in reserve.
  [[nodiscard]] std::size_t kept() const noexcept { return kept_; }

  /// Bytes of memory out in queues, borrowed ones among them.
  [[nodiscard]] std::size_t lent() const noexcept { return lent_; }

 private:
  std::array<Chunk*, chunk_sizes.size()> free_{};
  std::size_t kept_max_;
  std::size_t kept_ = 0;
  std::size_t lent_ = 0;
};

/// Bytes in order, first in, first out. One thread only; always used with the same pool.
class ChunkQueue {
 public:
  ChunkQueue() noexcept = default;
  ChunkQueue(const ChunkQueue&) = delete;
  ChunkQueue& operator=(const ChunkQueue&) = delete;
  /// The queue must be empty: `clear` it before.
  ~ChunkQueue();

  /// Adds a copy of `bytes` at the end; bytes already in stay where they are. Throws bad_alloc and then added
  /// nothing.
  void append(ChunkPool& pool, Bytes bytes);

  /// Adds `bytes` at the end without copying them. Throws bad_alloc and then added nothing.
  void borrow(ChunkPool& pool, const Buffer& bytes);

  /// Drops the first `size` bytes, of which there must be as many.
  void consume(ChunkPool& pool, std::size_t size) noexcept;

  /// Drops all.
  void clear(ChunkPool& pool) noexcept { consume(pool, size_); }

  /// How many bytes are in.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// True when no byte is in.
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// The first bytes, as many as lie in one piece. Valid until they are consumed. Empty when the queue is.
  [[nodiscard]] Bytes front() const noexcept;

  /// Fills `pieces` with the first bytes in order and answers how many pieces that took. Valid until
  /// consumed.
  [[nodiscard]] std::size_t gather(std::span<Bytes> pieces) const noexcept;

 private:
  void attach(Chunk* added) noexcept { (last_ != nullptr ? last_->next : first_) = added; }

  Chunk* first_ = nullptr;
  Chunk* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace ringwire::base
