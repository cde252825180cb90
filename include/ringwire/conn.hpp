// One connection, as its handler sees it: bytes in, bytes out, close.
//
// Leaves to others: other threads (`ConnRef`), and when the kernel is called: nothing here does I/O, it
// queues. Invariant: a Conn is made and destroyed by ringwire only, and is touched on its loop's thread only.
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/buffer.hpp>
#include <ringwire/bytes.hpp>
#include <ringwire/conn_ref.hpp>
#include <ringwire/context.hpp>
#include <ringwire/loop_ref.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace ringwire {

/// What became of a write.
enum class Written : std::uint8_t {
  /// The bytes will be sent in order.
  queued,
  /// The same, and more than `Options::outbound_high_mark` bytes now wait: stop until `on_writable`.
  above_high_mark,
  /// Nothing was taken: `Options::outbound_limit` or `send_budget` would be exceeded (while bytes wait,
  /// `on_writable` says when to try again; with `OutboundPolicy::close` the connection is reset), there was
  /// no memory, or the connection is closing.
  refused,
};

/// Who is at the other end of a unix socket, as the kernel saw it when the connection was made.
struct PeerCredentials {
  std::int64_t process = 0;  // 0: of a process that this one cannot see.
  std::uint32_t user = 0;
  std::uint32_t group = 0;
};

/// One TCP connection, or one over a unix socket.
///
/// Thread: its loop's only (inside an event, or a task posted there); elsewhere use `ref()`.
/// Lifetime: from `on_open` until `on_close` returns.
/// Failure: no call here fails because of the network: what goes wrong arrives as `on_close`.
class Conn {
 public:
  Conn(const Conn&) = delete;
  Conn& operator=(const Conn&) = delete;

  /// Bytes received and not yet discarded.
  [[nodiscard]] std::size_t inbound_size() const noexcept;

  /// All bytes received and not yet discarded, in one piece.
  ///
  /// Valid until the event returns or `discard`, `next`, `read` or `take` is called. Usually it
  /// is the kernel's own receive buffer; only when bytes came in several buffers are they copied together.
  [[nodiscard]] Bytes peek();

  /// The first `size` bytes, or nothing when fewer have arrived. Valid as above.
  ///
  /// Example: `if (auto head = conn.peek(4)) length = decode(*head);`
  [[nodiscard]] std::optional<Bytes> peek(std::size_t size);

  /// `peek()` and `discard()` in one: takes everything. Valid until the event returns.
  [[nodiscard]] Bytes next();

  /// Takes exactly `size` bytes, or nothing when fewer have arrived. Valid until the event returns.
  ///
  /// Example: `while (auto line = conn.next(32)) handle(*line);`
  [[nodiscard]] std::optional<Bytes> next(std::size_t size);

  /// Drops up to `size` bytes from the front and answers how many. Default: all.
  std::size_t discard(std::size_t size = SIZE_MAX);

  /// Copies up to `target.size()` bytes out, drops them, and answers how many; 0 when there are none.
  std::size_t read(std::span<std::byte> target);

  /// Takes everything as an owned `Buffer`, to be kept, or written to any connection from any thread.
  ///
  /// It is the kernel's own receive buffer, without a copy, when that holds nothing else, is a quarter full
  /// at least, and more than half of `Options::recv_buffers_count` are free; else a copy. Throws
  /// std::bad_alloc.
  ///
  /// Example: `other.write(conn.take(), nullptr);  // other is a ConnRef`
  [[nodiscard]] Buffer take();
  /// The same with the first `size` bytes, or nothing when fewer have arrived.
  [[nodiscard]] std::optional<Buffer> take(std::size_t size);

  /// Queues a copy of `bytes`; everything written in one lap leaves in one send. Never calls the handler.
  ///
  /// Answers `refused` (and takes nothing) after `close` and beyond `Options::outbound_limit` or
  /// `send_budget`.
  ///
  /// Example: `if (conn.write(conn.next()) == Written::above_high_mark) …`
  Written write(Bytes bytes);
  /// The same for text.
  Written write(std::string_view text) { return write(to_bytes(text)); }

  /// Queues `buffer` without a copy (but for less than 1 KiB, where a copy is cheaper). Its bytes count like
  /// others, for each connection it waits in.
  Written write(const Buffer& buffer);

  /// Queues copies of all parts in order, or of none.
  Written writev(std::span<const Bytes> parts);

  /// Bytes written and not yet taken by the kernel.
  [[nodiscard]] std::size_t outbound_size() const noexcept;

  /// Stops receiving: no `on_traffic` and no `on_eof` comes until `resume`, and once what is under way has
  /// arrived (it is kept), TCP slows the peer down. Twice is harmless.
  ///
  /// Timeouts, errors and our own close end a paused connection; bytes that were not offered can be read in
  /// `on_close`. With nothing armed, the peer's reset is only noticed by the next send, or after `resume`.
  ///
  /// Example: `if (target.write(conn.next()) == Written::above_high_mark) conn.pause();` and, in the target's
  /// `on_writable`, `source.resume();` — see examples/proxy.cpp.
  void pause();
  /// Receives again. What has arrived, or was left, is offered by `on_traffic` in the next lap, which does
  /// not wait.
  void resume();
  /// Has `pause` been called, and `resume` not since?
  [[nodiscard]] bool is_paused() const noexcept;

  /// A hint, as gnet has it: what is queued leaves at the end of this lap, with or without it.
  void flush();

  /// Closes without loss: sends what is queued, then FIN, waits for the peer's FIN, then frees the
  /// descriptor.
  ///
  /// `on_close` comes when that is done, at the latest after `Options::close_timeout`. No `on_traffic` comes
  /// any more. Twice is harmless.
  void close();

  /// Closes at once with a reset (RST); what was not sent is lost. `on_close` follows with an empty reason.
  /// A unix socket has no reset: its peer sees the end, behind what we had sent.
  /// After `close` has already sent everything and its FIN, there is nothing to reset: it only stops waiting.
  void abort();

  /// Sends FIN after what is queued and goes on receiving. Later writes are refused.
  void shutdown_write();

  /// Closes with `Error::idle_timeout` when nothing is received or sent for this long; 0 = never. Replaces
  /// `Options::idle_timeout` for this connection, counting from now. Resolution: 1 ms. Sent means: taken by
  /// the kernel, in whatever parts; only a send that is under way while the timeout is first turned on counts
  /// as a whole. May throw bad_alloc, as the next three.
  void set_idle_timeout(std::chrono::milliseconds timeout);

  /// Closes with `Error::read_timeout` when nothing is received for this long; 0 = never. Time in which we do
  /// not receive (paused, at `Options::inbound_limit`, after the peer's FIN) does not count. Replaces
  /// `Options::read_timeout`, counting from now. Resolution, as below: 1 ms. May throw bad_alloc, as below.
  void set_read_timeout(std::chrono::milliseconds timeout);

  /// Resets with `Error::write_timeout` when bytes wait and the kernel takes none for this long; 0 = never.
  /// Replaces `Options::write_timeout`, counting from now. A send under way counts as for `set_idle_timeout`.
  void set_write_timeout(std::chrono::milliseconds timeout);

  /// Closes without loss and with `Error::lifetime_ended` this long after it was opened; 0 = never. Replaces
  /// `Options::lifetime`.
  void set_lifetime(std::chrono::milliseconds time);

  /// TCP_NODELAY, instead of `Options::tcp_no_delay`. This and the next four answer the kernel's refusal,
  /// `std::errc::invalid_argument` for a value out of range, `operation_not_supported` where it is no TCP.
  std::error_code set_no_delay(bool on);
  /// Probes the peer after `idle` without a byte from it, then every `interval`, and gives it up after
  /// `count` without an answer; idle 0 = no probes. 1 to 32,767 s, 1 to 127 probes. Source: tcp(7).
  std::error_code set_keepalive(std::chrono::seconds idle, std::chrono::seconds interval, int count);
  /// How long `close` may take before it resets, instead of `Options::close_timeout`; 0 = `close` resets at
  /// once, as `abort` does; nothing = the option again. What SO_LINGER does, without holding up the loop.
  std::error_code set_linger(std::optional<std::chrono::seconds> wait);
  /// SO_RCVBUF, in bytes, 1 to INT_MAX; the kernel doubles it, and cuts it to net.core.rmem_max.
  std::error_code set_recv_buffer_size(std::size_t size);
  /// SO_SNDBUF; net.core.wmem_max.
  std::error_code set_send_buffer_size(std::size_t size);

  /// The address of our end, as the kernel has it. Empty when the peer has already gone.
  [[nodiscard]] Address local_address() const;

  /// The peer's address. Empty when the peer was gone before it could be asked. Of a unix socket it is mostly
  /// unnamed ("unix:"); see `peer_credentials`.
  [[nodiscard]] Address remote_address() const;

  /// Process, user and group of a unix socket's peer; nothing for TCP. Source: unix(7), SO_PEERCRED.
  [[nodiscard]] std::optional<PeerCredentials> peer_credentials() const;

  /// The socket, for options ringwire does not know. It stays ours: never close, read or write it.
  [[nodiscard]] int fd() const noexcept;

  /// Makes `descriptor` a second one of the same socket (close-on-exec), which is the caller's to close: the
  /// peer sees the end when both are. Source: gnet Dup, dup(2).
  std::error_code dup(int& descriptor) const;

  /// A handle for other threads, and for later.
  [[nodiscard]] ConnRef ref() const;

  /// The loop this connection lives on.
  [[nodiscard]] LoopRef loop() const;

  /// When this lap of the loop began: the clock is read once a lap, and timeouts count from here. Costs
  /// nothing; in `sim::World` it is the simulated time. Source: CLOCK_MONOTONIC; uv_now.
  [[nodiscard]] std::chrono::steady_clock::time_point now() const noexcept;

  /// Makes a `T` that belongs to this connection, in place of any earlier context. Destroyed after `on_close`
  /// returned.
  ///
  /// Example: `conn.emplace_context<Player>(conn.ref());`
  template <typename T, typename... Args>
  T& emplace_context(Args&&... args) {
    return owned().template emplace<T>(std::forward<Args>(args)...);
  }

  /// The context, or nullptr when there is none or it is of another type.
  template <typename T>
  [[nodiscard]] T* context() const noexcept {
    return owned().template get<T>();
  }

 protected:
  Conn() = default;
  ~Conn() = default;

 private:
  [[nodiscard]] Context& owned() noexcept;
  [[nodiscard]] const Context& owned() const noexcept;
};

}  // namespace ringwire
