// In and out: submitting, waiting, messages.
#include "lib/kernel/epoll/ring.hpp"

#include "lib/base/assert.hpp"
#include "lib/kernel/epoll/directory.hpp"

#include <time.h>

#include <algorithm>
#include <cerrno>
#include <new>

namespace ringwire::kernel::epoll {
namespace {

// What asks for less work or fewer interruptions is granted by doing everything in `enter`.
constexpr unsigned setup_flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL |
                                 IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN |
                                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_DEFER_TASKRUN |
                                 IORING_SETUP_R_DISABLED;
constexpr unsigned feature_no_iowait = 1U << 17;  // Linux 6.15; an epoll set never waits for I/O.
constexpr unsigned features = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_CUR_PERSONALITY |
                              IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP | feature_no_iowait;
constexpr unsigned link_flags = IOSQE_IO_LINK | IOSQE_IO_HARDLINK;

std::int64_t now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Ring::~Ring() {
  if (watches_.fd() >= 0) leave_directory(watches_.fd());
}

int Ring::open(io_uring& ring, unsigned entries, io_uring_params& params) noexcept {
  if ((params.flags & ~setup_flags) != 0) return -EINVAL;
  if (const int result = inbox_.open(); result < 0) return result;
  const int fd = watches_.open(inbox_.bell());
  if (fd < 0) return fd;
  params.features = features;
  if (const int result = soft_.open(ring, params, entries, fd); result < 0) return result;
  try {
    enter_directory(fd, inbox_);
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
  return 0;
}

int Ring::register_(unsigned opcode, void* argument, unsigned count) noexcept {
  switch (opcode) {
    // There is no descriptor to look up, nor a ring in Linux to be misused; here requests the reactor does
    // not make are EINVAL.
    case IORING_REGISTER_RING_FDS:
    case IORING_REGISTER_RESTRICTIONS:
    case IORING_REGISTER_ENABLE_RINGS:
      return 0;
    case IORING_REGISTER_PBUF_RING:
      if (argument == nullptr || count != 1) return -EINVAL;
      try {
        return soft_.add_buffers(*static_cast<const io_uring_buf_reg*>(argument));
      } catch (const std::bad_alloc&) {
        return -ENOMEM;
      }
    case IORING_UNREGISTER_PBUF_RING:
      if (argument == nullptr || count != 1) return -EINVAL;
      return soft_.remove_buffers(static_cast<const io_uring_buf_reg*>(argument)->bgid);
    default:
      return -EINVAL;
  }
}

int Ring::enter(unsigned submit_count, unsigned wait_count, std::int64_t timeout) noexcept {
  const unsigned submitted = submit(submit_count);
  const int result = wait(wait_count, timeout);
  return submitted > 0 ? static_cast<int>(submitted) : result;
}

unsigned Ring::submit(unsigned count) noexcept {
  count = std::min(count, soft_.submitted());
  for (unsigned taken = 0; taken < count;) {
    const Request head = soft_.take();
    ++taken;
    Chain rest;
    for (unsigned flags = head.flags; (flags & link_flags) != 0 && taken < count; ++taken) {
      rest.push_back(soft_.take());
      flags = rest.back().flags;
    }
    run(head, std::move(rest));
  }
  return count;
}

// Looks at descriptors at least once, so that they are heard also while sends complete at once. A wake that
// brings no completion (a descriptor on which nobody waits) begins the wait anew.
int Ring::wait(unsigned wait_count, std::int64_t timeout) noexcept {
  const std::size_t wanted = std::min<std::size_t>(wait_count, soft_.capacity());
  const std::int64_t deadline = wanted > 0 && timeout > 0 ? now() + timeout : 0;
  soft_.flush_overflow();
  for (;;) {
    take_messages();
    const bool waits = soft_.unreaped() < wanted && watches_.ready_count() == 0;
    const int events = waits ? sleep(timeout) : watches_.wait(0);
    take_messages();
    work();
    if (soft_.unreaped() >= wanted) return 0;
    if (events < 0) return events;
    if (timeout < 0) continue;
    timeout = deadline == 0 ? 0 : deadline - now();
    if (timeout <= 0) return -ETIME;
  }
}

int Ring::sleep(std::int64_t timeout) noexcept {
  if (timeout == 0 || !inbox_.fall_asleep()) return watches_.wait(0);
  const int events = watches_.wait(timeout);
  inbox_.wake_up();
  return events;
}

void Ring::take_messages() noexcept {
  inbox_.take(messages_);
  for (const Message& message : messages_) soft_.post(message.user_data, message.res);
  messages_.clear();
}

}  // namespace ringwire::kernel::epoll
