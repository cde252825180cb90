// The ring calls: queues, what is taken from them, who sleeps.
#include "lib/kernel/sim/sim_kernel.hpp"

#include "lib/base/assert.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cerrno>
#include <new>
#include <utility>

namespace ringwire::kernel::sim {

int SimKernel::open_ring(io_uring& ring, unsigned entries, io_uring_params& params) noexcept {
  if (refused()) return -ENOMEM;

  auto file = std::make_shared<File>(File::Kind::ring);
  const int fd = files_.add(file);
  if (fd < 0) return fd;
  params.features = ring_features_;
  RingState state{std::make_unique<SoftRing>(), std::move(file)};
  if (const int result = state.queues->open(ring, params, entries, fd); result < 0) {
    files_.close(fd);
    return result;
  }
  rings_.emplace(fd, std::move(state));
  return 0;
}

void SimKernel::close_ring(io_uring& ring) noexcept {
  const int fd = ring.ring_fd;
  RINGWIRE_ASSERT(rings_.contains(fd));
  // What is still armed ends without an answer: nobody is left to read it.
  std::erase_if(operations_, [fd](const auto& operation) { return operation->ring_fd == fd; });
  std::erase_if(groups_, [fd](const auto& group) { return group.first.first == fd; });
  rings_.erase(fd);
  files_.close(fd);
}

int SimKernel::interrupt() noexcept {
  if (faults_.happens(Fault::enter_interrupted)) return -EINTR;
  if (faults_.happens(Fault::enter_busy)) {
    constexpr std::array errors{-EBUSY, -EAGAIN, -ENOMEM};
    return errors[choices_.draw(errors.size())];
  }
  return 0;
}

int SimKernel::enter(io_uring& ring, unsigned submit_count, unsigned wait_count, unsigned /*flags*/,
                     std::int64_t timeout) noexcept {
  ++enters_;
  RingState& state = rings_.at(ring.ring_fd);
  state.asleep = false;
  state.queues->flush_overflow();
  if (const int error = interrupt(); error != 0) return error;

  const int taken = submit(ring.ring_fd, state, submit_count);
  for (const auto& [key, group] : groups_) {
    if (key.first == ring.ring_fd) check_buffers(state, group);
  }
  state.queues->flush_overflow();
  const bool waits =
      static_cast<unsigned>(taken) >= submit_count && timeout != 0;  // Linux does not after a partial submit.
  if (!waits || state.queues->unreaped() >= wait_count) return taken;

  state.asleep = true;
  state.wakes_at = timeout < 0 ? UINT64_MAX : time_ + static_cast<Nanoseconds>(timeout);
  return taken > 0 ? taken : -EINTR;
}

int SimKernel::submit(int ring_fd, RingState& state, unsigned count) {
  if (count > state.queues->submitted())
    violate(fmt::format("{} SQEs announced, {} written", count, state.queues->submitted()));
  if (count > 1 && faults_.happens(Fault::submit_partly)) count = 1 + choices_.draw(count - 1);

  int taken = 0;
  std::unique_ptr<Operation> chain;
  Operation* last = nullptr;
  while (count > 0 || last != nullptr) {
    if (state.queues->submitted() == 0) break;
    auto operation = std::make_unique<Operation>(state.queues->take(), ring_fd);
    ++taken;
    ++submissions_;
    if (count > 0) --count;
    const bool links = (operation->request.flags & (IOSQE_IO_HARDLINK | IOSQE_IO_LINK)) != 0;
    Operation* here = operation.get();
    (last != nullptr ? last->next : chain) = std::move(operation);
    last = links ? here : nullptr;
    if (!links) begin(std::move(chain));
  }
  if (chain != nullptr) violate("a link with nothing behind it");
  return taken;
}

// No buffer may stand in its ring twice: the kernel would fill it for two receives at once.
void SimKernel::check_buffers(RingState& state, const io_uring_buf_reg& group) {
  const std::size_t free_count = state.queues->buffers_count(group.bgid);
  if (free_count > group.ring_entries) {
    violate(
        fmt::format("{} buffers in a ring of {}: one was given back twice", free_count, group.ring_entries));
  }
}

int SimKernel::register_ring(io_uring& ring, unsigned opcode, void* argument, unsigned /*count*/) noexcept {
  if (refused()) return -ENOMEM;
  if (opcode == IORING_REGISTER_RING_FDS) return 0;
  // The reactor's own requests are checked against what it may use by tests of `uring`.
  if (opcode == IORING_REGISTER_RESTRICTIONS || opcode == IORING_REGISTER_ENABLE_RINGS) return 0;
  if (opcode != IORING_REGISTER_PBUF_RING) return -EINVAL;

  const auto& group = *static_cast<const io_uring_buf_reg*>(argument);
  const int result = rings_.at(ring.ring_fd).queues->add_buffers(group);
  if (result == 0) groups_[{ring.ring_fd, group.bgid}] = group;
  return result;
}

int SimKernel::wake_ring(int ring_fd, std::uint64_t user_data) noexcept {
  if (!wakes_) return -EINVAL;
  const auto found = rings_.find(ring_fd);
  if (found == rings_.end()) return -EBADF;
  found->second.queues->post(user_data, 0);
  ++completions_;
  return 0;
}

int SimKernel::forbid_new_rings() noexcept {
  return refused() ? -EPERM : 0;  // Its one thread is the whole world's: nothing is really forbidden.
}

bool SimKernel::is_awake(int ring_fd) const {
  const auto found = rings_.find(ring_fd);
  if (found == rings_.end()) return true;
  const RingState& state = found->second;
  return !state.asleep || state.queues->unreaped() > 0 || state.wakes_at <= time_;
}

Nanoseconds SimKernel::next_timeout() const noexcept {
  Nanoseconds first = UINT64_MAX;
  for (const auto& [fd, state] : rings_) {
    if (state.asleep) first = std::min(first, state.wakes_at);
  }
  return first;
}

}  // namespace ringwire::kernel::sim
