// Queues as io_uring lays them out: heads and tails that only grow, entries found by a mask.
#include "lib/kernel/soft_ring.hpp"

#include "lib/base/assert.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <new>

namespace ringwire::kernel {
namespace {

constexpr unsigned sq_entries_max = 32'768;  // IORING_MAX_ENTRIES
constexpr unsigned cq_entries_max = 2 * sq_entries_max;

// The word of the first entry that is not part of a buffer is the tail the reactor writes.
std::uint16_t tail_of(io_uring_buf* entries) noexcept {
  return std::atomic_ref{entries[0].resv}.load(std::memory_order_acquire);
}

}  // namespace

int SoftRing::open(io_uring& ring, io_uring_params& params, unsigned entries, int fd) noexcept {
  const bool clamp = (params.flags & IORING_SETUP_CLAMP) != 0;
  unsigned cq = (params.flags & IORING_SETUP_CQSIZE) != 0 ? params.cq_entries : 2 * entries;
  if (entries == 0 || cq == 0) return -EINVAL;
  if (!clamp && (entries > sq_entries_max || cq > cq_entries_max)) return -EINVAL;
  sq_entries_ = std::bit_ceil(std::min(entries, sq_entries_max));
  cq_entries_ = std::bit_ceil(std::min(cq, cq_entries_max));
  if (cq_entries_ < sq_entries_) return -EINVAL;

  try {
    array_ = std::make_unique<unsigned[]>(sq_entries_);
    sqes_ = std::make_unique<io_uring_sqe[]>(sq_entries_);
    cqes_.assign(cq_entries_, {});
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }

  ring = {};
  ring.sq.khead = &sq_head_;
  ring.sq.ktail = &sq_tail_;
  ring.sq.kflags = &sq_flags_;
  ring.sq.array = array_.get();
  ring.sq.sqes = sqes_.get();
  ring.sq.ring_mask = sq_entries_ - 1;
  ring.sq.ring_entries = sq_entries_;
  ring.cq.khead = &cq_head_;
  ring.cq.ktail = &cq_tail_;
  ring.cq.cqes = cqes_.data();
  ring.cq.ring_mask = cq_entries_ - 1;
  ring.cq.ring_entries = cq_entries_;
  ring.flags = params.flags;
  ring.features = params.features;
  ring.ring_fd = ring.enter_ring_fd = fd;
  params.sq_entries = sq_entries_;
  params.cq_entries = cq_entries_;
  return 0;
}

unsigned SoftRing::submitted() const noexcept {
  return io_uring_smp_load_acquire(&sq_tail_) - sq_head_;
}

Request SoftRing::take() noexcept {
  RINGWIRE_ASSERT(submitted() > 0);
  RINGWIRE_ASSERT(submitted() <= sq_entries_, "{} SQEs in a queue of {}", submitted(), sq_entries_);

  const io_uring_sqe& sqe = sqes_[array_[sq_head_ & (sq_entries_ - 1)] & (sq_entries_ - 1)];
  Request request;
  request.opcode = sqe.opcode;
  request.flags = sqe.flags;
  request.ioprio = sqe.ioprio;
  request.fd = sqe.fd;
  request.off = sqe.off;
  request.addr = sqe.addr;
  request.len = sqe.len;
  request.flags_word = sqe.msg_flags;
  request.user_data = sqe.user_data;
  request.buf_group = sqe.buf_group;
  request.file_index = sqe.file_index;
  io_uring_smp_store_release(&sq_head_, sq_head_ + 1);
  return request;
}

void SoftRing::write(const Posted& posted) noexcept {
  io_uring_cqe& cqe = cqes_[cq_tail_ & (cq_entries_ - 1)];
  cqe.user_data = posted.user_data;
  cqe.res = posted.res;
  cqe.flags = posted.flags;
  io_uring_smp_store_release(&cq_tail_, cq_tail_ + 1);
}

std::size_t SoftRing::room() const noexcept {
  return cq_entries_ - (cq_tail_ - io_uring_smp_load_acquire(&cq_head_));
}

bool SoftRing::post(std::uint64_t user_data, std::int32_t res, std::uint32_t flags) {
  const Posted posted{user_data, res, flags};
  if (overflow_.empty() && room() > 0) {
    write(posted);
    return true;
  }
  overflow_.push_back(posted);
  sq_flags_ |= IORING_SQ_CQ_OVERFLOW;
  return false;
}

bool SoftRing::flush_overflow() noexcept {
  while (!overflow_.empty() && room() > 0) {
    write(overflow_.front());
    overflow_.pop_front();
  }
  if (overflow_.empty()) sq_flags_ &= ~IORING_SQ_CQ_OVERFLOW;
  return overflow_.empty();
}

std::size_t SoftRing::unreaped() const noexcept {
  return cq_entries_ - room() + overflow_.size();
}

int SoftRing::add_buffers(const io_uring_buf_reg& request) {
  if (request.ring_addr == 0 || !std::has_single_bit(request.ring_entries)) return -EINVAL;
  if (request.ring_entries > sq_entries_max) return -EINVAL;
  if (has_group(request.bgid)) return -EEXIST;
  groups_.push_back({request.bgid,
                     reinterpret_cast<io_uring_buf*>(static_cast<std::uintptr_t>(request.ring_addr)),
                     request.ring_entries, 0});
  return 0;
}

int SoftRing::remove_buffers(std::uint16_t bgid) noexcept {
  return std::erase_if(groups_, [&](const Group& group) { return group.bgid == bgid; }) > 0 ? 0 : -EINVAL;
}

const SoftRing::Group* SoftRing::find_group(std::uint16_t bgid) const noexcept {
  const auto found =
      std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) { return group.bgid == bgid; });
  return found == groups_.end() ? nullptr : &*found;
}

std::optional<SoftBuffer> SoftRing::next_buffer(std::uint16_t bgid) const noexcept {
  const Group* group = find_group(bgid);
  if (group == nullptr || group->head == tail_of(group->entries)) return std::nullopt;

  const io_uring_buf& entry = group->entries[group->head & (group->count - 1)];
  return SoftBuffer{reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(entry.addr)), entry.len,
                    entry.bid};
}

std::optional<SoftBuffer> SoftRing::take_buffer(std::uint16_t bgid) noexcept {
  const auto buffer = next_buffer(bgid);
  if (!buffer) return std::nullopt;
  ++std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) {
      return group.bgid == bgid;
    })->head;
  return buffer;
}

std::size_t SoftRing::buffers_count(std::uint16_t bgid) const noexcept {
  const Group* group = find_group(bgid);
  if (group == nullptr) return 0;
  return static_cast<std::uint16_t>(tail_of(group->entries) - group->head);
}

}  // namespace ringwire::kernel
