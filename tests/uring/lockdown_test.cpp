// A ring under lockdown: the calls that make it one, on a scripted kernel, and what the real one then
// refuses.
//
// Leaves to others: that what is allowed works. All of this suite runs again with RINGWIRE_LOCKDOWN=1. Over
// epoll nothing is refused that was not before, so there is nothing to see here.
#include <ringwire/error.hpp>

#include "lib/uring/abi.hpp"
#include "lib/uring/prep.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/script_kernel.hpp"
#include "tests/uring/real.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <vector>

namespace ringwire::uring {
namespace {

using test::contains;
using test::ScriptKernel;

constexpr unsigned disabled = IORING_SETUP_R_DISABLED;

// What the script was told to allow, of one kind.
std::vector<unsigned> allowed(const ScriptKernel& kernel, unsigned kind) {
  std::vector<unsigned> codes;
  for (const io_uring_restriction& rule : kernel.restrictions) {
    if (rule.opcode == kind) codes.push_back(rule.sqe_op);  // In a union with register_op and sqe_flags.
  }
  return codes;
}

template <typename List>
std::vector<unsigned> numbers(const List& list) {
  return {list.begin(), list.end()};
}

TEST_CASE("a ring is set up disabled, restricted, enabled, and only then used") {
  ScriptKernel kernel;  // Refuses requests and wakes while it is disabled.
  kernel.features = abi::feature_no_iowait;
  Ring ring{kernel};
  REQUIRE_FALSE(ring.open(8, 16, Features::all(), Requests::ours));
  REQUIRE(kernel.ring_flags.size() == 1);
  CHECK((kernel.ring_flags[0] & disabled) != 0);
  CHECK(kernel.registered == std::vector<unsigned>{IORING_REGISTER_RING_FDS, IORING_REGISTER_RESTRICTIONS,
                                                   IORING_REGISTER_ENABLE_RINGS});
  CHECK(ring.features() == Features::of_rings());
  CHECK(ring.in_flight() == 0);
}

TEST_CASE("the kernel is told every opcode, flag and registration of the list, and nothing else") {
  ScriptKernel kernel;
  Ring ring{kernel};
  REQUIRE_FALSE(ring.open(8, 16, {}, Requests::ours));
  CHECK(allowed(kernel, IORING_RESTRICTION_SQE_OP) == numbers(allowed_opcodes));
  CHECK(allowed(kernel, IORING_RESTRICTION_REGISTER_OP) == numbers(allowed_registrations));
  CHECK(allowed(kernel, IORING_RESTRICTION_SQE_FLAGS_ALLOWED) == std::vector<unsigned>{allowed_flags});
  CHECK(kernel.restrictions.size() == allowed_opcodes.size() + allowed_registrations.size() + 1);
}

TEST_CASE("each lesser setup is disabled at first, too") {
  ScriptKernel kernel;
  kernel.open_ring_results = {-EINVAL, -ENOMEM};
  Ring ring{kernel};
  REQUIRE_FALSE(ring.open(1024, 8192, Features::all(), Requests::ours));
  REQUIRE(kernel.ring_flags.size() == 1);
  CHECK((kernel.ring_flags[0] & IORING_SETUP_COOP_TASKRUN) != 0);
  CHECK((kernel.ring_flags[0] & disabled) != 0);
  CHECK_FALSE(ring.features().has(Feature::defer_taskrun));
}

TEST_CASE("without lockdown a ring is neither disabled nor restricted") {
  ScriptKernel kernel;
  Ring ring{kernel};
  REQUIRE_FALSE(ring.open(8, 16, Features::all()));
  CHECK((kernel.ring_flags.at(0) & disabled) == 0);
  CHECK(kernel.registered == std::vector<unsigned>{IORING_REGISTER_RING_FDS});
}

TEST_CASE("a kernel that refuses a step of the lockdown gives no ring at all, and the step is named") {
  struct Refusal {
    std::deque<int> results;
    const char* says;
  };
  for (const Refusal& refusal : {Refusal{{-EINVAL}, "IORING_REGISTER_RESTRICTIONS"},
                                 Refusal{{0, -EACCES}, "IORING_REGISTER_ENABLE_RINGS"}}) {
    ScriptKernel kernel;
    kernel.register_results = refusal.results;
    Ring ring{kernel};
    const std::error_code error = ring.open(8, 16, {}, Requests::ours);
    CHECK(error == Error::lockdown_failed);
    CHECK_THAT(explain(error), contains(refusal.says) && contains("start without the option"));
    CHECK_FALSE(ring.is_open());
    CHECK(kernel.rings_count() == 0);
  }
}

// ---- the real kernel

// True, and says so, over epoll.
bool has_no_rings() {
  if (test::over_epoll()) test::skip("over epoll there is no ring in Linux to lock down");
  return test::over_epoll();
}

struct LinuxRing {
  explicit LinuxRing(Requests requests = Requests::ours) {
    REQUIRE_FALSE(ring.open(8, 64, test::wanted_features(), requests));
  }

  // What the kernel answers to one request.
  template <typename Prepare>
  int answer(Prepare&& prepare) {
    prepare(ring.next_sqe({Op::event, 0, 0}));
    for (int round = 0; round < 3; ++round) {  // One may end by the wake of the probe.
      ring.submit_and_wait(1, std::chrono::nanoseconds{test::patience}.count());
      for (const Completion& done : ring.reap()) {
        if (done.token.op == Op::event) return done.res;
      }
    }
    return -ETIME;
  }

  kernel::Linux kernel;
  Ring ring{kernel};
};

TEST_CASE("on the real kernel a request that is not on the list is answered EACCES, and the next is served") {
  if (has_no_rings()) return;
  LinuxRing at;
  for (const unsigned opcode : {IORING_OP_NOP, IORING_OP_OPENAT, IORING_OP_WRITE, IORING_OP_SPLICE,
                                IORING_OP_URING_CMD, IORING_OP_SOCKET, IORING_OP_POLL_ADD}) {
    INFO("opcode " << opcode);
    CHECK(at.answer([&](io_uring_sqe& sqe) { sqe.opcode = static_cast<std::uint8_t>(opcode); }) == -EACCES);
  }
  CHECK(at.answer([](io_uring_sqe& sqe) { prep_close(sqe, -1); }) == -EBADF);
  CHECK(at.ring.in_flight() == 0);
}

TEST_CASE("on the real kernel no opcode but those on the list gets as far as being looked at") {
  if (has_no_rings()) return;
  LinuxRing at;
  for (unsigned opcode = 0; opcode <= IORING_OP_SENDMSG_ZC; ++opcode) {  // The last of Linux 6.1.
    const auto code = static_cast<std::uint8_t>(opcode);
    if (std::find(allowed_opcodes.begin(), allowed_opcodes.end(), code) != allowed_opcodes.end()) continue;
    INFO("opcode " << opcode);
    CHECK(at.answer([&](io_uring_sqe& sqe) { sqe.opcode = code; }) == -EACCES);
  }
}

TEST_CASE("on the real kernel a flag that is not on the list is answered EACCES") {
  if (has_no_rings()) return;
  LinuxRing at;
  for (const unsigned flag : {IOSQE_FIXED_FILE, IOSQE_IO_DRAIN, IOSQE_IO_LINK, IOSQE_ASYNC}) {
    INFO("flag " << flag);
    CHECK(at.answer([&](io_uring_sqe& sqe) {
      prep_close(sqe, -1);
      sqe.flags = static_cast<std::uint8_t>(flag);
    }) == -EACCES);
  }
}

TEST_CASE("on the real kernel a registration that is not on the list is answered EACCES") {
  if (has_no_rings()) return;
  LinuxRing at;
  int event = at.kernel.open_event();
  CHECK(at.ring.register_ring(IORING_REGISTER_EVENTFD, &event, 1) == -EACCES);
  CHECK(at.ring.register_ring(IORING_REGISTER_RING_FDS, nullptr, 0) == -EINVAL);  // As liburing says it.
  CHECK(at.ring.register_ring(IORING_REGISTER_PERSONALITY, nullptr, 0) == -EACCES);
  at.kernel.close(event);
}

TEST_CASE("on the real kernel a ring that is locked down stays so") {
  if (has_no_rings()) return;
  LinuxRing at;
  io_uring_restriction nop{};
  nop.opcode = IORING_RESTRICTION_SQE_OP;
  nop.sqe_op = IORING_OP_NOP;
  CHECK(at.ring.register_ring(IORING_REGISTER_RESTRICTIONS, &nop, 1) < 0);
  CHECK(at.ring.register_ring(IORING_REGISTER_ENABLE_RINGS, nullptr, 0) < 0);
  CHECK(at.answer([](io_uring_sqe& sqe) { sqe.opcode = IORING_OP_NOP; }) == -EACCES);
}

TEST_CASE("on the real kernel lockdown takes no feature away") {
  if (has_no_rings()) return;
  const LinuxRing free{Requests::any};
  const LinuxRing locked;
  CHECK(locked.ring.features() == free.ring.features());
}

TEST_CASE("on the real kernel a thread can open locked rings again and again") {
  if (has_no_rings()) return;
  // Its table of registered rings has 16 places: each must be given back.
  const Features had = LinuxRing{}.ring.features();
  for (int round = 0; round < 40; ++round) {
    const LinuxRing at;
    REQUIRE(at.ring.features() == had);
  }
}

}  // namespace
}  // namespace ringwire::uring
