// From `io_uring` to the ring that answers it.
//
// The structure's pointer to its mapped queues points to the object they lie in, so that `enter` looks
// nothing up.
#include "lib/kernel/epoll/epoll.hpp"

#include "lib/base/assert.hpp"
#include "lib/kernel/epoll/directory.hpp"
#include "lib/kernel/epoll/ring.hpp"

#include <cerrno>
#include <memory>
#include <new>

namespace ringwire::kernel {
namespace {

epoll::Ring& answering(const io_uring& ring) noexcept {
  RINGWIRE_ASSERT(ring.sq.ring_ptr != nullptr);
  return *static_cast<epoll::Ring*>(ring.sq.ring_ptr);
}

}  // namespace

int Epoll::open_ring(io_uring& ring, unsigned entries, io_uring_params& params) noexcept {
  try {
    auto answerer = std::make_unique<epoll::Ring>();
    if (const int result = answerer->open(ring, entries, params); result < 0) return result;
    ring.sq.ring_ptr = answerer.release();
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
  return 0;
}

void Epoll::close_ring(io_uring& ring) noexcept {
  const std::unique_ptr<epoll::Ring> last{&answering(ring)};
  ring = {};
}

int Epoll::enter(io_uring& ring, unsigned submit_count, unsigned wait_count, unsigned /*flags*/,
                 std::int64_t timeout) noexcept {
  return answering(ring).enter(submit_count, wait_count, timeout);
}

int Epoll::register_ring(io_uring& ring, unsigned opcode, void* argument, unsigned count) noexcept {
  return answering(ring).register_(opcode, argument, count);
}

int Epoll::wake_ring(int ring_fd, std::uint64_t user_data) noexcept {
  return epoll::post_message(ring_fd, {user_data, 0});
}

}  // namespace ringwire::kernel
