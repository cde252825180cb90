// Lending buffers to the kernel and taking them back.
#include "lib/uring/pool.hpp"

#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/uring/prep.hpp"

#include <fmt/core.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <new>

namespace ringwire::uring {
namespace {

constexpr std::size_t entries_max = 32'768;  // The kernel's limit.

}  // namespace

std::error_code BufferPool::open(Ring& ring, std::size_t count, std::size_t size) {
  RINGWIRE_ASSERT(entries_ == nullptr);
  RINGWIRE_ASSERT(std::has_single_bit(count));
  RINGWIRE_ASSERT(count <= entries_max);
  RINGWIRE_ASSERT(size > 0);

  places_.assign(count, Place::kernel);
  count_ = count;
  size_ = size;
  entries_ = static_cast<io_uring_buf*>(kernel_.map_memory(count * sizeof(io_uring_buf)));
  lender_ = Lender::open(count, count * size);
  memory_ = lender_ != nullptr ? lender_->memory() : nullptr;
  if (entries_ == nullptr || memory_ == nullptr) {
    close();
    return base::fail(std::make_error_code(std::errc::not_enough_memory),
                      fmt::format("{} receive buffers of {} bytes", count, size));
  }

  io_uring_buf_reg request{};
  request.ring_addr = to_u64(entries_);
  request.ring_entries = static_cast<std::uint32_t>(count);
  request.bgid = bgid_;
  if (const int result = ring.register_ring(IORING_REGISTER_PBUF_RING, &request, 1); result < 0) {
    close();
    if (result == -EINVAL) {
      return base::fail(Error::kernel_too_old, "provided-buffer rings are missing (Linux 5.19 has them)");
    }
    if (result != -ENOMEM) return base::fail(base::to_error(result), "registering the receive buffers");
    return base::fail(
        Error::memlock_too_small,
        fmt::format("a ring of {} receive buffers needs {} KiB, RLIMIT_MEMLOCK is {} KiB for all processes "
                    "of this user",
                    count, (count * sizeof(io_uring_buf) + 1023) / 1024, kernel_.memlock_limit() / 1024));
  }
  for (std::size_t bid = 0; bid < count; ++bid) add(static_cast<std::uint16_t>(bid));
  publish();
  return {};
}

void BufferPool::close() noexcept {
  if (entries_ != nullptr) kernel_.unmap_memory(entries_, count_ * sizeof(io_uring_buf));
  if (lender_ != nullptr) lender_->release();
  entries_ = nullptr;
  lender_ = nullptr;
  memory_ = nullptr;
  held_count_ = 0;
  lent_count_ = 0;
  tail_ = 0;
}

void BufferPool::take(std::uint16_t bid) noexcept {
  RINGWIRE_ASSERT(bid < count_, "bid {} of {}", bid, count_);
  RINGWIRE_ASSERT(places_[bid] == Place::kernel, "bid {} came twice", bid);

  places_[bid] = Place::held;
  ++held_count_;
}

Bytes BufferPool::view(std::uint16_t bid, std::size_t size) const noexcept {
  RINGWIRE_ASSERT(bid < count_, "bid {} of {}", bid, count_);
  RINGWIRE_ASSERT(is_held(bid), "bid {} is the kernel's", bid);
  RINGWIRE_ASSERT(size <= size_, "{} bytes of a buffer of {}", size, size_);

  return {memory_ + bid * size_, size};
}

void BufferPool::give_back(std::uint16_t bid) noexcept {
  RINGWIRE_ASSERT(bid < count_, "bid {} of {}", bid, count_);
  RINGWIRE_ASSERT(is_held(bid), "bid {} given back twice", bid);
  RINGWIRE_ASSERT(held_count_ > 0);

  --held_count_;
  if (places_[bid] == Place::shared) {
    places_[bid] = Place::lent;
    ++lent_count_;
    return lender_->drop(bid);
  }
  places_[bid] = Place::kernel;
  add(bid);
}

Buffer BufferPool::lend(std::uint16_t bid, Bytes bytes) {
  RINGWIRE_ASSERT(bid < count_, "bid {} of {}", bid, count_);
  RINGWIRE_ASSERT(is_held(bid), "bid {} is the kernel's", bid);
  RINGWIRE_ASSERT(can_lend(), "{} held and {} lent of {}", held_count_, lent_count_, count_);

  Buffer lent = places_[bid] == Place::shared ? lender_->hand_over(bid, bytes) : lender_->lend(bid, bytes);
  places_[bid] = Place::lent;
  --held_count_;
  ++lent_count_;
  return lent;
}

Buffer BufferPool::share(Bytes bytes) noexcept {
  // Compared as numbers: the bytes may be anybody's.
  const std::uint64_t offset = to_u64(bytes.data()) - to_u64(memory_);
  if (memory_ == nullptr || offset >= count_ * size_ || bytes.size() * 4 < size_) return {};
  const auto bid = static_cast<std::uint16_t>(offset / size_);
  if (places_[bid] == Place::shared) return lender_->share_again(bid, bytes);
  if (places_[bid] != Place::held || !can_lend()) return {};
  try {
    Buffer shared = lender_->share(bid, bytes);
    places_[bid] = Place::shared;
    return shared;
  } catch (const std::bad_alloc&) {
    return {};
  }
}

void BufferPool::welcome_home() noexcept {
  lender_->take_returned([this](std::uint16_t bid) {
    RINGWIRE_ASSERT(places_[bid] == Place::lent, "bid {} came home twice", bid);
    RINGWIRE_ASSERT(lent_count_ > 0);
    places_[bid] = Place::kernel;
    --lent_count_;
    add(bid);
  });
}

void BufferPool::add(std::uint16_t bid) noexcept {
  io_uring_buf& entry = entries_[tail_ & (count_ - 1)];
  entry.addr = to_u64(memory_ + bid * size_);
  entry.len = static_cast<std::uint32_t>(size_);
  entry.bid = bid;  // Not `resv`: in the first entry that is the tail.
  ++tail_;
}

void BufferPool::publish() noexcept {
  RINGWIRE_ASSERT(entries_ != nullptr);
  if (lender_->has_returned()) welcome_home();

  // The kernel must not see the tail before the entries below it.
  std::atomic_ref<std::uint16_t>{entries_[0].resv}.store(tail_, std::memory_order_release);
}

}  // namespace ringwire::uring
