// One loop: a ring, its connections, and the lap that moves bytes between them and the handler.
//
// Belongs to one thread, but for the calls marked "any thread". Steppable: a thread only calls `lap` again
// and again. Invariant: events and connect callbacks are told from react.cpp; mail, ticks and scheduled tasks
// run through `guard`.
#pragma once

#include <ringwire/engine.hpp>
#include <ringwire/function.hpp>
#include <ringwire/handler.hpp>
#include <ringwire/loop_ref.hpp>
#include <ringwire/options.hpp>

#include "lib/base/log.hpp"
#include "lib/base/queue.hpp"
#include "lib/base/slots.hpp"
#include "lib/conn/connection.hpp"
#include "lib/conn/shared.hpp"
#include "lib/kernel/kernel.hpp"
#include "lib/loop/arrival.hpp"
#include "lib/loop/datagrams.hpp"
#include "lib/loop/dialing.hpp"
#include "lib/loop/drain_plan.hpp"
#include "lib/loop/entrance.hpp"
#include "lib/loop/mailbox.hpp"
#include "lib/loop/metrics.hpp"
#include "lib/loop/sessions.hpp"
#include "lib/loop/surroundings.hpp"
#include "lib/loop/wheel.hpp"
#include "lib/uring/recv_pools.hpp"
#include "lib/uring/ring.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

namespace ringwire::loop {

/// A connection and the timer for the first of its timeouts: one object, so that the timer that fires needs
/// nothing to find it by.
struct Client final : conn::Connection, Timer {
  /// As Connection.
  Client(std::uint32_t slot, std::uint32_t generation, conn::Shared& shared, int fd, conn::Origin origin)
      : Connection{slot, generation, shared, fd, origin}, Timer{TimerOf::connection} {}

  using Connection::deadline;  // What its timeouts say; the timer may be armed for an earlier time.
  /// The timer alone.
  [[nodiscard]] Timer& timer() noexcept { return *this; }

  /// What the engine's admission wants back when it has ended. Stands in the timer's padding.
  std::uint32_t pass = 0;
};

static_assert(sizeof(Client) <= 176, "an idle connection is this and the 8 bytes of its cell");

/// A loop.
class Loop {
 public:
  /// Completions one lap takes at most, so that mail and timers get their turn.
  static constexpr std::size_t completions_max = 4096;
  /// Bytes one connection receives in a lap at most, or one buffer if that is more: with 64 KiB of a flood a
  /// lap takes some 60 µs, which the others wait. Only where the kernel can be told (`recv_credit`).
  static constexpr std::uint32_t recv_share = 64 << 10;
  /// Rounds of mail one lap reads: letters that letters bring are read in the same lap, but not for ever.
  static constexpr unsigned mail_rounds_max = 16;

  /// Hand-overs are counted modulo this: the balancer's last message has 31 bits for the count.
  static constexpr std::uint32_t handoffs_modulus = 1U << 31;

  /// `index` counts from 0. `has_balancer`: connections come by MSG_RING, and stopping waits for the last of
  /// them.
  Loop(const Surroundings& surroundings, std::size_t index, bool has_balancer);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  /// Gives it a listening socket of its own; `is_tcp`: not a unix socket. Before `open`.
  void add_listener(int fd, bool is_tcp = true);
  /// Gives it a datagram socket, bound to `local`. Before `open`.
  void add_datagram_socket(int fd, const Address& local) { datagrams_.add(fd, local); }
  /// Has it watch a signalfd. Before `open`.
  void watch_signals(int fd) noexcept { signal_fd_ = fd; }

  /// Sets up ring and buffers, in the thread that will run the laps.
  [[nodiscard]] std::error_code open();
  /// One lap; false when the loop has stopped and nothing is left.
  [[nodiscard]] bool lap();
  /// Ends the ring and answers all mail. Same thread. After a failed `open`, too.
  void close() noexcept;

  // -- any thread
  /// Asks it to stop as soon as its connections are closed. With a balancer the balancer's last message does
  /// that.
  void request_stop() noexcept;
  /// Says how it is to stop, before it is asked to or while it does; the earliest times ever said count.
  /// Without a word it is as `Options::stop_timeout` says.
  void plan_drain(const DrainPlan& plan) noexcept;
  /// A handle to it.
  [[nodiscard]] LoopRef ref() const { return LoopRef{mailbox_}; }
  /// Open connections.
  [[nodiscard]] std::size_t connections_count() const noexcept {
    return base::read_tally(shared_.metrics.connections);
  }
  /// Accepted connections that have ended, since the start.
  [[nodiscard]] std::uint64_t accepted_closed() const noexcept {
    return counts_.accepted_closed.load(std::memory_order_relaxed);
  }
  /// Connections refused because there were too many.
  [[nodiscard]] std::size_t refused_count() const noexcept {
    return base::read_tally(shared_.metrics.refused);
  }

  /// What became of those that were connected when it began to stop, or came later.
  [[nodiscard]] DrainCounts drained() const noexcept {
    return {counts_.drain_closed.load(std::memory_order_relaxed),
            counts_.drain_cut_off.load(std::memory_order_relaxed)};
  }

  /// Datagrams of all its sockets.
  [[nodiscard]] DatagramCounts datagram_counts() const noexcept { return datagrams_.counts(); }

  /// All its numbers, as of its last lap; what waits for it, as of now.
  [[nodiscard]] LoopMetrics metrics() const noexcept;

  /// Where to send connections, after `open`.
  [[nodiscard]] int ring_fd() const noexcept { return ring_.fd(); }
  /// What the kernel offers to its ring and its datagram sockets, after `open`.
  [[nodiscard]] uring::Features features() const noexcept {
    uring::Features all = ring_.features();
    all.add(datagrams_.features());
    return all;
  }

  // -- for letters, on the loop's thread
  /// The connection a handle names, or nullptr.
  [[nodiscard]] conn::Connection* find(std::uint32_t slot, std::uint32_t generation) noexcept {
    return connections_.find(slot, generation);
  }
  /// Begins to connect; its `done` is told how it ended, in any case.
  void dial(Dial dial);
  /// Gives up the dial of this number, if it has not ended.
  void cancel_dial(std::uint64_t id) noexcept;
  /// Opens a session with the first of these that a socket can be connected to; `done` is told how it ended.
  void open_session(const std::vector<Address>& targets, SessionOpened done);
  /// Takes over a connected socket.
  void enroll(int fd, bool is_tcp, Connected done) noexcept;
  /// Its datagram sockets.
  [[nodiscard]] Datagrams& datagrams() noexcept { return datagrams_; }
  /// Their sessions.
  [[nodiscard]] Sessions& sessions() noexcept { return sessions_; }
  /// Tells handlers all news.
  void react() noexcept;
  /// Runs user code that is no event of a connection; what it throws is logged.
  template <typename Code>
  void guard(const char* what, Code&& code) noexcept;

 private:
  // The lap, in this order.
  void submit_and_wait() noexcept;
  void look_at_clock() noexcept;
  void reap() noexcept;
  void read_mail() noexcept;
  void turn_wheel() noexcept;
  void flush() noexcept;
  void release() noexcept;

  // dispatch.cpp
  void dispatch(const uring::Completion& done) noexcept;
  void dispatch_to_connection(const uring::Completion& done) noexcept;
  // react.cpp
  void react_to(Client& client) noexcept;
  void tell_traffic(Client& client) noexcept;
  void react_to_open(Client& client) noexcept;
  void react_to_end(Client& client) noexcept;
  template <typename Event>
  void tell(Client& client, const char* name, Event&& event) noexcept;
  void obey(conn::Connection* connection, Action action) noexcept;
  void tell_connected(Connected& done, conn::Connection* connection, std::error_code error) noexcept;
  // react_datagrams.cpp
  void react_to_datagrams() noexcept;
  void tell_incoming(const Incoming& incoming) noexcept;
  void tell_datagram(DatagramSocket& socket, const uring::Received& received) noexcept;
  [[nodiscard]] PeerSession* session_for(DatagramSocket& socket, const kernel::SocketName& peer) noexcept;
  template <typename Event>
  void tell(PeerSession& session, const char* name, Event&& event) noexcept;
  void tell_session_open(PeerSession& session) noexcept;
  void end_sessions() noexcept;
  void answer_datagrams() noexcept;
  // flush.cpp
  void flush_connection(Client& client) noexcept;
  void flush_dialing() noexcept;
  void move_timer(Client& client) noexcept;
  // adopt.cpp
  Client* adopt(int fd, conn::Origin origin, const Arrival& arrival) noexcept;
  void refuse(int fd, conn::Origin origin, const Arrival& arrival) noexcept;
  void enter(const Entrance::Entered& entered) noexcept;
  void let_waiting_in() noexcept;
  void leave(const Client& client) noexcept;
  void on_handoff(const uring::Completion& done) noexcept;
  void on_handoff_end(const uring::Completion& done) noexcept;
  // dial.cpp
  void try_next(Dialing& dialing, std::error_code error) noexcept;
  [[nodiscard]] int tune(int fd, int family) noexcept;
  void end_dial(Dialing& dialing, conn::Connection* connection, std::error_code error) noexcept;
  void give_up_dial(Dialing& dialing, std::error_code reason) noexcept;
  void on_connect(const uring::Completion& done) noexcept;
  void on_connect_cancel(const uring::Completion& done) noexcept;
  // time.cpp
  void on_timer(Timer& timer) noexcept;
  void run_scheduled(Timer& timer) noexcept;
  void tick() noexcept;
  [[nodiscard]] std::int64_t wait_time() noexcept;
  // stop.cpp
  void begin_stop() noexcept;
  void follow_plan() noexcept;
  void end_serving() noexcept;
  void tell_leaving() noexcept;
  void tell_leaving_to(Client& client) noexcept;
  void cut_off() noexcept;
  void count_drained(const Client& client) noexcept;
  void flush_stop() noexcept;
  [[nodiscard]] bool is_alone() const noexcept;
  [[nodiscard]] bool is_empty() const noexcept;

  [[nodiscard]] bool has_work() noexcept;
  [[nodiscard]] bool make_room(unsigned count) noexcept;
  void arm_event() noexcept;
  void arm_signal() noexcept;
  // metrics.cpp
  void count_lap() noexcept;
  void publish_counts() noexcept;

  // Written by the loop, read by all; on a cache line of its own. What the balancer and a drain go by; all
  // other numbers are in `shared_`.
  struct alignas(64) Counts {
    std::atomic<std::uint64_t> accepted_closed{0};
    std::atomic<std::size_t> drain_closed{0};
    std::atomic<std::size_t> drain_cut_off{0};
  };

  Surroundings with_;
  std::size_t index_;
  std::shared_ptr<Mailbox> mailbox_;  // Shared with handles; the hot path never copies it.
  uring::Ring ring_;
  uring::RecvPools pools_;
  conn::Shared shared_;
  Wheel wheel_;
  base::SlotTable<Client> connections_;
  base::SlotTable<Dialing> dialing_;
  Entrance entrance_;
  Datagrams datagrams_;
  Sessions sessions_;
  base::Queue<conn::Connection, conn::Due> gone_;  // Closed, to be released at the end of the lap.
  std::vector<Mail> letters_;
  Timer tick_timer_;
  Timer stop_timer_;
  Timer drain_timer_;

  int event_fd_ = -1;
  int signal_fd_ = -1;
  bool event_due_ = false;   // The read of the eventfd is to be armed.
  bool signal_due_ = false;  // The read of the signalfd.
  std::array<std::byte, 8> event_bytes_{};
  std::array<std::byte, 128> signal_bytes_{};  // One signalfd_siginfo.

  bool has_balancer_;
  bool queue_full_ = false;  // This lap's flush could not write all it wanted: the next lap does not wait.
  bool more_completions_ = false;  // This lap's budget ended before the completions did.
  bool dial_due_ = false;
  bool stopping_ = false;
  bool serving_ = true;  // Ticks and datagrams: until a stop, or the deadline of a drain.
  bool cancel_all_armed_ = false;
  SharedDrainPlan shared_plan_;
  DrainPlan plan_;                        // As we follow it.
  std::size_t untold_ = 0;                // Connections to be told that we stop, each in its turn …
  std::uint32_t next_told_ = 0;           // … from this slot on …
  kernel::Nanoseconds next_told_at_ = 0;  // … the first of them at this time.
  DrainCounts drained_;
  std::uint32_t handoffs_received_ = 0;
  std::optional<std::uint32_t> handoffs_expected_;  // Said by the balancer's last message.
  std::uint64_t accepted_closed_ = 0;
  std::atomic<bool> stop_requested_{false};
  Counts counts_;
};

template <typename Code>
void Loop::guard(const char* what, Code&& code) noexcept {
  try {
    code();
  } catch (...) {
    base::tally(shared_.metrics.handler_failures);
    base::log_exception(with_.log, what);
  }
}

}  // namespace ringwire::loop
