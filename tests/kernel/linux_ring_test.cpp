// The ring calls of the real Linux: setting up, entering with a timeout, the registered descriptor, wakes,
// and what a forked child sees.
#include "lib/kernel/linux.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/wait.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <future>
#include <thread>

namespace ringwire::kernel {
namespace {

constexpr std::int64_t patience =
    std::chrono::duration_cast<std::chrono::nanoseconds>(test::patience).count();

constexpr unsigned loop_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;

// A ring of 8 entries, and the few lines it takes to use one by hand.
struct OpenRing {
  explicit OpenRing(unsigned flags = 0) {
    params.flags = flags;
    result = kernel.open_ring(ring, 8, params);
  }
  OpenRing(const OpenRing&) = delete;
  OpenRing& operator=(const OpenRing&) = delete;
  ~OpenRing() {
    if (result == 0) kernel.close_ring(ring);
  }

  // Writes a request that completes at once, for the next `enter` to submit.
  void write_nop(std::uint64_t user_data) {
    const unsigned tail = *ring.sq.ktail;
    io_uring_sqe& sqe = ring.sq.sqes[tail & ring.sq.ring_mask];
    sqe = {};
    sqe.opcode = IORING_OP_NOP;
    sqe.user_data = user_data;
    ring.sq.array[tail & ring.sq.ring_mask] = tail & ring.sq.ring_mask;
    io_uring_smp_store_release(ring.sq.ktail, tail + 1);
  }

  [[nodiscard]] unsigned ready() const { return io_uring_cq_ready(&ring); }

  // The user_data of the first completion, which is taken out.
  std::uint64_t take() {
    const unsigned head = *ring.cq.khead;
    const std::uint64_t user_data = ring.cq.cqes[head & ring.cq.ring_mask].user_data;
    io_uring_smp_store_release(ring.cq.khead, head + 1);
    return user_data;
  }

  Linux kernel;
  io_uring ring{};
  io_uring_params params{};
  int result = -1;
};

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

TEST_CASE("a ring opens with its queues mapped, and closing it gives the descriptor back") {
  int fd = -1;
  {
    OpenRing at;
    REQUIRE(at.result == 0);
    fd = at.ring.ring_fd;
    CHECK(is_open(fd));
    CHECK(at.ring.sq.ring_entries == 8);
    CHECK(at.ring.cq.ring_entries == 16);
    CHECK((at.params.features & IORING_FEAT_EXT_ARG) != 0);
    CHECK(at.ready() == 0);
  }
  CHECK_FALSE(is_open(fd));
}

TEST_CASE("a ring without entries is refused with its errno") {
  Linux kernel;
  io_uring ring{};
  io_uring_params params{};
  CHECK(kernel.open_ring(ring, 0, params) == -EINVAL);
}

TEST_CASE("flags nobody knows are refused with their errno") {
  OpenRing at{1U << 31};
  CHECK(at.result == -EINVAL);
}

TEST_CASE("a request is submitted and its completion waited for by one enter") {
  OpenRing at{loop_flags};
  REQUIRE(at.result == 0);
  at.write_nop(42);
  at.write_nop(43);
  CHECK(at.kernel.enter(at.ring, 2, 2, 0, patience) == 2);
  REQUIRE(at.ready() == 2);
  CHECK(at.take() == 42);
  CHECK(at.take() == 43);
}

TEST_CASE("a wait for nothing ends with ETIME, and never early") {
  OpenRing at{loop_flags};
  REQUIRE(at.result == 0);
  constexpr std::int64_t timeout = 20'000'000;
  const Nanoseconds before = at.kernel.now();
  CHECK(at.kernel.enter(at.ring, 0, 1, 0, timeout) == -ETIME);
  CHECK(at.kernel.now() - before >= static_cast<Nanoseconds>(timeout));
}

TEST_CASE("an enter that waits for nothing returns at once, whatever its timeout") {
  OpenRing at{loop_flags};
  REQUIRE(at.result == 0);
  CHECK(at.kernel.enter(at.ring, 0, 0, 0, wait_forever) == 0);
  CHECK(at.kernel.enter(at.ring, 0, 1, 0, 0) == -ETIME);
}

TEST_CASE("a ring works on through its registered descriptor") {
  OpenRing at{loop_flags};
  REQUIRE(at.result == 0);
  REQUIRE(at.kernel.register_ring(at.ring, IORING_REGISTER_RING_FDS, nullptr, 0) == 0);
  CHECK(at.ring.enter_ring_fd != at.ring.ring_fd);  // Index 0 of the thread's table: stdin is open.
  at.write_nop(7);
  CHECK(at.kernel.enter(at.ring, 1, 1, 0, patience) == 1);
  CHECK(at.take() == 7);
  CHECK(at.kernel.enter(at.ring, 0, 1, 0, 1'000'000) == -ETIME);
}

TEST_CASE("a registration nobody knows is refused with its errno") {
  OpenRing at;
  REQUIRE(at.result == 0);
  CHECK(at.kernel.register_ring(at.ring, 200, nullptr, 0) == -EINVAL);
}

TEST_CASE("a thread without a ring wakes another thread's ring") {
  Linux kernel;
  {
    OpenRing own;
    REQUIRE(own.result == 0);
    if (kernel.wake_ring(own.ring.ring_fd, 1) == -EINVAL) {
      test::skip("MSG_RING through io_uring_register is Linux 6.13");
      return;
    }
  }
  std::promise<int> opened;
  std::uint64_t received = 0;
  int waited = -1;
  std::thread owner{[&] {
    OpenRing at{loop_flags};
    opened.set_value(at.result == 0 ? at.ring.ring_fd : at.result);
    if (at.result != 0) return;
    waited = at.kernel.enter(at.ring, 0, 1, 0, patience);
    if (at.ready() == 1) received = at.take();
  }};
  const int woken = kernel.wake_ring(opened.get_future().get(), 0x0102'0304'0506'0708);
  owner.join();
  CHECK(woken == 0);
  CHECK(waited == 0);
  CHECK(received == 0x0102'0304'0506'0708);
}

TEST_CASE("waking what is no ring is refused, and harms nobody") {
  Linux kernel;
  CHECK(kernel.wake_ring(-1, 1) < 0);
  CHECK(kernel.wake_ring(STDIN_FILENO, 1) < 0);
}

TEST_CASE("a forked child sees neither queue of the ring") {
  OpenRing at;
  REQUIRE(at.result == 0);
  const auto page = static_cast<std::uintptr_t>(::getpagesize());
  const std::array<const void*, 3> words{at.ring.sq.ktail, at.ring.sq.sqes, at.ring.cq.cqes};
  const auto is_mapped = [&](const void* address) {
    unsigned char resident = 0;
    void* begin = std::bit_cast<void*>(std::bit_cast<std::uintptr_t>(address) / page * page);
    return ::mincore(begin, page, &resident) == 0;
  };
  for (const void* word : words) REQUIRE(is_mapped(word));
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int mapped = 0;
    for (const void* word : words) mapped += is_mapped(word) ? 1 : 0;
    ::_exit(mapped);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace ringwire::kernel
