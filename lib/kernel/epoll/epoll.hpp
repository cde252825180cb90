// Linux without io_uring: the same sockets, clock and threads, and rings that are answered over epoll(7).
//
// The reactor above runs unchanged; it costs a system call for each receive and each send, which io_uring
// saves. Leaves to others: everything but the rings (`Linux`). Holds no state of its own: its rings are the
// process's, as Linux's are.
#pragma once

#include "lib/kernel/linux.hpp"

namespace ringwire::kernel {

/// Any Linux that has epoll. What each call does is said in `Kernel`; docs/kernel.md says what differs from
/// io_uring.
class Epoll final : public Linux {
 public:
  int open_ring(io_uring& ring, unsigned entries, io_uring_params& params) noexcept override;
  void close_ring(io_uring& ring) noexcept override;
  int enter(io_uring& ring, unsigned submit_count, unsigned wait_count, unsigned flags,
            std::int64_t timeout) noexcept override;
  int register_ring(io_uring& ring, unsigned opcode, void* argument, unsigned count) noexcept override;
  int wake_ring(int ring_fd, std::uint64_t user_data) noexcept override;
  [[nodiscard]] std::string_view name() const noexcept override { return "epoll"; }
};

}  // namespace ringwire::kernel
