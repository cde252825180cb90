// The simulated kernel with the reactor's side played by hand: rings, buffers, and a client outside.
//
// Leaves to others: what should come of it. Invariant: without a rate set no fault happens, and with one of
// 1,000 it always does, so a test knows what comes.
#pragma once

#include <ringwire/bytes.hpp>

#include "lib/kernel/sim/sim_kernel.hpp"
#include "lib/uring/prep.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::test {

/// Answers every question with the same number, cut to what was asked.
class SameChoice final : public kernel::sim::Choices {
 public:
  std::uint32_t answer = 0;

 protected:
  std::uint32_t next(std::uint32_t count) override { return answer % count; }
};

/// A completion.
struct Cqe {
  std::uint64_t user_data;
  int res;
  unsigned flags = 0;
  friend bool operator==(const Cqe&, const Cqe&) = default;
};

inline std::ostream& operator<<(std::ostream& out, const Cqe& cqe) {
  return out << cqe.user_data << " -> " << cqe.res << " flags " << cqe.flags;
}

/// The list of completions, for CHECK.
using Cqes = std::vector<Cqe>;

/// One ring and its four buffers of eight bytes, group 0.
class SimRing {
 public:
  static constexpr std::uint16_t buffers_count = 4;
  static constexpr std::size_t buffer_size = 8;

  explicit SimRing(kernel::sim::SimKernel& kernel, unsigned sq = 8, unsigned cq = 16) : kernel_{kernel} {
    io_uring_params params{};
    params.flags = IORING_SETUP_CQSIZE;
    params.cq_entries = cq;
    result = kernel.open_ring(ring, sq, params);
    for (unsigned index = 0; result == 0 && index < params.sq_entries; ++index) ring.sq.array[index] = index;
  }
  SimRing(const SimRing&) = delete;
  SimRing& operator=(const SimRing&) = delete;
  ~SimRing() {
    if (result == 0) kernel_.close_ring(ring);
  }

  /// Registers the group and lends all of its buffers.
  void lend_all() {
    io_uring_buf_reg request{};
    request.ring_addr = uring::to_u64(entries_.data());
    request.ring_entries = buffers_count;
    static_cast<void>(kernel_.register_ring(ring, IORING_REGISTER_PBUF_RING, &request, 1));
    for (std::uint16_t bid = 0; bid < buffers_count; ++bid) give_back(bid);
  }
  /// Lends one more, whether or not it is ours to lend.
  void give_back(std::uint16_t bid) {
    io_uring_buf& entry = entries_[tail_ % buffers_count];
    entry.addr = uring::to_u64(&memory_[bid * buffer_size]);
    entry.len = buffer_size;
    entry.bid = bid;
    entries_[0].resv = ++tail_;
  }
  /// What the receive with this completion brought.
  [[nodiscard]] std::string content(const Cqe& cqe) const {
    const std::size_t bid = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
    const Bytes bytes{&memory_[bid * buffer_size], static_cast<std::size_t>(cqe.res)};
    return std::string{to_text(bytes)};
  }

  /// The next SQE, cleared, with this user_data.
  io_uring_sqe& sqe(std::uint64_t user_data) {
    io_uring_sqe& next = ring.sq.sqes[*ring.sq.ktail & ring.sq.ring_mask];
    next = {};
    next.user_data = user_data;
    ++*ring.sq.ktail;
    return next;
  }
  /// Written and not taken.
  [[nodiscard]] unsigned unsubmitted() const { return *ring.sq.ktail - *ring.sq.khead; }
  /// Submits what was written, and waits for so many completions.
  int enter(unsigned wait_count = 0, std::int64_t timeout = 0) {
    return kernel_.enter(ring, unsubmitted(), wait_count, 0, timeout);
  }
  /// All completions in the queue.
  Cqes reap() {
    Cqes found;
    for (; *ring.cq.khead != *ring.cq.ktail; ++*ring.cq.khead) {
      const io_uring_cqe& cqe = ring.cq.cqes[*ring.cq.khead & ring.cq.ring_mask];
      found.push_back({cqe.user_data, cqe.res, cqe.flags});
    }
    return found;
  }

  io_uring ring{};
  int result = 0;

 private:
  kernel::sim::SimKernel& kernel_;
  alignas(64) std::array<io_uring_buf, buffers_count> entries_{};
  std::array<std::byte, buffers_count * buffer_size> memory_{};
  std::uint16_t tail_ = 0;
};

/// A kernel, a ring, a listener on port 9000.
class SimFixture {
 public:
  static constexpr std::uint16_t port = 9000;
  using Fault = kernel::sim::Fault;

  explicit SimFixture(unsigned sq = 8, unsigned cq = 16) : ring{kernel, sq, cq} {
    ring.lend_all();
    listener = kernel.open_socket(AF_INET, SOCK_STREAM, 0);
    static_cast<void>(kernel.bind(listener, kernel::sim::loopback_name(port)));
    static_cast<void>(kernel.listen(listener, 4));
  }
  SimFixture(const SimFixture&) = delete;
  SimFixture& operator=(const SimFixture&) = delete;

  /// From now on it always happens; with `false` never.
  void always(Fault fault, bool happens = true) { kernel.faults().set_rate(fault, happens ? 1000 : 0); }

  /// A connection, accepted; the client's end is in `client`.
  int accept() {
    client = kernel.connect(port);
    io_uring_sqe& sqe = ring.sqe(accept_data);
    uring::prep_accept_multishot(sqe, listener);
    sqe.ioprio = 0;  // Once.
    static_cast<void>(ring.enter());
    attempt_all();
    return ring.reap().at(0).res;
  }

  /// The client sends, and all of it arrives.
  void send(std::string_view text) {
    static_cast<void>(client->send(0, to_bytes(text)));
    client->deliver(0, text.size(), false);
  }

  /// Tries everything that can move, once.
  void attempt_all() {
    for (kernel::sim::Operation* operation : kernel.ready()) kernel.attempt(*operation);
  }

  SameChoice choices;
  kernel::sim::SimKernel kernel{choices};
  SimRing ring;
  int listener = -1;
  std::shared_ptr<kernel::sim::Stream> client;

 private:
  static constexpr std::uint64_t accept_data = 99;
};

}  // namespace ringwire::test
