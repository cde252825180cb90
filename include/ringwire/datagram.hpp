// One datagram, as its handler sees it, and a handle to the socket it came through.
//
// Leaves to others: streams (`conn.hpp`). A datagram has no connection: no opening, no closing, no order, and
// nobody who tells that it was lost.
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/bytes.hpp>
#include <ringwire/function.hpp>
#include <ringwire/loop_ref.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace ringwire {

class Session;

namespace loop {
class DatagramSocket;
}

/// Names one datagram socket of one loop. A small value, safe on any thread at any time, also after the
/// engine ended.
///
/// Where a `done` is given it is called exactly once: on the loop's thread, or, when the request cannot be
/// posted at all, on the calling thread with `Error::closed` (the loop has ended), EAGAIN
/// (`Options::mailbox_max` wait already) or EMSGSIZE (more than 65,535 bytes).
class SocketRef {
 public:
  /// Names no socket; every request is answered `Error::closed`.
  SocketRef() noexcept = default;
  /// For ringwire itself.
  SocketRef(LoopRef loop, std::uint32_t slot, std::uint32_t generation) noexcept;

  /// Sends a copy of `bytes` as one datagram. `done` gets an empty code when the kernel has taken it (which
  /// does not mean that anybody receives it), `Error::closed` when the socket is closed or about to be (the
  /// engine stops, and the socket's loop has no connection left), `Error::engine_stopped` when it could not
  /// leave before the deadline of the stop, else what `Datagram::send_to` answers or sendmsg(2) does:
  /// EMSGSIZE, ENETUNREACH, EPERM. No failure closes the socket. Any thread. Source: gnet SendTo, AsyncWrite.
  ///
  /// Example: `socket.send_to("tick", subscriber, [](std::error_code error) { if (error) forget(); });`
  void send_to(Bytes bytes, const Address& to, Done done = nullptr) const;
  /// The same for text.
  void send_to(std::string_view text, const Address& to, Done done = nullptr) const;

  /// The loop that owns the socket.
  [[nodiscard]] const LoopRef& loop() const noexcept { return loop_; }

  /// Two handles are equal when they name the same socket.
  friend bool operator==(const SocketRef&, const SocketRef&) noexcept = default;

 private:
  LoopRef loop_;
  std::uint32_t slot_ = 0;
  std::uint32_t generation_ = 0;
};

/// One received datagram.
///
/// Thread: its loop's, inside `Handler::on_datagram`.
/// Lifetime: until that event returns; copy what you keep. `socket()` may be kept.
class Datagram {
 public:
  /// For ringwire itself.
  Datagram(loop::DatagramSocket& socket, Bytes bytes, std::size_t size, const Address& from,
           Session* session = nullptr) noexcept
      : socket_{socket}, bytes_{bytes}, size_{size}, from_{from}, session_{session} {}
  Datagram(const Datagram&) = delete;
  Datagram& operator=(const Datagram&) = delete;

  /// What was sent, whole unless `is_truncated()`; may be empty. It is the kernel's own receive buffer.
  [[nodiscard]] Bytes bytes() const noexcept { return bytes_; }
  /// It was longer than `Options::datagram_size_max`, and its end is lost. Source: recv(2), MSG_TRUNC; gnet
  /// does not tell.
  [[nodiscard]] bool is_truncated() const noexcept { return size_ > bytes_.size(); }
  /// How long it was when it was sent.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// Who sent it. On a socket for both IP versions an IPv4 peer is `::ffff:a.b.c.d`.
  [[nodiscard]] const Address& remote_address() const noexcept { return from_; }
  /// The session it belongs to: one that `LoopRef::open_session` opened, or, with
  /// `Options::datagram_sessions`, its sender's; else nullptr.
  [[nodiscard]] Session* session() const noexcept { return session_; }
  /// The address the socket is bound to, as `Engine::addresses` names it.
  [[nodiscard]] const Address& local_address() const noexcept;

  /// Sends a copy of `bytes` back as one datagram. As `send_to(bytes, remote_address())`.
  ///
  /// Example: `datagram.reply(datagram.bytes());`
  std::error_code reply(Bytes bytes);
  /// The same for text.
  std::error_code reply(std::string_view text);

  /// Sends a copy of `bytes` to any address through this socket. All datagrams of a lap leave at its end.
  ///
  /// Failure: nothing is taken, and the answer is ENOBUFS (`Options::datagram_outbound_limit`), EMSGSIZE
  /// (more than 65,535 bytes), EAFNOSUPPORT (an IPv4 socket has no IPv6 addresses, no socket a unix
  /// socket's), EDESTADDRREQ (`to` is none), ENOMEM, `Error::closed`. What goes wrong later only
  /// `SocketRef::send_to` tells; an IPv4 address on a socket for IPv6 only, for example: ENETUNREACH. Source:
  /// gnet SendTo.
  std::error_code send_to(Bytes bytes, const Address& to);

  /// A handle to the socket, for later or for other threads.
  [[nodiscard]] SocketRef socket() const;

 private:
  loop::DatagramSocket& socket_;
  Bytes bytes_;
  std::size_t size_;
  Address from_;
  Session* session_;
};

}  // namespace ringwire
