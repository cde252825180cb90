// A ring in memory of ours: the queues and buffer groups of kernels that answer in user space.
//
//   the reactor --SQE--> sq --take--> a Request --the kernel's business--> post --CQE--> cq --> the reactor
//                                                                            └─ full ─> overflow, until room
//
// Owns the shared memory that `io_uring` points into. Leaves to others: what a request means, who waits for
// whom. Invariant: completions reach the reactor in the order they were posted, and none is lost.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace ringwire::kernel {

/// An SQE, taken out of the queue. Names as in io_uring_sqe; `flags_word` is its union of msg_flags,
/// accept_flags, cancel_flags and others.
struct Request {
  std::uint8_t opcode = 0;
  std::uint8_t flags = 0;
  std::uint16_t ioprio = 0;
  std::int32_t fd = -1;
  std::uint64_t off = 0;
  std::uint64_t addr = 0;
  std::uint32_t len = 0;
  std::uint32_t flags_word = 0;
  std::uint64_t user_data = 0;
  std::uint16_t buf_group = 0;
  std::uint32_t file_index = 0;
};

/// A provided buffer, taken out of its group.
struct SoftBuffer {
  std::byte* memory;
  std::uint32_t size;
  std::uint16_t bid;

  /// As CQE flags.
  [[nodiscard]] std::uint32_t cqe_flags() const noexcept {
    return IORING_CQE_F_BUFFER | std::uint32_t{bid} << IORING_CQE_BUFFER_SHIFT;
  }
};

/// One ring's memory. One thread at a time.
class SoftRing {
 public:
  SoftRing() = default;
  SoftRing(const SoftRing&) = delete;
  SoftRing& operator=(const SoftRing&) = delete;

  /// Lays the queues out and points `ring` at them, as io_uring_setup(2) and mmap(2) do; `fd` becomes its
  /// descriptor. Obeys IORING_SETUP_CQSIZE and CLAMP. 0, -EINVAL or -ENOMEM.
  [[nodiscard]] int open(io_uring& ring, io_uring_params& params, unsigned entries, int fd) noexcept;

  /// SQEs written and not taken.
  [[nodiscard]] unsigned submitted() const noexcept;
  /// Takes the oldest of them; there must be one.
  [[nodiscard]] Request take() noexcept;

  /// Posts a completion: to the queue, or, when that is full, behind it. False in the second case: a
  /// multishot operation ends then (as Linux does it). May throw bad_alloc.
  bool post(std::uint64_t user_data, std::int32_t res, std::uint32_t flags = 0);
  /// Moves what waits behind the full queue into it as far as there is room. True when nothing waits any
  /// more.
  bool flush_overflow() noexcept;
  /// Completions the reactor has not reaped, waiting ones included.
  [[nodiscard]] std::size_t unreaped() const noexcept;
  /// Entries of the completion queue.
  [[nodiscard]] std::size_t capacity() const noexcept { return cq_entries_; }
  /// Room in the completion queue.
  [[nodiscard]] std::size_t room() const noexcept;

  /// IORING_REGISTER_PBUF_RING: 0, -EINVAL or -EEXIST. May throw bad_alloc.
  [[nodiscard]] int add_buffers(const io_uring_buf_reg& request);
  /// IORING_UNREGISTER_PBUF_RING: 0 or -EINVAL.
  [[nodiscard]] int remove_buffers(std::uint16_t bgid) noexcept;
  /// Is there such a group?
  [[nodiscard]] bool has_group(std::uint16_t bgid) const noexcept { return find_group(bgid) != nullptr; }
  /// The next free buffer of a group, left where it is; nothing when there is none (or no such group).
  [[nodiscard]] std::optional<SoftBuffer> next_buffer(std::uint16_t bgid) const noexcept;
  /// Takes the next free buffer of a group; nothing when there is none (or no such group): ENOBUFS.
  std::optional<SoftBuffer> take_buffer(std::uint16_t bgid) noexcept;
  /// Free buffers of a group.
  [[nodiscard]] std::size_t buffers_count(std::uint16_t bgid) const noexcept;

 private:
  struct Posted {
    std::uint64_t user_data;
    std::int32_t res;
    std::uint32_t flags;
  };
  struct Group {
    std::uint16_t bgid = 0;
    io_uring_buf* entries = nullptr;
    std::uint32_t count = 0;
    std::uint16_t head = 0;
  };

  [[nodiscard]] const Group* find_group(std::uint16_t bgid) const noexcept;
  void write(const Posted& posted) noexcept;

  // What the reactor and we share; each word is written by one side only.
  unsigned sq_head_ = 0;
  unsigned sq_tail_ = 0;
  unsigned sq_flags_ = 0;
  unsigned cq_head_ = 0;
  unsigned cq_tail_ = 0;
  unsigned sq_entries_ = 0;
  unsigned cq_entries_ = 0;
  std::unique_ptr<unsigned[]> array_;
  std::unique_ptr<io_uring_sqe[]> sqes_;
  std::vector<io_uring_cqe> cqes_;  // No array: the structure may have a tail.
  std::deque<Posted> overflow_;
  std::vector<Group> groups_;  // One as a rule, so looked through.
};

}  // namespace ringwire::kernel
