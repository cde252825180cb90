// How a ring is set up: a ladder from the best to the bearable, and features found by using them.
//
// Every rung works alike for those above; what differs is `features()` and the size of the completion queue.
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/uring/abi.hpp"
#include "lib/uring/allowed.hpp"
#include "lib/uring/prep.hpp"
#include "lib/uring/ring.hpp"

#include <fmt/core.h>

#include <cerrno>

namespace ringwire::uring {
namespace {

constexpr unsigned base_flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL;
constexpr unsigned defer_flags = base_flags | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
constexpr unsigned coop_flags = base_flags | IORING_SETUP_COOP_TASKRUN;

constexpr std::uint32_t credit_probe = 2;  // The slot of that one.
constexpr unsigned cq_entries_min = 1024;  // Below this, overflow would be the rule.

std::error_code refusal(kernel::Kernel& kernel, int result, unsigned sq_entries, unsigned cq_entries) {
  switch (-result) {
    case EPERM:
    case EACCES:
      return base::fail(Error::io_uring_forbidden, "io_uring_setup: operation not permitted");
    case ENOSYS:
      return base::fail(Error::kernel_too_old,
                        "io_uring_setup: not implemented by this kernel, or hidden by a seccomp profile");
    case EINVAL:
      return base::fail(Error::kernel_too_old, "io_uring_setup refused every set of flags we can work with");
    case ENOMEM:
      return base::fail(
          Error::memlock_too_small,
          fmt::format(
              "a ring of {} + {} entries does not fit RLIMIT_MEMLOCK, which is {} KiB for all processes "
              "of this user",
              sq_entries, cq_entries, kernel.memlock_limit() / 1024));
    case EMFILE:
    case ENFILE:
      return base::fail(
          base::to_error(result),
          fmt::format("no descriptor left for a ring, RLIMIT_NOFILE is {}", kernel.descriptors_limit()));
    default:
      return base::fail(base::to_error(result), "io_uring_setup");
  }
}

}  // namespace

int Ring::set_up(unsigned sq_entries, unsigned cq_entries, unsigned flags) noexcept {
  io_uring_params params{};
  params.flags = flags;
  params.cq_entries = cq_entries;
  ring_ = {};
  return kernel_.open_ring(ring_, sq_entries, params);
}

std::error_code Ring::climb_down(unsigned sq_entries, unsigned cq_entries, Features wanted,
                                 Requests requests) {
  const unsigned disabled = requests == Requests::ours ? IORING_SETUP_R_DISABLED : 0;
  unsigned flags = wanted.has(Feature::defer_taskrun) ? defer_flags : coop_flags;
  for (;;) {
    const int result = set_up(sq_entries, cq_entries, flags | disabled);
    if (result == 0) break;
    if (result == -EINVAL && flags == defer_flags) {
      flags = coop_flags;
    } else if (result == -ENOMEM && cq_entries / 2 >= cq_entries_min && cq_entries / 2 >= sq_entries * 2) {
      cq_entries /= 2;
    } else if (result == -ENOMEM && sq_entries / 2 >= cq_entries_min / 8) {
      sq_entries /= 2;
    } else {
      return refusal(kernel_, result, sq_entries, cq_entries);
    }
  }
  if (flags == defer_flags) features_.add(Feature::defer_taskrun);
  return {};
}

std::error_code Ring::open(unsigned sq_entries, unsigned cq_entries, Features wanted, Requests requests) {
  RINGWIRE_ASSERT(!open_);
  RINGWIRE_ASSERT(sq_entries >= 4);

  features_ = {};
  if (const auto error = climb_down(sq_entries, cq_entries, wanted, requests)) return error;

  // The array maps queue positions to SQEs; we always use them in order. Newer liburing asks for rings
  // without it.
  if (ring_.sq.array != nullptr) {
    for (unsigned index = 0; index < ring_.sq.ring_entries; ++index) ring_.sq.array[index] = index;
  }
  tail_ = *ring_.sq.ktail;
  seen_head_ = tail_;
  in_flight_ = 0;
  enter_flags_ = 0;
  open_ = true;

  if (wanted.has(Feature::registered_ring)) register_descriptor();  // Before it would need permission.
  std::error_code error = requests == Requests::ours ? lock_down() : std::error_code{};
  if (!error) error = probe(wanted);
  if (error) close();
  return error;
}

void Ring::register_descriptor() noexcept {
  if (register_ring(IORING_REGISTER_RING_FDS, nullptr, 0) == 0) features_.add(Feature::registered_ring);
}

std::error_code Ring::probe(Features wanted) {
  if (wanted.has(Feature::no_iowait) && (ring_.features & abi::feature_no_iowait) != 0) {
    features_.add(Feature::no_iowait);
    enter_flags_ |= abi::enter_no_iowait;
  }
  // Posting to ourselves: the CQE is an ordinary wake, and the loop wakes once for nothing.
  if (wanted.has(Feature::wake_ring) && kernel_.wake_ring(fd(), Token{Op::wake}.pack()) == 0) {
    features_.add(Feature::wake_ring);
  }

  // What we cannot do without. On descriptor -1 a request the kernel knows fails with EBADF, one it does not
  // with EINVAL: flags are looked at before the file is.
  prep_recv_multishot(next_sqe({Op::probe, 0, 0}), -1, 0, false);
  prep_accept_multishot(next_sqe({Op::probe, 0, 1}), -1);
  if (wanted.has(Feature::recv_credit)) {
    prep_recv_multishot(next_sqe({Op::probe, 0, credit_probe}), -1, 0, false, 1);
    features_.add(Feature::recv_credit);  // Unless it says no.
  }
  while (in_flight_ > 0) {
    submit_and_wait(1, kernel::wait_forever);
    for (const Completion& done : reap()) {
      if (done.token.op != Op::probe || done.res != -EINVAL) continue;
      if (done.token.slot == credit_probe) {
        features_.remove(Feature::recv_credit);
      } else {
        return base::fail(Error::kernel_too_old, done.token.slot == 0
                                                     ? "multishot recv is missing (Linux 6.0 has it)"
                                                     : "multishot accept is missing (Linux 5.19 has it)");
      }
    }
  }
  return {};
}

}  // namespace ringwire::uring
