// A kernel made of plain memory: the test plays the kernel, one completion at a time.
//
// Rings are real io_uring structures in our memory; what the code under test submits is found in `submitted`,
// what the test posts is reaped at the next lap. Sockets are numbers. Time stands still until moved. One
// thread only, no scheduler and no randomness: that is the simulator's business, this is for tests that know
// exactly what should happen next.
#pragma once

#include <ringwire/bytes.hpp>

#include "lib/kernel/kernel.hpp"
#include "lib/uring/ring.hpp"
#include "lib/uring/token.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ringwire::test {

/// A request the code under test submitted.
struct Request {
  /// The fields of the SQE we use, copied. (The structure itself ends in an array of no size, which pedants
  /// refuse to hold.)
  struct Sqe {
    std::uint8_t opcode;
    std::uint8_t flags;
    std::uint16_t ioprio;
    int fd;
    std::uint64_t off;
    std::uint64_t addr;
    std::uint32_t len;
    std::uint32_t op_flags;
    std::uint64_t user_data;
    std::uint16_t buf_group;
    std::uint32_t file_index;
  };

  int ring_fd;
  Sqe sqe;

  /// Whose it is.
  [[nodiscard]] uring::Token token() const { return uring::Token::unpack(sqe.user_data); }
};

/// The scripted kernel.
class ScriptKernel final : public kernel::Kernel {
 public:
  // -- the script: what the test says

  /// Requests not yet taken by `take`, oldest first.
  std::deque<Request> submitted;
  /// Results for the next calls of `open_ring`, `open_socket`, `connect`, `register_ring`, `enter`; empty =
  /// success.
  std::deque<int> open_ring_results;
  std::deque<int> open_socket_results;
  std::deque<int> connect_results;
  std::deque<int> register_results;
  std::deque<int> enter_results;
  /// Where sockets were connected to without a ring.
  std::vector<kernel::SocketName> connected;
  /// What local_name answers; without a size ENOTCONN.
  kernel::SocketName own_name;
  /// Asked about each request when it is submitted: true = it is answered, or will be; else it waits in
  /// `submitted`.
  std::function<bool(const Request&)> at_once;
  /// What a wake answers: 0 as Linux 6.13, or -EINVAL.
  int wake_result = 0;
  /// What the next wakes answer before that.
  std::deque<int> wake_results;
  /// What the next calls of accept(2), the last looks, answer before -EAGAIN.
  std::deque<int> accept_results;
  /// What forbidding new rings answers.
  int forbid_result = 0;
  /// Bits of io_uring_params.features.
  unsigned features = 0;
  /// What the required requests are answered in the probe; -EBADF = known.
  int probe_result = -EBADF;
  /// What a probe for a receive with a credit answers, and how often it was made.
  int credit_result = -EBADF;
  int credit_probes = 0;
  /// The clock.
  kernel::Nanoseconds time = 1'000'000'000;
  /// Environment variables.
  std::map<std::string, std::string> variables;

  /// What became of descriptors: closed by close(2), shut down, and options set, in order.
  std::vector<int> closed;
  std::vector<std::pair<int, int>> shut_down;
  std::vector<std::pair<int, int>> options_set;  // fd, option name
  /// Flags each successful `open_ring` was called with.
  std::vector<unsigned> ring_flags;
  /// Timeouts `enter` was called with.
  std::vector<std::int64_t> waits;
  /// Calls of `enter`, and all flags they came with.
  std::size_t enters = 0;
  unsigned enter_flags = 0;
  /// Opcodes `register_ring` was called with, in order.
  std::vector<unsigned> registered;
  /// What the last IORING_REGISTER_RESTRICTIONS said.
  std::vector<io_uring_restriction> restrictions;
  /// Calls of `wake_ring` and `open_event`.
  std::size_t wakes = 0;
  std::size_t events_opened = 0;
  /// Eventfds signalled.
  std::vector<int> signalled;

  /// The oldest request of this operation, taken out of `submitted`; nothing when there is none.
  [[nodiscard]] std::optional<Request> take(uring::Op op);

  /// Posts a completion for a request.
  void complete(const Request& request, int res, unsigned flags = 0);
  /// Posts any completion to any ring.
  void post(int ring_fd, uring::Token token, int res, unsigned flags = 0);
  /// Answers every request not yet answered, on all rings, as after a cancel: -ECANCELED, or 0 for cancels
  /// and closes. Answers how many there were.
  std::size_t cancel_outstanding();
  /// Puts `bytes` into the next free buffer of the request's group and posts the receive's completion.
  /// -ENOBUFS, and no more, when there is no free buffer. Answers whether there was one.
  bool receive(const Request& request, std::string_view bytes, bool more = true);
  /// Buffers the kernel could fill now.
  [[nodiscard]] std::size_t free_buffers(std::uint16_t bgid = 0) const;
  /// Bytes the next of them has.
  [[nodiscard]] std::size_t buffer_size(std::uint16_t bgid = 0) const;
  /// Bytes of a send or sendmsg, as the kernel would read them now.
  [[nodiscard]] static std::string content(const Request& request);
  /// Completions the reaping side has not taken yet.
  [[nodiscard]] std::size_t unreaped(int ring_fd) const;

  // -- Kernel
  int open_ring(io_uring& ring, unsigned entries, io_uring_params& params) noexcept override;
  void close_ring(io_uring& ring) noexcept override;
  int enter(io_uring& ring, unsigned submit_count, unsigned wait_count, unsigned flags,
            std::int64_t timeout) noexcept override;
  int register_ring(io_uring& ring, unsigned opcode, void* argument, unsigned count) noexcept override;
  int wake_ring(int ring_fd, std::uint64_t user_data) noexcept override;
  int forbid_new_rings() noexcept override { return forbid_result; }
  int open_socket(int family, int type, int protocol) noexcept override;
  int bind(int fd, const kernel::SocketName& name) noexcept override;
  int connect(int fd, const kernel::SocketName& name) noexcept override;
  int accept(int fd) noexcept override;
  int identify_file(const char*, kernel::FileIdentity&) noexcept override { return -ENOENT; }
  int remove_file(const char*) noexcept override { return -ENOENT; }
  int duplicate(int) noexcept override { return next_fd_++; }
  int process_id() noexcept override { return 1; }
  int listen(int fd, int backlog) noexcept override;
  int set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept override;
  int get_option(int fd, int level, int name, void* value, socklen_t& size) noexcept override;
  int local_name(int fd, kernel::SocketName& name) noexcept override;
  int peer_name(int fd, kernel::SocketName& name) noexcept override;
  int shutdown(int fd, int how) noexcept override;
  int close(int fd) noexcept override;
  int resolve(const std::string& host, int family, std::vector<kernel::SocketName>& names) override;
  int open_event() noexcept override;
  int signal_event(int fd) noexcept override;
  int open_signals() noexcept override;
  void close_signals(int fd) noexcept override;
  void* map_memory(std::size_t size) noexcept override;
  void unmap_memory(void* memory, std::size_t size) noexcept override;
  kernel::Nanoseconds now() noexcept override { return time; }
  std::uint64_t random() noexcept override { return 4; }
  std::unique_ptr<kernel::Thread> start_thread(const std::string& name, int cpu, Task body) override;
  std::vector<int> cpus() override { return {0, 1}; }
  std::uint64_t memlock_limit() noexcept override { return 64 * 1024; }
  std::uint64_t descriptors_limit() noexcept override { return 1024; }
  std::string environment(const char* name) override;

  /// Rings open now.
  [[nodiscard]] std::size_t rings_count() const { return rings_.size(); }
  /// Memory mapped and not unmapped, in pieces.
  [[nodiscard]] std::size_t maps_count() const { return maps_.size(); }

 private:
  struct Cqe {
    std::uint64_t user_data;
    int res;
    unsigned flags;
  };
  struct Buffers {
    io_uring_buf* entries = nullptr;
    unsigned count = 0;
    std::uint16_t head = 0;
  };
  struct Memory {
    bool disabled = false;
    unsigned sq_head = 0, sq_tail = 0, sq_flags = 0;
    unsigned cq_head = 0, cq_tail = 0;
    std::vector<unsigned> array;
    std::vector<io_uring_sqe> sqes;
    std::vector<io_uring_cqe> cqes;
    std::deque<Cqe> waiting;  // Posted; moved to the queue by `enter`, as deferred work is.
    std::map<std::uint16_t, Buffers> buffers;
  };

  void submit(int ring_fd, Memory& memory, unsigned count);
  static void deliver(Memory& memory);

  std::map<int, std::unique_ptr<Memory>> rings_;
  std::vector<Request> outstanding_;  // Submitted, and not finally answered; in order.
  std::map<void*, std::unique_ptr<std::byte[]>> maps_;
  int next_fd_ = 1000;
};

}  // namespace ringwire::test
