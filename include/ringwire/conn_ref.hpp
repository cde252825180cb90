// A handle to one connection that any thread may hold and use at any time.
//
// Leaves to others: the connection. Slot and generation name it; a handle to a dead one never reaches its
// successor.
#pragma once

#include <ringwire/buffer.hpp>
#include <ringwire/bytes.hpp>
#include <ringwire/function.hpp>
#include <ringwire/loop_ref.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>

namespace ringwire {

class Conn;

/// Names one connection. A small value, safe on any thread at any time, also after the connection or the
/// engine ended.
///
/// Every request is carried out on the connection's loop, in the order one thread made them. Where a `done`
/// is given it is called exactly once: on the loop's thread, or, when the request cannot be posted at all, on
/// the calling thread with `Error::closed` (the loop has ended) or EAGAIN (`Options::mailbox_max` wait
/// already; never on the loop's own thread).
class ConnRef {
 public:
  /// Names no connection; every request is answered `Error::closed`.
  ConnRef() noexcept = default;
  /// For ringwire itself.
  ConnRef(LoopRef loop, std::uint32_t slot, std::uint32_t generation) noexcept;

  /// Sends a copy of `bytes`. `done` gets an empty code when the kernel has taken the last of them,
  /// `Error::closed` when the connection ended before or had sent its FIN, `std::errc::no_buffer_space` when
  /// `Options::outbound_limit` or `send_budget` refused them. Source: gnet AsyncWrite, whose callback already
  /// fires when the bytes are merely buffered.
  ///
  /// Example: `ref.write("price 42\n", [](std::error_code error) { if (error) forget(); });`
  void write(Bytes bytes, Done done = nullptr) const;
  /// The same for text.
  void write(std::string_view text, Done done = nullptr) const;
  /// The same without a copy: the connection holds a reference until the kernel has taken the bytes.
  void write(Buffer buffer, Done done = nullptr) const;

  /// Sends `on_traffic` once, whether or not bytes have arrived. Source: gnet Wake.
  void wake(Done done = nullptr) const;

  /// Closes as `Conn::close` does; `done` runs after `on_close`. Closing twice is harmless. Source: gnet
  /// CloseWithCallback.
  void close(Done done = nullptr) const;

  /// Runs `task`, which must not be empty, with the connection, on its loop; with nullptr when it is gone.
  ///
  /// Example: `ref.post([](ringwire::Conn* conn) { if (conn) conn->abort(); });`
  void post(Function<void(Conn*)> task) const;

  /// The loop that owns the connection.
  [[nodiscard]] const LoopRef& loop() const noexcept { return loop_; }

  /// Two handles are equal when they name the same connection.
  friend bool operator==(const ConnRef&, const ConnRef&) noexcept = default;

 private:
  friend std::error_code broadcast(std::span<const ConnRef> targets, const Buffer& buffer);
  friend class Engine;
  [[nodiscard]] loop::Mailbox* mailbox() const noexcept { return loop_.mailbox_.get(); }

  LoopRef loop_;
  std::uint32_t slot_ = 0;
  std::uint32_t generation_ = 0;
};

/// Writes one buffer to many connections, of any engines, without a copy: one post for each loop. Any thread.
///
/// As `ConnRef::write` without `done`: connections that are gone, or refuse it, are passed over. Answers the
/// first reason why a whole loop could not be told (EAGAIN: `Options::mailbox_max` wait already); the others
/// are told all the same. May throw bad_alloc.
///
/// Example: `ringwire::broadcast(members, ringwire::Buffer{"server restarts in 5 minutes\n"});`
std::error_code broadcast(std::span<const ConnRef> targets, const Buffer& buffer);

}  // namespace ringwire
