// The rings of user-space kernels: what both sides of the shared memory may rely on.
#include "lib/kernel/soft_ring.hpp"

#include "tests/support/catch.hpp"

#include <array>
#include <cerrno>
#include <vector>

namespace ringwire::kernel {
namespace {

// A ring with the reactor's side of it played by hand.
struct Stage {
  explicit Stage(unsigned sq = 4, unsigned cq = 8, unsigned flags = IORING_SETUP_CQSIZE) {
    params.flags = flags;
    params.cq_entries = cq;
    result = soft.open(ring, params, sq, 42);
    for (unsigned index = 0; result == 0 && index < params.sq_entries; ++index) ring.sq.array[index] = index;
  }

  void submit(std::uint64_t user_data) {
    io_uring_sqe& sqe = ring.sq.sqes[*ring.sq.ktail & ring.sq.ring_mask];
    sqe = {};
    sqe.opcode = IORING_OP_NOP;
    sqe.user_data = user_data;
    ++*ring.sq.ktail;
  }

  std::vector<std::uint64_t> reap() {
    std::vector<std::uint64_t> found;
    for (; *ring.cq.khead != *ring.cq.ktail; ++*ring.cq.khead) {
      found.push_back(ring.cq.cqes[*ring.cq.khead & ring.cq.ring_mask].user_data);
    }
    return found;
  }

  SoftRing soft;
  io_uring ring{};
  io_uring_params params{};
  int result = 0;
};

TEST_CASE("a soft ring has the sizes asked for, rounded up to powers of two", "[soft_ring]") {
  const Stage at{5, 17};
  CHECK(at.result == 0);
  CHECK(at.ring.sq.ring_entries == 8);
  CHECK(at.ring.cq.ring_entries == 32);
  CHECK(at.soft.capacity() == 32);
  CHECK(at.params.sq_entries == 8);
  CHECK(at.params.cq_entries == 32);
  CHECK(at.ring.ring_fd == 42);
}

TEST_CASE("without a size for completions there are twice as many as submissions", "[soft_ring]") {
  CHECK(Stage{4, 0, 0}.ring.cq.ring_entries == 8);
}

TEST_CASE("sizes beyond the kernel's are refused, or cut when clamping was asked for", "[soft_ring]") {
  CHECK(Stage{40'000, 80'000}.result == -EINVAL);
  const Stage clamped{40'000, 800'000, IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP};
  CHECK(clamped.result == 0);
  CHECK(clamped.ring.sq.ring_entries == 32'768);
  CHECK(clamped.ring.cq.ring_entries == 65'536);
}

TEST_CASE("no entries, or fewer completions than submissions, are refused", "[soft_ring]") {
  CHECK(Stage{0, 8}.result == -EINVAL);
  CHECK(Stage{8, 0}.result == -EINVAL);
  CHECK(Stage{8, 4}.result == -EINVAL);
}

TEST_CASE("requests are taken in the order they were written, round and round", "[soft_ring]") {
  Stage at;
  for (std::uint64_t round = 0; round < 5; ++round) {
    for (std::uint64_t index = 0; index < 3; ++index) at.submit(round * 3 + index);
    CHECK(at.soft.submitted() == 3);
    for (std::uint64_t index = 0; index < 3; ++index) CHECK(at.soft.take().user_data == round * 3 + index);
    CHECK(at.soft.submitted() == 0);
  }
}

TEST_CASE("completions beyond a full queue wait, in order, and raise the overflow flag", "[soft_ring]") {
  Stage at{2, 4};
  for (std::uint64_t index = 0; index < 4; ++index) CHECK(at.soft.post(index, 0));
  CHECK_FALSE(at.soft.post(4, 0));
  CHECK_FALSE(at.soft.post(5, 0));
  CHECK((*at.ring.sq.kflags & IORING_SQ_CQ_OVERFLOW) != 0);
  CHECK(at.soft.unreaped() == 6);

  CHECK(at.reap() == std::vector<std::uint64_t>{0, 1, 2, 3});
  // There is room again, but what waits comes first.
  CHECK_FALSE(at.soft.post(6, 0));
  CHECK(at.soft.flush_overflow());
  CHECK((*at.ring.sq.kflags & IORING_SQ_CQ_OVERFLOW) == 0);
  CHECK(at.reap() == std::vector<std::uint64_t>{4, 5, 6});
  CHECK(at.soft.unreaped() == 0);
}

TEST_CASE("overflow that does not fit keeps waiting", "[soft_ring]") {
  Stage at{2, 2};
  for (std::uint64_t index = 0; index < 5; ++index) at.soft.post(index, 0);
  CHECK_FALSE(at.soft.flush_overflow());
  CHECK(at.reap() == std::vector<std::uint64_t>{0, 1});
  CHECK_FALSE(at.soft.flush_overflow());
  CHECK(at.reap() == std::vector<std::uint64_t>{2, 3});
  CHECK(at.soft.flush_overflow());
  CHECK(at.reap() == std::vector<std::uint64_t>{4});
}

TEST_CASE("buffers are taken in the order they were lent, and only after the tail moved", "[soft_ring]") {
  Stage at;
  alignas(64) std::array<io_uring_buf, 4> entries{};
  std::array<std::byte, 4 * 16> memory{};
  io_uring_buf_reg request{};
  request.ring_addr = reinterpret_cast<std::uintptr_t>(entries.data());
  request.ring_entries = 4;
  request.bgid = 7;
  REQUIRE(at.soft.add_buffers(request) == 0);
  CHECK(at.soft.has_group(7));
  CHECK_FALSE(at.soft.take_buffer(7));

  for (std::uint16_t bid = 0; bid < 3; ++bid) {
    entries[bid].addr = reinterpret_cast<std::uintptr_t>(&memory[bid * 16]);
    entries[bid].len = 16;
    entries[bid].bid = static_cast<std::uint16_t>(2 - bid);
  }
  entries[0].resv = 3;
  CHECK(at.soft.buffers_count(7) == 3);
  for (std::uint16_t bid = 0; bid < 3; ++bid) {
    const auto next = at.soft.next_buffer(7);
    const auto buffer = at.soft.take_buffer(7);
    REQUIRE(next);
    REQUIRE(buffer);
    CHECK(next->bid == buffer->bid);  // Looking at it did not take it.
    CHECK(buffer->bid == 2 - bid);
    CHECK(buffer->memory == &memory[bid * 16]);
    CHECK(buffer->cqe_flags() >> IORING_CQE_BUFFER_SHIFT == buffer->bid);
  }
  CHECK_FALSE(at.soft.take_buffer(7));
  CHECK_FALSE(at.soft.take_buffer(8));
}

TEST_CASE("a buffer group is registered once, with a power of two of entries", "[soft_ring]") {
  Stage at;
  std::array<io_uring_buf, 4> entries{};
  io_uring_buf_reg request{};
  request.ring_addr = reinterpret_cast<std::uintptr_t>(entries.data());
  request.ring_entries = 3;
  CHECK(at.soft.add_buffers(request) == -EINVAL);
  request.ring_entries = 4;
  CHECK(at.soft.add_buffers(request) == 0);
  CHECK(at.soft.add_buffers(request) == -EEXIST);
  request.ring_addr = 0;
  request.bgid = 1;
  CHECK(at.soft.add_buffers(request) == -EINVAL);
}

TEST_CASE("a buffer group that was taken away is gone, and can be registered anew", "[soft_ring]") {
  Stage at;
  std::array<io_uring_buf, 4> entries{};
  io_uring_buf_reg request{};
  request.ring_addr = reinterpret_cast<std::uintptr_t>(entries.data());
  request.ring_entries = 4;
  request.bgid = 2;
  CHECK(at.soft.remove_buffers(2) == -EINVAL);
  REQUIRE(at.soft.add_buffers(request) == 0);
  entries[0].resv = 4;
  CHECK(at.soft.take_buffer(2));
  CHECK(at.soft.remove_buffers(2) == 0);
  CHECK_FALSE(at.soft.has_group(2));
  CHECK(at.soft.buffers_count(2) == 0);
  CHECK(at.soft.add_buffers(request) == 0);
  CHECK(at.soft.buffers_count(2) == 4);
}

}  // namespace
}  // namespace ringwire::kernel
