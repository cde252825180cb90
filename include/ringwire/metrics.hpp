// What an engine's loops hold and have done: numbers for a dashboard, from `Engine::metrics`.
//
// Leaves to others: what to do when one grows (docs/metrics.md). Invariant: every number of a `LoopMetrics`
// is a `std::uint64_t`, so that all of them are published, read and added up alike.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ringwire {

/// Datagrams since the start, on all loops or on one.
struct DatagramCounts {
  /// Received, truncated ones included.
  std::uint64_t received = 0;
  /// Of those, longer than `Options::datagram_size_max`.
  std::uint64_t truncated = 0;
  /// Taken by the kernel.
  std::uint64_t sent = 0;
  /// Queued, and refused by the kernel or dropped at the end.
  std::uint64_t failed = 0;
  /// Come, and not told: of a new peer, with `Options::sessions_max` sessions open or no memory for one, or
  /// of one that `on_session_open` refused. Not in `received`.
  std::uint64_t dropped = 0;
  /// Requests in which `sent` left: fewer, where several to one peer left together.
  std::uint64_t sends = 0;
  /// Receives in which `received` and `dropped` came: fewer, where the kernel had joined several.
  std::uint64_t receives = 0;
};

/// Connections that have ended, each counted once, after its `on_close`, by the reason that was told there.
struct CloseCounts {
  /// We closed or aborted (an empty reason).
  std::uint64_t ours = 0;
  /// The peer's FIN came first (`Error::end_of_stream`).
  std::uint64_t peer = 0;
  /// The network broke it: a reset, or another errno.
  std::uint64_t network = 0;
  /// A timeout: idle, read, write, lifetime, close.
  std::uint64_t timeout = 0;
  /// Too much was written to it (`Error::outbound_limit`).
  std::uint64_t outbound_limit = 0;
  /// Its handler threw (`Error::handler_failed`).
  std::uint64_t handler_failed = 0;
  /// Cut off at the deadline of a stop (`Error::engine_stopped`).
  std::uint64_t engine_stopped = 0;
  /// Anything else; so far, that there was no memory for its bytes.
  std::uint64_t other = 0;

  /// All of them.
  [[nodiscard]] constexpr std::uint64_t total() const noexcept {
    return ours + peer + network + timeout + outbound_limit + handler_failed + engine_stopped + other;
  }
};

/// How long laps took, from the end of the wait to the end of the lap: completions, handlers and all that is
/// prepared for the next submit, but neither the wait nor the submit.
struct LapTimes {
  /// Buckets; each but the last has an upper bound.
  static constexpr std::size_t buckets_count = 22;
  /// Laps by time: bucket 0 has those of at most 1,024 ns, each next one those of at most twice as long, up
  /// to 1.07 s; the last has those that took longer.
  std::array<std::uint64_t, buckets_count> counts{};
  /// All of them together, in nanoseconds.
  std::uint64_t nanoseconds = 0;

  /// The upper bound of a bucket, itself included, in nanoseconds. `bucket` must be less than
  /// `buckets_count - 1`.
  [[nodiscard]] static constexpr std::uint64_t bound(std::size_t bucket) noexcept {
    return std::uint64_t{1024} << bucket;
  }
};

/// One loop's numbers. Counts are since the start and never go down; the first five are how it stands now.
struct LoopMetrics {
  /// Open connections; those being closed count until `on_close` has returned.
  std::uint64_t connections = 0;
  /// Receive buffers not kept by anybody, of `Options::recv_buffers_count`: the rest is what `Conn::take`
  /// gave out and has not come home.
  std::uint64_t recv_buffers_free = 0;
  /// Posts that wait to be read, of `Options::mailbox_max`. Of this moment.
  std::uint64_t mailbox_letters = 0;
  /// Scheduled tasks that wait or run, of `Options::timers_max`. Of this moment.
  std::uint64_t timers = 0;
  /// Datagram sessions, of `Options::sessions_max`.
  std::uint64_t sessions = 0;

  /// Connections that clients opened, accepted here or handed over by the balancer.
  std::uint64_t accepted = 0;
  /// Connections we opened (`connect`) or were given (`enroll`).
  std::uint64_t connected = 0;
  /// The same that did not become a connection, cancelled ones included.
  std::uint64_t connects_failed = 0;
  /// Clients reset because of `Options::connections_max`, or because there was no memory for them.
  std::uint64_t refused = 0;
  /// Times accepting stopped for 10 to 100 ms because descriptors or memory had run out (EMFILE and such).
  std::uint64_t accept_pauses = 0;
  /// Bytes connections received.
  std::uint64_t received_bytes = 0;
  /// Bytes the kernel took from connections.
  std::uint64_t sent_bytes = 0;
  /// Sends that took some.
  std::uint64_t sends = 0;
  /// Of those, that took less than they were given: the peer reads slower than we write.
  std::uint64_t short_sends = 0;
  /// Receives that ended because no buffer was free (ENOBUFS); each waited until there was one.
  std::uint64_t recv_starved = 0;
  /// Laps.
  std::uint64_t laps = 0;
  /// Laps that ended before the completions did, after 4,096 of them.
  std::uint64_t full_laps = 0;
  /// Calls of io_uring_enter that have returned.
  std::uint64_t enters = 0;
  /// Completions; divided by `enters`, how many a call brought.
  std::uint64_t completions = 0;
  /// Laps that began with completions for which the completion queue had no room. None is lost.
  std::uint64_t cq_overflows = 0;
  /// Exceptions that left user code on this loop: events, tasks, callbacks.
  std::uint64_t handler_failures = 0;

  /// Connections that have ended: `accepted + connected - connections`, when nothing moves.
  CloseCounts closes;
  /// Datagrams.
  DatagramCounts datagrams;
  /// A histogram of lap times.
  LapTimes lap_times;
};

/// What happened to clients before a loop had them, at the balancer or at a limit of the whole engine.
struct DoorMetrics {
  /// Reset because of `Options::connections_per_ip_max`, or because there was no memory to hand them over.
  std::uint64_t refused = 0;
  /// As in `LoopMetrics`, of the balancer.
  std::uint64_t accept_pauses = 0;
};

/// All numbers of an engine, as `Engine::metrics` found them.
struct Metrics {
  /// Each loop's, by its index.
  std::vector<LoopMetrics> loops;
  /// The balancer's.
  DoorMetrics door;

  /// The sum of all loops, and of the door in the fields it shares with them.
  ///
  /// Example: `const auto all = engine.metrics().total(); const auto open = all.connections;`
  [[nodiscard]] LoopMetrics total() const noexcept;
};

/// The same as text for Prometheus: its exposition format 0.0.4, to be served as `text/plain; version=0.0.4`.
///
/// Names begin with `ringwire_`; each sample has the label `loop`, its index, or "door". Times are in
/// seconds, sizes in bytes. Any thread. Throws only std::bad_alloc.
///
/// Example: `respond(ringwire::to_prometheus(engine.metrics()));` Source:
/// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
[[nodiscard]] std::string to_prometheus(const Metrics& metrics);

}  // namespace ringwire
