// The events a user answers. The names and their order are gnet's.
//
// Leaves to others: everything a connection can do (`conn.hpp`), and when each event is sent
// (`docs/design.md`).
#pragma once

#include <ringwire/function.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <system_error>

namespace ringwire {

class Conn;
class Datagram;
class Engine;
class Session;

/// What an event asks the engine to do after it returned.
enum class Action : std::uint8_t {
  /// Go on.
  none,
  /// Close this connection as `Conn::close` does: what was written is delivered first.
  close,
  /// Stop the whole engine as `Engine::stop` does.
  shutdown,
};

/// What `on_tick` answers: when to be called again, and an action (`close` means nothing here).
struct Tick {
  /// Time until the next tick. Less than 1 ms is taken as 1 ms.
  std::chrono::milliseconds delay;
  Action action = Action::none;
};

/// Base of what a user writes. Override what you need; every event has a default.
///
/// Thread: one Handler serves all loops, unless each is given its own (`HandlerFactory`). Events of one
/// connection never overlap, and come on the thread of the loop that owns it; events of different connections
/// run at the same time when there are several loops. Guard state they share.
///
/// Lifetime: the Handler must outlive `run`. A `Conn&` is valid from `on_open` until `on_close` returns.
///
/// Failure: an exception that leaves an event of a connection closes that connection with
/// `Error::handler_failed`; one that leaves another event is logged. Neither takes anything else down, except
/// in `on_boot`: then `run` answers `Error::handler_failed`.
///
/// Example:
/// ```
/// struct Echo : ringwire::Handler {
///   ringwire::Action on_traffic(ringwire::Conn& conn) override {
///     conn.write(conn.next());
///     return ringwire::Action::none;
///   }
/// };
/// ```
class Handler {
 public:
  Handler() = default;
  Handler(const Handler&) = default;
  Handler& operator=(const Handler&) = default;
  virtual ~Handler() = default;

  /// Once, on the thread that called `run`: every address is bound, no loop runs yet. `Action::shutdown`
  /// makes `run` return at once, without `on_shutdown` (as gnet). The Engine is valid until `run` returns.
  /// Source: gnet OnBoot.
  virtual Action on_boot(Engine& engine);

  /// Once for each connection, before any other event of it. Bytes written here leave first. Source: gnet
  /// OnOpen.
  virtual Action on_open(Conn& conn);

  /// New bytes have arrived: at most once a lap. What the handler does not take is kept, and offered again
  /// with the next bytes or after `ConnRef::wake`. Source: gnet OnTraffic.
  virtual Action on_traffic(Conn& conn);

  /// A datagram has come to one of the engine's udp addresses. With several loops a peer's datagrams come on
  /// one of them, chosen by the kernel. `Action::close`, or an exception, closes the datagram's session, if
  /// it has one; an exception is logged. Source: gnet OnTraffic with a UDP connection.
  virtual Action on_datagram(Datagram& datagram);

  /// A session begins, before any datagram of it is told (see `Options::datagram_sessions`). Answer
  /// `Action::close` to refuse the peer: the datagram is dropped then. Source: gnet has no such thing.
  virtual Action on_session_open(Session& session);

  /// Exactly once for each session that had `on_session_open`. `reason` is empty when we closed,
  /// `Error::idle_timeout` after `Options::session_timeout`, `Error::handler_failed`, or
  /// `Error::engine_stopped` when the last connection of a stopping loop has ended. What is sent here still
  /// leaves.
  virtual Action on_session_close(Session& session, std::error_code reason);

  /// The peer will send no more (FIN). All its bytes were offered before. Default: `Action::close`. Answer
  /// `none` to keep writing to a half-closed peer; then close it yourself.
  virtual Action on_eof(Conn& conn);

  /// A write was answered `Written::above_high_mark`, or refused for want of room while bytes waited, and by
  /// now no more than `Options::outbound_low_mark` bytes wait.
  virtual Action on_writable(Conn& conn);

  /// The engine is stopping; once for each open connection, with `Engine::drain` in its turn. Default:
  /// `Action::close`. Answer `none` to say goodbye in your protocol and close later; the deadline of the
  /// drain, or `Options::stop_timeout`, bounds it.
  virtual Action on_drain(Conn& conn);

  /// Exactly once for each connection that had `on_open`, after the kernel gave everything back. `reason` is
  /// empty when we closed, `Error::end_of_stream` when the peer did, else an errno or an `Error`. Context and
  /// unread bytes can still be read, `outbound_size` is what was never sent; writing does nothing. Source:
  /// gnet OnClose.
  virtual Action on_close(Conn& conn, std::error_code reason);

  /// On loop 0, or on each with `Options::ticker_per_loop`, when `Options::ticker` is set: first when the
  /// loop starts, then each time after the delay it answered. In a drain it goes on, as long as its loop has
  /// a connection or a udp address; a stop ends it. Default: once a second, doing nothing. Source: gnet
  /// OnTick.
  virtual Tick on_tick();

  /// Once, on the thread that called `run`, when every connection is closed and every loop has ended. Source:
  /// gnet OnShutdown.
  virtual void on_shutdown(Engine& engine);
};

/// Makes the handler of one loop, told its number from 0 on: see `run`.
///
/// Example: `HandlerFactory factory = [&](std::size_t loop) { return std::make_unique<Echo>(names[loop]); };`
using HandlerFactory = Function<std::unique_ptr<Handler>(std::size_t loop)>;

}  // namespace ringwire
