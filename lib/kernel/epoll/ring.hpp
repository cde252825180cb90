// One ring over epoll: takes requests, carries them out when they can be, and posts what came of it.
//
//   SQE ─▶ submit ─▶ run ──▶ done at once ────────────────────────────────▶ post ─▶ CQE
//                     └────▶ must wait: Watches ─event─▶ ready ─▶ work ─▶ ──┘
//
// All of it happens inside `enter`, on the owner's thread, as with IORING_SETUP_DEFER_TASKRUN; from others
// only messages come, through the inbox. Invariant: each request posts exactly one completion without F_MORE,
// or none if it asked for that.
#pragma once

#include "lib/kernel/epoll/inbox.hpp"
#include "lib/kernel/epoll/watches.hpp"
#include "lib/kernel/soft_ring.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace ringwire::kernel::epoll {

/// Answers io_uring's messages.
class Ring {
 public:
  /// Completions one operation may post in a row before others get their turn.
  static constexpr unsigned completions_max = 16;

  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  /// What waits is forgotten without a completion.
  ~Ring();

  /// As `Kernel::open_ring`; the ring's descriptor is that of its epoll set.
  [[nodiscard]] int open(io_uring& ring, unsigned entries, io_uring_params& params) noexcept;
  /// As `Kernel::enter`.
  int enter(unsigned submit_count, unsigned wait_count, std::int64_t timeout) noexcept;
  /// As `Kernel::register_ring`.
  int register_(unsigned opcode, void* argument, unsigned count) noexcept;

 private:
  using Chain = std::vector<Request>;  // Requests linked behind another.

  // ring.cpp: in and out
  unsigned submit(unsigned count) noexcept;
  int wait(unsigned wait_count, std::int64_t timeout) noexcept;
  int sleep(std::int64_t timeout) noexcept;
  void take_messages() noexcept;

  // run.cpp: a request's way to its completion
  void run(Request request, Chain rest) noexcept;
  [[nodiscard]] std::optional<int> begin(Task& task, Chain& rest) noexcept;
  [[nodiscard]] std::optional<int> perform(Task& task, Chain& rest);
  void finish(const Request& request, int res, unsigned flags) noexcept;
  void complete(Operation& operation, int res, unsigned flags = 0) noexcept;
  void go_on(const Request& request, int res, Chain rest) noexcept;
  [[nodiscard]] int cancel(const Request& request);
  void complete_cancelled() noexcept;
  [[nodiscard]] int close(int fd) noexcept;

  // work.cpp: operations that can go on
  void work() noexcept;
  void try_again(Operation& operation) noexcept;
  void try_recv(Operation& operation) noexcept;
  void try_accept(Operation& operation) noexcept;
  [[nodiscard]] bool recv_once(Operation& operation) noexcept;
  [[nodiscard]] bool starve(Operation& operation) noexcept;

  // datagram.cpp: those of them that are datagrams
  void try_recvmsg(Operation& operation) noexcept;
  [[nodiscard]] bool recvmsg_once(Operation& operation) noexcept;
  void starve_recvmsg(Operation& operation) noexcept;

  SoftRing soft_;
  Inbox inbox_;
  Watches watches_;
  std::vector<Message> messages_;
  std::vector<std::unique_ptr<Operation>> cancelled_;  // Found by a cancel whose own completion comes first.
};

}  // namespace ringwire::kernel::epoll
