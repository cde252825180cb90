// The running engine, as handlers and other threads see it.
//
// Leaves to others: how it is started (`run.hpp`), its loops and the balancer.
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/conn_ref.hpp>
#include <ringwire/connect.hpp>
#include <ringwire/datagram.hpp>
#include <ringwire/function.hpp>
#include <ringwire/loop_ref.hpp>
#include <ringwire/metrics.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <vector>

namespace ringwire {

/// How an engine drains. Times count from the call.
struct DrainOptions {
  /// When whoever is still connected is reset; 0 = at once. At most a century.
  std::chrono::milliseconds deadline{30'000};
  /// Over how long each loop spreads its `on_drain` events, evenly; 0 = all at once. At most `deadline`: more
  /// is taken as that. Reason: clients that are sent away together come back together.
  std::chrono::milliseconds spread{0};
};

/// What became of the connections that were there when the engine began to stop, or came in after that.
struct DrainCounts {
  /// Ended in time, whoever ended them.
  std::size_t closed = 0;
  /// Reset because the time was over: those that were told `on_close` with `Error::engine_stopped`.
  std::size_t cut_off = 0;
};

/// Told how offloaded work went: on the loop of its connection, which is nullptr when it has ended meanwhile
/// (with `Error::closed`, if nothing worse). See `Engine::offload`.
using Offloaded = Function<void(Conn* conn, std::error_code error)>;

/// All loops of one `run`. Handed to `on_boot`; valid until `run` returns. Every call is safe from any
/// thread.
class Engine {
 public:
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Open connections on all loops; those being closed count until `on_close` has returned. A snapshot.
  [[nodiscard]] std::size_t connections_count() const noexcept;

  /// Open connections on one loop. `loop` must be less than `loops_count()`.
  [[nodiscard]] std::size_t connections_count(std::size_t loop) const noexcept;

  /// Accepted connections refused since the start, because `Options::connections_max` or
  /// `connections_per_ip_max` was reached or there was no memory for them.
  [[nodiscard]] std::size_t connections_refused() const noexcept;

  /// How many loops there are.
  [[nodiscard]] std::size_t loops_count() const noexcept;

  /// A handle to one loop. `index` must be less than `loops_count()`.
  [[nodiscard]] LoopRef loop(std::size_t index) const;

  /// The addresses listened on, in the order given to `run`, with real ports where 0 was asked for.
  ///
  /// Example: `fmt::print("listening on {}\n", engine.addresses().front().to_string());`
  [[nodiscard]] std::vector<Address> addresses() const;

  /// Makes a second descriptor for the socket that listens on address `index` of `addresses()`: for another
  /// process, which goes on accepting there when this engine has stopped. Close-on-exec; the caller closes
  /// it.
  ///
  /// No client is lost in between: those that wait belong to the socket, not to a descriptor. A unix socket
  /// that was duplicated keeps its file when this engine stops. Of two processes that accept at the same time
  /// each client gets one.
  ///
  /// Failure: `std::errc::operation_not_supported` for a udp address, `Error::engine_stopped` once the
  /// listeners are being closed, EMFILE; `fd` is untouched then. Example: `int fd = -1; if
  /// (!engine.dup_listener(0, fd)) pass_on(fd);` Source: gnet Engine.DupListener.
  [[nodiscard]] std::error_code dup_listener(std::size_t index, int& fd);

  /// Opens a connection on the loop with the fewest connections; see `LoopRef::connect`. Before the loops
  /// run, in `on_boot`, it is queued.
  ///
  /// Example: `engine.connect("tcp://127.0.0.1:9000", {.timeout = 2s}, [](Conn* conn, std::error_code error)
  /// { … });`
  Connecting connect(std::string_view address, const ConnectOptions& options = {}, Connected done = nullptr);

  /// Opens a session with a peer on the loop with the fewest connections; see `LoopRef::open_session`.
  std::error_code open_session(std::string_view address, SessionOpened done = nullptr);

  /// Takes over a connected socket on the loop with the fewest connections; see `LoopRef::enroll`.
  std::error_code enroll(int fd, Connected done = nullptr);

  /// A handle to one loop's socket for the udp address with this index in `addresses()`, to send datagrams
  /// from. Each loop has one of its own, on the same port; a multicast group has only loop 0's, which is
  /// named then. Names no socket when that address is not udp. `loop` must be less than `loops_count()`.
  ///
  /// Example: `ticker_socket_ = engine.socket(0);  // in on_boot`
  [[nodiscard]] SocketRef socket(std::size_t address, std::size_t loop = 0) const;

  /// How many datagrams came and went. A snapshot.
  [[nodiscard]] DatagramCounts datagrams() const noexcept;

  /// Runs `work` on a worker thread, then `done` on the loop of `conn`: for what would hold the loop up.
  /// There are `Options::workers_count` threads for it. What `work` holds is destroyed on its thread.
  ///
  /// Failure: `done` is called exactly once, with an empty code or the reason: `Error::closed` (the
  /// connection ended, or its loop), `Error::handler_failed` (`work` threw; the log has the text, the
  /// connection goes on), `Error::engine_stopped` (not begun). At once, inside this call: EAGAIN when
  /// `Options::offload_max` wait already, ENOTSUP without workers. When there is no loop any more it is
  /// called by the thread that finds out. Throws only std::bad_alloc; then nothing is called.
  ///
  /// A stopping engine lets its loops end first; a worker then finishes what it has in hand, and `run` waits
  /// for it. Any thread, `on_boot` included.
  ///
  /// Example: `engine.offload(conn.ref(), [result] { *result = slow(); }, [result](Conn* conn,
  /// std::error_code) { if (conn) conn->write(*result); });` Source: gnet's goroutine pool.
  void offload(const ConnRef& conn, Task work, Offloaded done = nullptr);
  /// The same with `done` on a loop.
  void offload(const LoopRef& loop, Task work, Done done = nullptr);
  /// The same with `done` on the calling loop; called on any other thread, on the first.
  void offload(Task work, Done done = nullptr);

  /// What every loop holds and has done, since the start. No lock is taken and no loop held up.
  ///
  /// A loop shows its numbers at the end of each lap, before it sleeps; they are read one after the other, so
  /// each is true, and two of them may be of different laps. In `on_shutdown` all are complete. Throws only
  /// std::bad_alloc.
  ///
  /// Example: `const auto text = ringwire::to_prometheus(engine.metrics());`
  [[nodiscard]] Metrics metrics() const;

  /// Stops gently: no more accepts (clients that were in a backlog still come in), no more connects;
  /// `on_drain` for each connection, spread over time, at once for those that come in later; flush and close;
  /// reset what is left at the deadline; then `run` returns. A connection whose turn has not come is served
  /// as before. So are ticks and udp addresses, until the deadline: nobody says when a peer without a
  /// connection has finished, so an engine with a udp address drains for all of that time, or until `stop`.
  /// Returns at once; `drained` tells how it goes.
  ///
  /// Failure: `Error::engine_stopped` when a drain or a stop has begun: the first deadline stands, only
  /// `stop` hastens it. `std::errc::invalid_argument` for a negative time; nothing has happened then.
  ///
  /// Example: `engine.drain({.deadline = 30s, .spread = 20s});  // A deployment.`
  std::error_code drain(const DrainOptions& options = {});

  /// What became of the connections so far; complete in `on_shutdown`. A snapshot.
  [[nodiscard]] DrainCounts drained() const noexcept;

  /// Stops: a drain with `Options::stop_timeout` as its deadline and no spread. While the engine drains it
  /// hastens that: every connection is told at once, and the earlier deadline counts. Returns at once; a
  /// second call answers `Error::engine_stopped`. `Action::shutdown` and, with `Options::stop_on_signal`, a
  /// signal do the same. Source: gnet Engine.Stop, which cuts connections off.
  std::error_code stop();

 protected:
  Engine() = default;
  ~Engine() = default;
};

}  // namespace ringwire
