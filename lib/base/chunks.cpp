// The life of a chunk: malloc, queue, free list, and back.
#include "lib/base/chunks.hpp"

#include "lib/base/assert.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace ringwire::base {
namespace {

// Index of the smallest size with room for `size`, or of the largest.
std::size_t class_for(std::size_t size) noexcept {
  std::size_t index = 0;
  while (index + 1 < chunk_sizes.size() && chunk_sizes[index] < size) ++index;
  return index;
}

void free_chunk(Chunk* chunk) noexcept {
  std::destroy_at(chunk);
  std::free(chunk);
}

}  // namespace

ChunkPool::~ChunkPool() {
  RINGWIRE_ASSERT(lent_ == 0, "{} bytes are still in queues", lent_);
  for (Chunk* chunk : free_) {
    while (chunk != nullptr) free_chunk(std::exchange(chunk, chunk->next));
  }
}

Chunk* ChunkPool::acquire(std::size_t size) {
  const std::size_t index = class_for(size);
  Chunk* chunk = free_[index];
  if (chunk != nullptr) {
    free_[index] = std::exchange(chunk->next, nullptr);
    kept_ -= chunk->room;
  } else {
    void* memory = std::malloc(sizeof(Chunk) + chunk_sizes[index]);
    if (memory == nullptr) throw std::bad_alloc();
    chunk = std::construct_at(static_cast<Chunk*>(memory));
    chunk->room = chunk_sizes[index];
  }
  RINGWIRE_ASSERT(chunk->next == nullptr);
  RINGWIRE_ASSERT(chunk->end == 0, "an unused chunk holds [{}, {})", chunk->begin, chunk->end);
  lent_ += chunk->room;
  return chunk;
}

Chunk* ChunkPool::borrow(Buffer bytes) {
  RINGWIRE_ASSERT(bytes.size() <= borrowed_max, "{} bytes", bytes.size());

  void* memory = std::malloc(sizeof(Chunk) + sizeof(Buffer));
  if (memory == nullptr) throw std::bad_alloc();
  Chunk* chunk = std::construct_at(static_cast<Chunk*>(memory));
  chunk->room = static_cast<std::uint32_t>(bytes.size());
  chunk->end = chunk->room;
  chunk->borrowed = true;
  std::construct_at(&chunk->owner(), std::move(bytes));
  lent_ += chunk->room;
  return chunk;
}

void ChunkPool::release(Chunk* chunk) noexcept {
  RINGWIRE_ASSERT(lent_ >= chunk->room, "{} lent, {} come back", lent_, chunk->room);
  lent_ -= chunk->room;
  if (chunk->borrowed) {
    std::destroy_at(&chunk->owner());
    return free_chunk(chunk);
  }
  if (chunk->room > kept_max_ - kept_) return free_chunk(chunk);

  kept_ += chunk->room;
  chunk->begin = 0;
  chunk->end = 0;
  chunk->next = std::exchange(free_[class_for(chunk->room)], chunk);
}

ChunkQueue::~ChunkQueue() {
  RINGWIRE_ASSERT(first_ == nullptr, "{} bytes were not cleared", size_);
}

void ChunkQueue::append(ChunkPool& pool, Bytes bytes) {
  const std::size_t tail_room = last_ != nullptr ? last_->room - last_->end : 0;

  // What may throw comes first: a chain of chunks for what the tail cannot take. The longer the queue, the
  // larger the chunks, so that a queue of many small writes still leaves in few pieces.
  Chunk* added = nullptr;
  Chunk** link = &added;
  // What is queued tells how much more may come; not between borrowed chunks, behind which nothing is added.
  const bool follows_borrowed = last_ != nullptr && last_->borrowed;
  try {
    for (std::size_t left = bytes.size() - std::min(bytes.size(), tail_room); left > 0;) {
      *link = pool.acquire(follows_borrowed ? left : std::max(left, size_));
      left -= std::min<std::size_t>(left, (*link)->room);
      link = &(*link)->next;
    }
  } catch (...) {
    while (added != nullptr) pool.release(std::exchange(added, added->next));
    throw;
  }
  attach(added);

  size_ += bytes.size();
  Chunk* chunk = last_ != nullptr ? last_ : first_;
  while (!bytes.empty()) {
    const std::size_t size = std::min<std::size_t>(bytes.size(), chunk->room - chunk->end);
    if (size > 0) std::memcpy(chunk->data() + chunk->end, bytes.data(), size);
    chunk->end += static_cast<std::uint32_t>(size);
    bytes = bytes.subspan(size);
    last_ = chunk;
    chunk = chunk->next;
  }
}

void ChunkQueue::borrow(ChunkPool& pool, const Buffer& bytes) {
  Chunk* added = nullptr;
  Chunk* last = nullptr;
  try {
    for (std::size_t at = 0; at < bytes.size(); at += borrowed_max) {
      Chunk* chunk = pool.borrow(bytes.slice(at, borrowed_max));
      (last != nullptr ? last->next : added) = chunk;
      last = chunk;
    }
  } catch (...) {
    while (added != nullptr) pool.release(std::exchange(added, added->next));
    throw;
  }
  if (added == nullptr) return;
  attach(added);
  last_ = last;
  size_ += bytes.size();
}

void ChunkQueue::consume(ChunkPool& pool, std::size_t size) noexcept {
  RINGWIRE_ASSERT(size <= size_, "{} of {} bytes", size, size_);
  size_ -= size;
  while (size > 0) {
    RINGWIRE_ASSERT(first_ != nullptr, "{} bytes are counted and not there", size);
    const std::size_t taken = std::min<std::size_t>(size, first_->end - first_->begin);
    first_->begin += static_cast<std::uint32_t>(taken);
    size -= taken;
    if (first_->begin == first_->end) pool.release(std::exchange(first_, first_->next));
  }
  if (first_ == nullptr) last_ = nullptr;
  RINGWIRE_ASSERT((first_ == nullptr) == (size_ == 0), "{} bytes", size_);
}

Bytes ChunkQueue::front() const noexcept {
  if (first_ == nullptr) return {};
  return first_->used();
}

std::size_t ChunkQueue::gather(std::span<Bytes> pieces) const noexcept {
  std::size_t count = 0;
  for (Chunk* chunk = first_; chunk != nullptr && count < pieces.size(); chunk = chunk->next) {
    pieces[count++] = chunk->used();
  }
  return count;
}

}  // namespace ringwire::base
