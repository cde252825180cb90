// The simulated kernel: the same rings and calls as Linux, one thread, and every decision drawn from
// `Choices`.
//
// What a loop submits becomes an `Operation`; whoever drives the simulation says when an operation is tried
// (`attempt`), when bytes arrive (`Stream::deliver`), when time passes (`set_time`). Nothing happens by
// itself.
//
//   enter ──▶ Operation ──(now, or at some later attempt)──▶ completion ──▶ the ring's queue
//
// `enter` never blocks: a loop that would sleep is answered EINTR, and counts as asleep until a completion
// comes or its timeout passes; the driver runs no lap of a sleeping loop. Invariant: everything lent (memory,
// descriptors, operations, rings) is counted, so that a driver can ask at the end whether all of it came
// home.
#pragma once

#include "lib/kernel/kernel.hpp"
#include "lib/kernel/sim/choices.hpp"
#include "lib/kernel/sim/datagrams.hpp"
#include "lib/kernel/sim/faults.hpp"
#include "lib/kernel/sim/files.hpp"
#include "lib/kernel/soft_ring.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::kernel::sim {

/// A request the kernel has taken and not answered for the last time.
struct Operation {
  /// As the ring with this descriptor has taken it.
  Operation(const Request& request_, int ring_fd_) : request{request_}, ring_fd{ring_fd_} {}

  Request request;
  int ring_fd;
  std::shared_ptr<File> file;  // Held until the operation ends, whatever becomes of the descriptor.
  std::vector<std::span<std::byte>> pieces;  // Of a send: where the bytes are.
  SocketName target;                         // Of a connect, or of a datagram.
  std::size_t name_size = 0;                 // Of a recvmsg: room for the sender's name …
  std::size_t control_size = 0;              // … and for control messages.
  std::size_t segment_size = 0;              // Of a sendmsg: cut into datagrams so long (UDP_SEGMENT).
  std::size_t progress = 0;                  // Bytes of a send that have left.
  bool doomed = false;                       // Cancelled while under way: the next attempt is its last.
  std::unique_ptr<Operation> next;           // Linked: begins when this one ends.
};

/// What a connect out of the simulated process finds.
enum class Remote : std::uint8_t { accepts, refuses, silent };

/// The simulated kernel.
class SimKernel final : public Kernel {
 public:
  /// `choices` outlives it.
  explicit SimKernel(Choices& choices) noexcept : choices_{choices}, faults_{choices} {}
  ~SimKernel() override;

  // -- for the driver

  /// Rates of faults, and what was injected.
  [[nodiscard]] Faults& faults() noexcept { return faults_; }
  /// Descriptors, and how many there can be.
  [[nodiscard]] Files& files() noexcept { return files_; }
  /// Bytes one direction of a connection holds.
  void set_stream_capacity(std::size_t size) noexcept { stream_capacity_ = size; }
  /// Features of io_uring_params the rings show, and whether `wake_ring` works.
  void set_ring_features(unsigned features, bool wakes) noexcept;
  /// An environment variable.
  void set_variable(const std::string& name, const std::string& value) { variables_[name] = value; }
  /// How many CPUs there are.
  void set_cpus(int count) noexcept { cpus_ = count; }
  /// Time moves forward to `now`.
  void set_time(Nanoseconds now) noexcept;
  /// The n-th call from now on (0 = the next one) fails; with `for_good` all later ones do.
  void fail_call(std::uint64_t nth, bool for_good) noexcept;
  /// Kernel calls made so far, those of the hot path (enter, now) left out.
  [[nodiscard]] std::uint64_t calls_count() const noexcept { return calls_; }

  /// A client outside connects to a port: side 0 of the new stream, or nullptr when nobody listens or the
  /// backlog is full.
  [[nodiscard]] std::shared_ptr<Stream> connect(std::uint16_t port);
  /// Clients come from so many hosts in turn, 127.0.0.1 and up.
  void set_client_hosts(std::uint8_t count) noexcept { client_hosts_ = count; }
  /// The same to a unix socket's name.
  [[nodiscard]] std::shared_ptr<Stream> connect(const SocketName& name);
  /// Places outside that operations can connect to; ports and unix names that are not named refuse.
  void set_remote(std::uint16_t port, Remote remote) { remotes_[port] = remote; }
  /// The same of a unix socket's name.
  void set_remote(const SocketName& name, Remote remote) {
    unix_remotes_[std::string{unix_bytes(name)}] = remote;
  }
  /// Puts something at a path: a socket that nobody listens on any more, or a file that is none.
  void leave_file(const std::string& path, bool is_socket);
  /// Streams that operations have connected and nobody has taken: the far ends (side 1).
  [[nodiscard]] std::vector<std::shared_ptr<Stream>> take_connected() noexcept;
  /// The network of datagrams.
  [[nodiscard]] DatagramNet& datagrams() noexcept { return datagrams_; }
  /// A port nobody has.
  [[nodiscard]] std::uint16_t free_port() noexcept { return next_port_++; }
  /// A signal (SIGINT or SIGTERM) arrives.
  void raise_signal() noexcept { ++signals_; }

  /// Operations that `attempt` could move on now, oldest first.
  [[nodiscard]] std::vector<Operation*> ready();
  /// Tries one of them.
  void attempt(Operation& operation);
  /// "RECV fd 7 op 1 slot 3", for a trace.
  [[nodiscard]] std::string describe(const Operation& operation) const;
  /// All operations under way.
  [[nodiscard]] std::string describe_all() const;
  /// May a lap be run on this ring? Not while it sleeps.
  [[nodiscard]] bool is_awake(int ring_fd) const;
  /// Completions that wait for a ring's owner.
  [[nodiscard]] std::size_t unreaped(int ring_fd) const { return rings_.at(ring_fd).queues->unreaped(); }
  /// When the first sleeping ring wakes by its timeout; UINT64_MAX = never.
  [[nodiscard]] Nanoseconds next_timeout() const noexcept;

  // -- the ledger

  /// Operations not finally answered.
  [[nodiscard]] std::size_t operations_count() const noexcept { return operations_.size(); }
  /// Rings not closed.
  [[nodiscard]] std::size_t rings_count() const noexcept { return rings_.size(); }
  /// Pieces of memory mapped and not unmapped.
  [[nodiscard]] std::size_t maps_count() const noexcept { return maps_.size(); }
  /// Paths at which there is something.
  [[nodiscard]] std::size_t paths_count() const noexcept { return paths_.size(); }
  /// Completions posted, since the start.
  [[nodiscard]] std::uint64_t completions() const noexcept { return completions_; }
  /// Requests taken, since the start.
  [[nodiscard]] std::uint64_t submissions() const noexcept { return submissions_; }
  /// Calls of `enter`.
  [[nodiscard]] std::uint64_t enters() const noexcept { return enters_; }
  /// What the reactor did that a kernel must never see, in words; empty = nothing.
  [[nodiscard]] const std::string& violation() const noexcept { return violation_; }

  // -- Kernel
  [[nodiscard]] std::string_view name() const noexcept override { return "the simulated kernel"; }
  int open_ring(io_uring& ring, unsigned entries, io_uring_params& params) noexcept override;
  void close_ring(io_uring& ring) noexcept override;
  int enter(io_uring& ring, unsigned submit_count, unsigned wait_count, unsigned flags,
            std::int64_t timeout) noexcept override;
  int register_ring(io_uring& ring, unsigned opcode, void* argument, unsigned count) noexcept override;
  int wake_ring(int ring_fd, std::uint64_t user_data) noexcept override;
  int forbid_new_rings() noexcept override;
  int open_socket(int family, int type, int protocol) noexcept override;
  int bind(int fd, const SocketName& name) noexcept override;
  int connect(int fd, const SocketName& name) noexcept override;
  int listen(int fd, int backlog) noexcept override;
  int accept(int fd) noexcept override;
  int set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept override;
  int get_option(int fd, int level, int name, void* value, socklen_t& size) noexcept override;
  int local_name(int fd, SocketName& name) noexcept override;
  int peer_name(int fd, SocketName& name) noexcept override;
  int shutdown(int fd, int how) noexcept override;
  int close(int fd) noexcept override;
  int resolve(const std::string& host, int family, std::vector<SocketName>& names) override;
  int identify_file(const char* path, FileIdentity& identity) noexcept override;
  int remove_file(const char* path) noexcept override;
  int duplicate(int fd) noexcept override;
  int process_id() noexcept override { return 1; }
  int open_event() noexcept override;
  int signal_event(int fd) noexcept override;
  int open_signals() noexcept override;
  void close_signals(int fd) noexcept override;
  void* map_memory(std::size_t size) noexcept override;
  void unmap_memory(void* memory, std::size_t size) noexcept override;
  Nanoseconds now() noexcept override { return time_; }
  std::uint64_t random() noexcept override { return 0x9E37'79B9'7F4A'7C15U; }  // The same in each run.
  std::unique_ptr<Thread> start_thread(const std::string& name, int cpu, Task body) override;
  std::vector<int> cpus() override;
  std::uint64_t memlock_limit() noexcept override { return 8 << 20; }
  std::uint64_t descriptors_limit() noexcept override { return files_.limit(); }
  std::string environment(const char* name) override;

 private:
  struct RingState {
    std::unique_ptr<SoftRing> queues;
    std::shared_ptr<File> file;
    bool asleep = false;
    Nanoseconds wakes_at = 0;
  };

  // rings.cpp
  [[nodiscard]] int submit(int ring_fd, RingState& state, unsigned count);
  [[nodiscard]] int interrupt() noexcept;
  void check_buffers(RingState& state, const io_uring_buf_reg& group);
  // operations.cpp
  void begin(std::unique_ptr<Operation> begun);
  void take_memory(Operation& operation);
  [[nodiscard]] bool can_move(const Operation& operation) const;
  void end(Operation& operation, std::int32_t res, std::uint32_t flags = 0);
  void go_on(Operation& operation, std::int32_t res, std::uint32_t flags);
  [[nodiscard]] bool queue_is_full(const Operation& operation) const;
  [[nodiscard]] static bool is_multishot(const Operation& operation) noexcept;
  bool end_by_fault(Operation& operation, Fault fault);
  void attempt_accept(Operation& operation);
  void attempt_connect(Operation& operation);
  void attempt_receive(Operation& operation, bool (SimKernel::*once)(Operation&));
  [[nodiscard]] bool ends_empty(Operation& operation);
  [[nodiscard]] bool starves(Operation& operation);
  bool recv_once(Operation& operation);
  void attempt_send(Operation& operation);
  void attempt_read(Operation& operation);
  void attempt_close(Operation& operation);
  void attempt_message(Operation& operation);
  void break_stream(Operation& operation, int error);
  // datagrams.cpp
  bool recvmsg_once(Operation& operation);
  [[nodiscard]] std::size_t join_received(DatagramEnd& own, Packet& first);
  [[nodiscard]] static int write_datagram(const SoftBuffer& buffer, const Packet& packet,
                                          std::size_t segment_size, const Operation& operation);
  void attempt_send_datagram(Operation& operation);
  [[nodiscard]] int send_segments(const Packet& all, std::size_t segment_size);
  // cancel.cpp
  void attempt_cancel(Operation& operation);
  [[nodiscard]] bool matches(const Operation& cancel, const Operation& target) const;
  int cancel_one(Operation& target, std::vector<Operation*>& at_once, bool late);
  void end_cancelled(Operation& operation);
  void end_doomed(Operation& operation);
  [[nodiscard]] bool is_pending(const Operation& operation) const noexcept;

  // names.cpp
  int bind_unix(File& file, const SocketName& name);
  [[nodiscard]] std::shared_ptr<File> unix_listener(const SocketName& name) const;
  [[nodiscard]] std::shared_ptr<Stream> queue_client(const std::shared_ptr<File>& listener,
                                                     const SocketName& from, const SocketName& to);
  [[nodiscard]] Remote remote_at(const SocketName& name) const;

  [[nodiscard]] bool refused() noexcept;
  void violate(const std::string& what);

  Choices& choices_;
  Faults faults_;
  Files files_;
  Nanoseconds time_ = 1'000'000'000;
  std::map<int, RingState> rings_;
  std::vector<std::unique_ptr<Operation>> operations_;  // Oldest first.
  std::map<void*, std::size_t> maps_;
  std::map<std::pair<int, std::uint16_t>, io_uring_buf_reg> groups_;
  std::map<std::uint16_t, Remote> remotes_;
  std::map<std::string, Remote> unix_remotes_;  // By the bytes of the name.
  std::map<std::string, FileIdentity> paths_;
  std::uint64_t next_inode_ = 1;
  std::vector<std::shared_ptr<Stream>> connected_;
  DatagramNet datagrams_;
  std::map<std::string, std::string> variables_;
  std::size_t stream_capacity_ = 4096;
  unsigned ring_features_ = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;
  bool wakes_ = true;
  int cpus_ = 2;
  std::uint16_t next_port_ = 40'000;
  std::uint8_t client_hosts_ = 1;
  std::uint64_t signals_ = 0;
  std::uint64_t completions_ = 0;
  std::uint64_t submissions_ = 0;
  std::uint64_t enters_ = 0;
  std::uint64_t calls_ = 0;
  std::uint64_t failing_from_ = UINT64_MAX;  // The number of the first call that fails.
  bool failing_for_good_ = false;
  std::string violation_;
};

}  // namespace ringwire::kernel::sim
