// A table of objects named by slot and generation, so that a late answer for a dead object finds nothing.
//
// Owns the objects. They live in chunks and never move, because the kernel may hold their addresses; chunks
// are freed only with the table. Invariant: a cell's tag is the generation of the object in it, or carries
// `vacant`.
#pragma once

#include "lib/base/assert.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace ringwire::base {

/// Generations have 24 bits, as a completion's token has; 0 is never one.
inline constexpr std::uint32_t generation_mask = 0xFF'FFFF;

/// Up to `max` objects of type `T`, made as `T(slot, generation, args…)`. One thread only.
///
/// A released slot is the next to be used again, with the next generation: its memory is still in the cache.
template <typename T>
class SlotTable {
 public:
  /// Allocates nothing yet.
  explicit SlotTable(std::size_t max) noexcept : max_(max) { RINGWIRE_ASSERT(max < none, "{} slots", max); }
  SlotTable(const SlotTable&) = delete;
  SlotTable& operator=(const SlotTable&) = delete;
  /// Destroys what is left, in slot order.
  ~SlotTable() {
    for (std::uint32_t slot = 0; slot < fresh_; ++slot) {
      if (at(slot) != nullptr) release(slot);
    }
  }

  /// Makes an object in a free slot; nullptr when there are `max` already. May throw bad_alloc and what `T`
  /// throws.
  template <typename... Args>
  [[nodiscard]] T* acquire(Args&&... args) {
    if (size_ == max_) return nullptr;
    const std::uint32_t slot = free_ != none ? free_ : fresh_;
    if (slot / chunk_count == chunks_.size()) chunks_.push_back(std::make_unique<Chunk>());

    Cell& cell = cell_at(slot);
    RINGWIRE_ASSERT((cell.tag & vacant) != 0, "slot {}", slot);
    const std::uint32_t generation = cell.tag & generation_mask;
    std::construct_at(&cell.object, slot, generation, std::forward<Args>(args)...);
    cell.tag = generation;
    if (slot == free_) {
      free_ = cell.next_free;
    } else {
      ++fresh_;
    }
    ++size_;
    return &cell.object;
  }

  /// Destroys the object in `slot`, which must hold one. From its destructor on it is no longer found.
  void release(std::uint32_t slot) noexcept {
    RINGWIRE_ASSERT(slot < fresh_, "slot {} of {}", slot, fresh_);
    Cell& cell = cell_at(slot);
    RINGWIRE_ASSERT((cell.tag & vacant) == 0, "slot {} is empty", slot);
    const std::uint32_t next = (cell.tag + 1) & generation_mask;
    cell.tag = (next == 0 ? 1 : next) | vacant;
    std::destroy_at(&cell.object);
    cell.next_free = free_;
    free_ = slot;
    --size_;
  }

  /// The object of this slot and generation, or nullptr when it is gone or never was. Any numbers may be
  /// asked for.
  [[nodiscard]] T* find(std::uint32_t slot, std::uint32_t generation) noexcept {
    if (slot >= fresh_) return nullptr;
    Cell& cell = cell_at(slot);
    return cell.tag == generation ? &cell.object : nullptr;
  }

  /// The object in this slot, whatever its generation, or nullptr.
  [[nodiscard]] T* at(std::uint32_t slot) noexcept {
    if (slot >= fresh_) return nullptr;
    Cell& cell = cell_at(slot);
    return (cell.tag & vacant) == 0 ? &cell.object : nullptr;
  }

  /// How many objects there are.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// Slots from here on were never used: to walk the table in pieces.
  [[nodiscard]] std::uint32_t slots_end() const noexcept { return fresh_; }

  /// How many there can be.
  [[nodiscard]] std::size_t max() const noexcept { return max_; }

  /// Calls `fn(T&)` for each object in slot order. `fn` may release any of them; one it adds may or may not
  /// be seen.
  template <typename Fn>
  void for_each(Fn&& fn) {
    for (std::uint32_t slot = 0; slot < fresh_; ++slot) {
      if (T* object = at(slot)) fn(*object);
    }
  }

 private:
  static constexpr std::uint32_t none = 0xFFFF'FFFF;
  static constexpr std::uint32_t vacant = 0x8000'0000;
  static constexpr std::uint32_t chunk_count = 64;

  // A generation compared with the tag of an empty cell always differs: it has no 31st bit.
  struct Cell {
    Cell() noexcept {}
    ~Cell() {}
    Cell(const Cell&) = delete;
    Cell& operator=(const Cell&) = delete;

    std::uint32_t tag = 1 | vacant;
    std::uint32_t next_free = none;
    union {
      T object;
    };
  };
  using Chunk = std::array<Cell, chunk_count>;

  [[nodiscard]] Cell& cell_at(std::uint32_t slot) noexcept {
    return (*chunks_[slot / chunk_count])[slot % chunk_count];
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::size_t max_;
  std::size_t size_ = 0;
  std::uint32_t fresh_ = 0;    // Slots from here on were never used.
  std::uint32_t free_ = none;  // The last one released; the others follow by `next_free`.
};

}  // namespace ringwire::base
