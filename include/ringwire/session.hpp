// Peers of a datagram socket that are remembered: opened by their first datagram, or by us; forgotten when
// they are silent.
//
// Leaves to others: the datagrams themselves (`datagram.hpp`). A session is a memory of ours: the peer need
// not know of it, and nothing is sent when it begins or ends.
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/bytes.hpp>
#include <ringwire/context.hpp>
#include <ringwire/function.hpp>
#include <ringwire/loop_ref.hpp>

#include <chrono>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <utility>

namespace ringwire {

class Session;

/// Names one session. A small value, safe on any thread at any time, also after the session or the engine
/// ended.
class SessionRef {
 public:
  /// Names no session.
  SessionRef() noexcept = default;
  /// For ringwire itself.
  SessionRef(LoopRef loop, std::uint32_t slot, std::uint32_t generation) noexcept
      : loop_{std::move(loop)}, slot_{slot}, generation_{generation} {}

  /// Sends a copy of `bytes` as one datagram. `done` is called exactly once: as `SocketRef::send_to` says,
  /// and with `Error::closed` when the session has ended.
  void send(Bytes bytes, Done done = nullptr) const;
  /// The same for text.
  void send(std::string_view text, Done done = nullptr) const;

  /// Runs `task`, which must not be empty, with the session, on its loop; with nullptr when it has ended.
  /// When the loop has ended, or `Options::mailbox_max` posts wait, on the calling thread, with nullptr.
  ///
  /// Example: `ref.post([](ringwire::Session* session) { if (session) session->close(); });`
  void post(Function<void(Session*)> task) const;

  /// The loop that owns the session.
  [[nodiscard]] const LoopRef& loop() const noexcept { return loop_; }

  /// Two handles are equal when they name the same session.
  friend bool operator==(const SessionRef&, const SessionRef&) noexcept = default;

 private:
  LoopRef loop_;
  std::uint32_t slot_ = 0;
  std::uint32_t generation_ = 0;
};

/// What is remembered of one peer of one datagram socket. See `Options::datagram_sessions`,
/// `LoopRef::open_session`.
///
/// Thread: its loop's only (inside an event, or a task posted there); elsewhere use `ref()`.
/// Lifetime: from `on_session_open` until `on_session_close` returns. The first datagram of a peer that has
/// no session opens one, also when it had one before. Failure: a datagram that is lost tells nobody.
class Session {
 public:
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// The peer.
  [[nodiscard]] Address remote_address() const noexcept;
  /// Where the socket is bound.
  [[nodiscard]] const Address& local_address() const noexcept;

  /// Sends a copy of `bytes` to the peer as one datagram, at the end of this lap. In `on_session_close`, too:
  /// a last word. Failure: as `Datagram::send_to`.
  std::error_code send(Bytes bytes);
  /// The same for text.
  std::error_code send(std::string_view text);

  /// Forgets the peer: `on_session_close` comes right after this event, with an empty reason. A socket
  /// that `open_session` opened is closed when what was sent has left. Twice is harmless.
  void close();

  /// Forgets the peer when nothing has come from it for this long; 0 = never. In place of
  /// `Options::session_timeout`, counted from the last datagram that came, or the opening. What we send does
  /// not count: it may reach nobody. At most a year: more is taken as that.
  void set_timeout(std::chrono::milliseconds timeout);

  /// A handle for other threads, and for later.
  [[nodiscard]] SessionRef ref() const;

  /// The loop this session lives on.
  [[nodiscard]] LoopRef loop() const;

  /// Makes a `T` that belongs to this session, in place of any earlier context. Destroyed after
  /// `on_session_close` returned.
  ///
  /// Example: `session.emplace_context<Player>(session.ref());`
  template <typename T, typename... Args>
  T& emplace_context(Args&&... args) {
    return context_.emplace<T>(std::forward<Args>(args)...);
  }

  /// The context, or nullptr when there is none or it is of another type.
  template <typename T>
  [[nodiscard]] T* context() const noexcept {
    return context_.get<T>();
  }

 protected:
  Session() = default;
  ~Session() = default;

 private:
  Context context_;
};

}  // namespace ringwire
