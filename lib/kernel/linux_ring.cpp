// The ring calls of the real Linux.
//
// liburing maps the queues; entering is our own, because newer flags must pass through its 2.3 unchanged.
#include "lib/kernel/linux.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

namespace ringwire::kernel {
namespace {

// Memory of a ring, or of its buffers, that one thread unmaps may be mapped for another's at once. The kernel
// orders the two; ThreadSanitizer, which does not see liburing's system calls, sees the order only here.
std::mutex mapping;

constexpr unsigned register_send_msg_ring = 31;  // Linux 6.13; not in liburing 2.3's headers.

int result_of(long result) noexcept {
  return result < 0 ? -errno : static_cast<int>(result);
}

}  // namespace

int Linux::open_ring(io_uring& ring, unsigned entries, io_uring_params& params) noexcept {
  const std::lock_guard lock{mapping};
  const int result = io_uring_queue_init_params(entries, &ring, &params);
  if (result < 0) return result;
  // A forked child shares the queues: its first submit would move our tail.
  if (const int advice = io_uring_ring_dontfork(&ring); advice < 0) {
    io_uring_queue_exit(&ring);
    return advice;
  }
  return 0;
}

void Linux::close_ring(io_uring& ring) noexcept {
  const std::lock_guard lock{mapping};
  io_uring_queue_exit(&ring);
}

void* Linux::map_memory(std::size_t size) noexcept {
  const std::lock_guard lock{mapping};
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

void Linux::unmap_memory(void* memory, std::size_t size) noexcept {
  const std::lock_guard lock{mapping};
  ::munmap(memory, size);
}

int Linux::enter(io_uring& ring, unsigned submit_count, unsigned wait_count, unsigned flags,
                 std::int64_t timeout) noexcept {
  if (ring.enter_ring_fd != ring.ring_fd) flags |= IORING_ENTER_REGISTERED_RING;

  __kernel_timespec duration{};
  io_uring_getevents_arg argument{};
  if (timeout >= 0) {
    duration.tv_sec = timeout / 1'000'000'000;
    duration.tv_nsec = timeout % 1'000'000'000;
    argument.ts = reinterpret_cast<std::uint64_t>(&duration);
  }
  return result_of(::syscall(__NR_io_uring_enter, ring.enter_ring_fd, submit_count, wait_count,
                             flags | IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument,
                             sizeof(argument)));
}

int Linux::register_ring(io_uring& ring, unsigned opcode, void* argument, unsigned count) noexcept {
  // Registering the ring's own descriptor changes what `enter` passes; liburing keeps that number in `ring`.
  if (opcode == IORING_REGISTER_RING_FDS) return io_uring_register_ring_fd(&ring) == 1 ? 0 : -EINVAL;
  return result_of(::syscall(__NR_io_uring_register, ring.ring_fd, opcode, argument, count));
}

int Linux::wake_ring(int ring_fd, std::uint64_t user_data) noexcept {
  io_uring_sqe message{};
  message.opcode = IORING_OP_MSG_RING;
  message.fd = ring_fd;
  message.off = user_data;
  return result_of(::syscall(__NR_io_uring_register, -1, register_send_msg_ring, &message, 1));
}

}  // namespace ringwire::kernel
