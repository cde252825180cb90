// A handle to one loop that any thread may hold and use at any time.
//
// Leaves to others: the loop itself. The handle keeps only the loop's mailbox alive, so it may outlive the
// engine.
#pragma once

#include <ringwire/function.hpp>
#include <ringwire/timer_ref.hpp>

#include <chrono>
#include <memory>
#include <string_view>
#include <system_error>

namespace ringwire {

class Conn;
class Connecting;
class Session;
struct ConnectOptions;
/// Told once how a connect ended, on the loop's thread: with the connection just after its `on_open`, or with
/// nullptr and the reason: an errno (connection_refused, timed_out, operation_canceled, …) or
/// `Error::engine_stopped`; when the loop has ended meanwhile `Error::closed`.
using Connected = Function<void(Conn* conn, std::error_code error)>;
/// Told once, on the loop's thread, how `open_session` ended: with the session just after its
/// `on_session_open`, or with nullptr and the reason: an errno, or `Error::engine_stopped`; when the loop has
/// ended meanwhile `Error::closed`.
using SessionOpened = Function<void(Session* session, std::error_code error)>;

/// Names one loop of an engine. A small value, safe on any thread at any time, also after the engine ended.
class LoopRef {
 public:
  /// Names no loop; `post` answers `Error::closed`.
  LoopRef() noexcept = default;
  /// For ringwire itself: names the loop that reads `mailbox`.
  explicit LoopRef(std::shared_ptr<loop::Mailbox> mailbox) noexcept;

  /// Runs `task`, which must not be empty, once on the loop's thread, after this call returned. Any thread.
  ///
  /// Tasks of one thread run in the order they were posted. From the loop's own thread it costs no system
  /// call, and is never refused for want of room: the loop cannot wait for itself. When the loop has ended
  /// the answer is `Error::closed` and the task is destroyed without being run; a task still waiting when the
  /// loop ends is destroyed too.
  ///
  /// Example: `conn.loop().post([ref = conn.ref()]() mutable { ref.write("later"); });`
  std::error_code post(Task task) const;

  /// Runs `task`, which must not be empty, once on the loop's thread when `delay` has passed. Any thread,
  /// also from `on_boot`. Less than 1 ms, or a delay in the past, means the loop's next millisecond.
  ///
  /// Never early, counted from this call; late by at most 1 ms, and by what the loop's current lap still
  /// takes. It keeps no loop from ending: a task still waiting when the loop ends is destroyed unrun. What it
  /// throws is logged.
  ///
  /// Failure: the handle is false, and says why (`TimerRef::error`).
  ///
  /// Example: `auto timeout = conn.loop().schedule(std::chrono::seconds{5}, [ref = conn.ref()] { ref.close();
  /// });`
  TimerRef schedule(std::chrono::milliseconds delay, Task task) const;

  /// The same again and again: first when `period` has passed, then each multiple of it after that first
  /// time. Runs do not drift; a time that has passed when a run ends is skipped. A period of less than 1 ms
  /// is taken as 1 ms. Runs until it is cancelled or the loop ends, whatever it throws.
  TimerRef schedule_every(std::chrono::milliseconds period, Task task) const;

  /// Opens a connection to `address` ("tcp://127.0.0.1:9000", "unix:///run/other.sock") on this loop; the
  /// engine's Handler then gets its events like those of an accepted one. Any thread.
  ///
  /// `done` runs on the loop's thread: with an empty code just after `on_open`, else with the reason (errno,
  /// e.g. connection refused). A bad address or an ended loop is answered by the returned code, and `done` is
  /// not called.
  std::error_code connect(std::string_view address, Done done = nullptr) const;

  /// The same with a timeout; `done` is told the connection, too, and the answer can cancel it.
  ///
  /// A name with several addresses is tried address by address until one answers. The name is resolved
  /// on the calling thread, which may take seconds: on a loop give numbers.
  ///
  /// Example: `loop.connect("tcp://10.0.0.9:80", {.timeout = 2s}, [](Conn* conn, std::error_code error) { …
  /// });`
  Connecting connect(std::string_view address, const ConnectOptions& options, Connected done = nullptr) const;

  /// Opens a session with the peer at `address` ("udp://192.0.2.1:53") on a datagram socket of its own,
  /// connected to it: nobody else is heard there. The engine's Handler gets its events; what the peer answers
  /// comes to `on_datagram`. With or without `Options::datagram_sessions`. Nothing is sent by that, so a peer
  /// that is not there is no failure here: the first datagram's answer may be
  /// `std::errc::connection_refused`, in `on_session_close`; or none at all
  /// (`Session::set_timeout`).
  ///
  /// `done` as above, with EAGAIN when there are `Options::sessions_max`. A bad address or an ended loop is
  /// answered by the returned code, and `done` is not called. A name is resolved on the calling thread. Any
  /// thread.
  ///
  /// Example: `loop.open_session("udp://192.0.2.1:53", [](Session* session, auto) { if (session)
  /// session->send(query);
  /// });`
  std::error_code open_session(std::string_view address, SessionOpened done = nullptr) const;

  /// Takes over a connected stream socket that somebody else opened or accepted; the engine's Handler then
  /// gets its events. Any thread. Source: gnet Enroll.
  ///
  /// `done` as above. From an empty answer on the descriptor is ringwire's, which closes it in any case. With
  /// an error it stays yours: no socket, no stream, not connected (the errno says which), a loop that has
  /// ended, a full mailbox.
  std::error_code enroll(int fd, Connected done = nullptr) const;

  /// True on the loop's own thread while it runs.
  [[nodiscard]] bool is_current() const noexcept;

  /// Two handles are equal when they name the same loop.
  friend bool operator==(const LoopRef&, const LoopRef&) noexcept = default;

 private:
  friend class ConnRef;
  friend class Connecting;
  friend class Engine;
  friend class SessionRef;
  friend class SocketRef;

  [[nodiscard]] TimerRef set_timer(std::uint64_t delay, std::uint64_t period, Task& task) const;

  std::shared_ptr<loop::Mailbox> mailbox_;
};

}  // namespace ringwire
