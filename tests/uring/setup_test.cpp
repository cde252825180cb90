// The setup ladder on a scripted kernel: what is asked for next when something is refused, and what is said
// in the end.
#include <ringwire/error.hpp>

#include "lib/uring/abi.hpp"
#include "lib/uring/ring.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/script_kernel.hpp"

#include <cerrno>

namespace ringwire::uring {
namespace {

using ringwire::test::contains;
using test::ScriptKernel;

constexpr unsigned always = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL;
constexpr unsigned defer = always | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
constexpr unsigned coop = always | IORING_SETUP_COOP_TASKRUN;

// SQEs that fit before one must be submitted.
unsigned room_of(const ScriptKernel& kernel, Ring& ring) {
  const std::size_t enters = kernel.enters;
  unsigned count = 0;
  for (; ring.make_room(1) && kernel.enters == enters; ++count) {
    static_cast<void>(ring.next_sqe({Op::event, 0, count}));
  }
  return count;
}

Features without(Feature feature) {
  Features set = Features::of_rings();
  set.remove(feature);
  return set;
}

TEST_CASE("a new kernel gives everything at the first try") {
  ScriptKernel kernel;
  kernel.features = abi::feature_no_iowait;
  Ring ring{kernel};
  REQUIRE_FALSE(ring.open(1024, 8192, Features::all()));
  CHECK(kernel.ring_flags == std::vector<unsigned>{defer});
  CHECK(ring.features() == Features::of_rings());
  CHECK(ring.cq_entries() == 8192);
  CHECK(room_of(kernel, ring) == 1024);
}

TEST_CASE("a kernel that refuses deferred work is asked for cooperative work") {
  ScriptKernel kernel;
  kernel.features = abi::feature_no_iowait;
  kernel.open_ring_results = {-EINVAL};
  Ring ring{kernel};
  REQUIRE_FALSE(ring.open(1024, 8192, Features::all()));
  CHECK(kernel.ring_flags == std::vector<unsigned>{coop});
  CHECK(ring.features() == without(Feature::defer_taskrun));
  CHECK(ring.cq_entries() == 8192);
}

TEST_CASE("short of memory, the completion queue is halved, then both in turn") {
  struct Rung {
    std::size_t refusals;
    unsigned sq_entries;
    unsigned cq_entries;
  };
  for (const Rung rung : {Rung{0, 1024, 8192}, Rung{1, 1024, 4096}, Rung{2, 1024, 2048}, Rung{3, 512, 2048},
                          Rung{4, 512, 1024}, Rung{5, 256, 1024}, Rung{6, 128, 1024}}) {
    INFO(rung.refusals << " refusals");
    ScriptKernel kernel;
    kernel.open_ring_results.assign(rung.refusals, -ENOMEM);
    Ring ring{kernel};
    REQUIRE_FALSE(ring.open(1024, 8192, Features::all()));
    CHECK(ring.cq_entries() == rung.cq_entries);
    CHECK(room_of(kernel, ring) == rung.sq_entries);
    CHECK(ring.features().has(Feature::defer_taskrun));
  }
}

TEST_CASE("an old kernel short of memory goes down both ladders") {
  ScriptKernel kernel;
  kernel.open_ring_results = {-ENOMEM, -EINVAL, -ENOMEM};
  Ring ring{kernel};
  REQUIRE_FALSE(ring.open(1024, 8192, Features::all()));
  CHECK(kernel.ring_flags == std::vector<unsigned>{coop});
  CHECK(ring.cq_entries() == 2048);
}

TEST_CASE("no memory for the smallest ring says how large it is and what the limit is") {
  ScriptKernel kernel;
  kernel.open_ring_results.assign(7, -ENOMEM);
  Ring ring{kernel};
  const std::error_code error = ring.open(1024, 8192, Features::all());
  CHECK(error == Error::memlock_too_small);
  CHECK_THAT(explain(error), contains("128 + 1024 entries") && contains("64 KiB") && contains("ulimit -l"));
  CHECK(kernel.open_ring_results.empty());
  CHECK_FALSE(ring.is_open());
}

TEST_CASE("a small ring that was asked for is not made smaller") {
  ScriptKernel kernel;
  kernel.open_ring_results = {-ENOMEM};
  Ring ring{kernel};
  CHECK(ring.open(8, 16, Features::all()) == Error::memlock_too_small);
}

TEST_CASE("a refusal says cause and cure") {
  struct Refusal {
    std::deque<int> results;
    std::error_code error;
    const char* says;
    const char* advises;
  };
  const auto of_system = [](int number) { return std::error_code{number, std::system_category()}; };
  const std::vector<Refusal> refusals{
      {{-EPERM}, Error::io_uring_forbidden, "not permitted", "kernel.io_uring_disabled"},
      {{-EACCES}, Error::io_uring_forbidden, "not permitted", "seccomp"},
      {{-ENOSYS}, Error::kernel_too_old, "not implemented", "Linux 6.1"},
      {{-EINVAL, -EINVAL}, Error::kernel_too_old, "refused every set of flags", "Linux 6.1"},
      {{-EMFILE}, of_system(EMFILE), "RLIMIT_NOFILE is 1024", "ulimit -n"},
      {{-ENFILE}, of_system(ENFILE), "no descriptor left", "fs.file-max"},
      {{-EFAULT}, of_system(EFAULT), "io_uring_setup", ""},
  };
  for (const Refusal& refusal : refusals) {
    INFO("result " << refusal.results.back());
    ScriptKernel kernel;
    kernel.open_ring_results = refusal.results;
    Ring ring{kernel};
    const std::error_code error = ring.open(1024, 8192, Features::all());
    CHECK(error == refusal.error);
    CHECK_THAT(explain(error), contains(refusal.says) && contains(refusal.advises));
    CHECK(kernel.open_ring_results.empty());
    CHECK(kernel.rings_count() == 0);
  }
}

// The trace each feature leaves on the kernel.
Features seen_by(const ScriptKernel& kernel) {
  Features seen;
  if (kernel.ring_flags.back() == defer) seen.add(Feature::defer_taskrun);
  if (kernel.registered == std::vector<unsigned>{IORING_REGISTER_RING_FDS}) {
    seen.add(Feature::registered_ring);
  }
  if ((kernel.enter_flags & abi::enter_no_iowait) != 0) seen.add(Feature::no_iowait);
  if (kernel.wakes > 0) seen.add(Feature::wake_ring);
  if (kernel.credit_probes > 0) seen.add(Feature::recv_credit);
  return seen;
}

TEST_CASE("a feature that is masked leaves no trace on the kernel, and the others do") {
  std::vector<Features> wishes{Features::of_rings(), Features{}};
  for (std::size_t index = 0; index < features_count; ++index) {
    wishes.push_back(without(static_cast<Feature>(index)));
  }
  for (const Features wanted : wishes) {
    INFO("wanted " << wanted.to_string());
    ScriptKernel kernel;
    kernel.features = abi::feature_no_iowait;
    Ring ring{kernel};
    REQUIRE_FALSE(ring.open(8, 16, wanted));
    ring.submit_and_wait(0, 0);
    CHECK(ring.features() == wanted);
    CHECK(seen_by(kernel) == wanted);
    CHECK(kernel.ring_flags == std::vector<unsigned>{wanted.has(Feature::defer_taskrun) ? defer : coop});
  }
}

TEST_CASE("with everything masked the kernel is asked for nothing that could fail") {
  ScriptKernel kernel;
  kernel.features = abi::feature_no_iowait;
  kernel.wake_result = -EFAULT;
  Ring ring{kernel};
  REQUIRE_FALSE(ring.open(8, 16, {}));
  CHECK(kernel.registered.empty());
  CHECK(kernel.wakes == 0);
  CHECK(kernel.credit_probes == 0);
  CHECK(kernel.enter_flags == 0);
}

TEST_CASE("a feature the kernel lacks is left out, and the ring works without it") {
  ScriptKernel kernel;
  kernel.wake_result = -EINVAL;
  kernel.register_results = {-EINVAL};
  kernel.credit_result = -EINVAL;
  Ring ring{kernel};
  REQUIRE_FALSE(ring.open(8, 16, Features::all()));
  Features expected;
  expected.add(Feature::defer_taskrun);
  CHECK(ring.features() == expected);
}

TEST_CASE("a kernel without multishot receive is too old, and is told apart by name") {
  ScriptKernel kernel;
  kernel.probe_result = -EINVAL;
  Ring ring{kernel};
  const std::error_code error = ring.open(8, 16, Features::all());
  CHECK(error == Error::kernel_too_old);
  CHECK_THAT(explain(error), contains("multishot recv"));
  CHECK_FALSE(ring.is_open());
  CHECK(kernel.rings_count() == 0);
}

TEST_CASE("probing leaves nothing in flight and nothing to reap") {
  ScriptKernel kernel;
  Ring ring{kernel};
  REQUIRE_FALSE(ring.open(8, 16, Features::all()));
  CHECK(ring.in_flight() == 0);
  CHECK(ring.unsubmitted() == 0);
  ring.submit_and_wait(0, 0);
  CHECK(ring.reap().empty());
}

TEST_CASE("probing goes on after it was interrupted") {
  ScriptKernel kernel;
  kernel.enter_results = {-EINTR, -EAGAIN};
  Ring ring{kernel};
  REQUIRE_FALSE(ring.open(8, 16, Features::all()));
  CHECK(ring.in_flight() == 0);
}

TEST_CASE("a ring can be opened again after a failure, with nothing left from before") {
  ScriptKernel kernel;
  kernel.open_ring_results = {-EPERM};
  Ring ring{kernel};
  REQUIRE(ring.open(8, 16, Features::all()));
  REQUIRE_FALSE(ring.open(8, 16, without(Feature::wake_ring)));
  CHECK_FALSE(ring.features().has(Feature::wake_ring));
  ring.close();
  CHECK(kernel.rings_count() == 0);
  REQUIRE_FALSE(ring.open(8, 16, {}));
  CHECK(ring.features() == Features{});
}

}  // namespace
}  // namespace ringwire::uring
