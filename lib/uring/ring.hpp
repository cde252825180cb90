// One io_uring: a place to write requests, one call to submit them and wait, completions in batches.
//
// Leaves to others: what a request means. Belongs to the thread that opened it.
// Invariant: `in_flight()` is the number of operations the kernel still owes a completion for; at 0 nothing
// is lent.
#pragma once

#include "lib/kernel/kernel.hpp"
#include "lib/uring/allowed.hpp"
#include "lib/uring/features.hpp"
#include "lib/uring/token.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

namespace ringwire::uring {

/// A CQE, decoded.
struct Completion {
  Token token;
  std::int32_t res = 0;
  std::uint32_t flags = 0;

  /// The multishot operation goes on. Independent of `res`: the last CQE may carry data.
  [[nodiscard]] bool has_more() const noexcept { return (flags & IORING_CQE_F_MORE) != 0; }
  /// A provided buffer came with it and is ours until given back.
  [[nodiscard]] bool has_buffer() const noexcept { return (flags & IORING_CQE_F_BUFFER) != 0; }
  /// Which buffer; only when `has_buffer`.
  [[nodiscard]] std::uint16_t bid() const noexcept {
    return static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
  }
};

/// What a ring has done so far.
struct RingCounts {
  /// Calls of io_uring_enter(2) that have returned.
  std::uint64_t enters = 0;
  /// Completions reaped.
  std::uint64_t completions = 0;
  /// Submits that found completions outside the full queue.
  std::uint64_t overflows = 0;
};

/// An io_uring instance. `open` it in the thread that will use it; it never moves.
class Ring {
 public:
  /// Completions handed out by one `reap`.
  static constexpr std::size_t reap_max = 256;

  /// Touches nothing yet.
  explicit Ring(kernel::Kernel& kernel) noexcept : kernel_{kernel} {}
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { close(); }

  /// Sets the ring up and finds out which of `wanted` the kernel has. Older kernels and small RLIMIT_MEMLOCK
  /// are met with a ladder of lesser setups. With `Requests::ours` the ring takes only what allowed.hpp
  /// lists, or is not opened at all. Fails with `Error::kernel_too_old`, `io_uring_forbidden`,
  /// `memlock_too_small`, `lockdown_failed`, or an errno.
  [[nodiscard]] std::error_code open(unsigned sq_entries, unsigned cq_entries, Features wanted,
                                     Requests requests = Requests::any);

  /// Ends the ring. Nothing should be in flight; what is, the kernel ends some time later.
  void close() noexcept;

  /// Is it open?
  [[nodiscard]] bool is_open() const noexcept { return open_; }
  /// The ring's descriptor, for MSG_RING from elsewhere.
  [[nodiscard]] int fd() const noexcept { return ring_.ring_fd; }
  /// Optional features in use.
  [[nodiscard]] Features features() const noexcept { return features_; }
  /// Entries of the completion queue: less than asked for when memory was short.
  [[nodiscard]] unsigned cq_entries() const noexcept { return ring_.cq.ring_entries; }

  /// Sees to it that `count` SQEs can be written and will go out in one submit; submits what is there if need
  /// be. False when the kernel takes none now: try again next lap. `count` is at most 4.
  [[nodiscard]] bool make_room(unsigned count) noexcept {
    // The kernel only makes room: what there was at the last look there still is.
    return tail_ - seen_head_ + count <= ring_.sq.ring_entries || find_room(count);
  }

  /// A cleared SQE that carries `token`. There must be room.
  [[nodiscard]] io_uring_sqe& next_sqe(Token token) noexcept;

  /// Submits everything written, waits for `wait_count` completions at most `timeout` nanoseconds.
  void submit_and_wait(unsigned wait_count, std::int64_t timeout) noexcept;

  /// Up to `reap_max` completions, in order; empty when there are none. Valid until the next call.
  [[nodiscard]] std::span<const Completion> reap() noexcept;

  /// Completions the kernel keeps outside the full queue: enter again to get them.
  [[nodiscard]] bool has_overflow() const noexcept;

  /// SQEs written and not yet taken by the kernel.
  [[nodiscard]] unsigned unsubmitted() const noexcept;

  /// Operations that will still complete, written ones included.
  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }

  /// What it has done so far.
  [[nodiscard]] const RingCounts& counts() const noexcept { return counts_; }

  /// io_uring_register(2) on this ring, as `Kernel::register_ring`.
  [[nodiscard]] int register_ring(unsigned opcode, void* argument, unsigned count) noexcept {
    return kernel_.register_ring(ring_, opcode, argument, count);
  }

 private:
  [[nodiscard]] int set_up(unsigned sq_entries, unsigned cq_entries, unsigned flags) noexcept;
  [[nodiscard]] std::error_code climb_down(unsigned sq_entries, unsigned cq_entries, Features wanted,
                                           Requests requests);
  [[nodiscard]] std::error_code lock_down();
  void register_descriptor() noexcept;
  [[nodiscard]] std::error_code probe(Features wanted);
  [[nodiscard]] bool find_room(unsigned count) noexcept;
  int enter(unsigned wait_count, std::int64_t timeout) noexcept;

  kernel::Kernel& kernel_;
  io_uring ring_{};
  Features features_;
  unsigned enter_flags_ = 0;
  unsigned seen_head_ = 0;  // How far the kernel had taken them, last we looked.
  unsigned tail_ = 0;       // SQEs written so far; published to the kernel by `enter`.
  std::size_t in_flight_ = 0;
  RingCounts counts_;
  bool open_ = false;
  std::array<Completion, reap_max> completions_;
};

}  // namespace ringwire::uring
