// One connection as Asio and Beast know it: an AsyncReadStream and AsyncWriteStream.
//
// Leaves to others: where it comes from (`stream_handler.hpp`), and every protocol above. Invariant: a stream
// and everything started on it is touched on its loop's thread only.
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/asio/core.hpp>
#include <ringwire/asio/executor.hpp>
#include <ringwire/asio/operation.hpp>
#include <ringwire/conn_ref.hpp>
#include <ringwire/function.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/role.hpp>

#include <chrono>
#include <cstddef>
#include <utility>

namespace ringwire::asio {

/// A connection to read and write with Asio's completion tokens.
///
/// Thread: its loop's only, the destructor included; `get_executor` gets you there.
///
/// Lifetime: either end may go first. When the connection ends, waiting operations complete with the reason
/// and so do later ones. Destroying the stream closes the connection as `close` does.
///
/// Operations: one read and one write at a time. A handler is never called by the function that started the
/// operation; its associated executor, allocator and cancellation slot are honoured. A read that waits can be
/// cancelled without loss (all types); a write that waits has queued its bytes already, so cancelling it
/// (terminal, partial) only ends the wait.
///
/// Errors: boost::asio::error::eof when the peer ended the stream; operation_aborted after `close`, `cancel`
/// or our own closing; errno values in the system category; `ringwire::Error` values as they are.
///
/// Example: `boost::beast::websocket::stream<ringwire::asio::stream> ws(std::move(stream));`
class stream {
 public:
  /// Asio's name for the type `get_executor` returns.
  using executor_type = executor;
  /// Asio's name for the bottom of a stack of streams: this one.
  using lowest_layer_type = stream;

  /// For `stream_handler`.
  explicit stream(detail::CoreRef core) noexcept : core_(std::move(core)) {}
  stream(stream&&) noexcept = default;
  stream& operator=(stream&& other) noexcept {
    if (this != &other) {
      leave();
      core_ = std::move(other.core_);
    }
    return *this;
  }
  ~stream() { leave(); }

  /// Runs things on this connection's loop. Not for a stream that was moved from.
  [[nodiscard]] executor_type get_executor() const noexcept { return executor(core_->work(), false); }

  /// This stream. Required by `boost::asio::ssl::stream`.
  [[nodiscard]] lowest_layer_type& lowest_layer() noexcept { return *this; }
  /// This stream.
  [[nodiscard]] const lowest_layer_type& lowest_layer() const noexcept { return *this; }

  /// Reads at least one byte into `buffers` (of more than eight, the first eight are used).
  ///
  /// Calls the token with (error code, size). Bytes that have arrived are taken at once, the token is still
  /// called later. Empty buffers complete with size 0. The buffers must stay valid until then.
  ///
  /// Example: `stream.async_read_some(boost::asio::buffer(data), [](auto error, std::size_t size) { … });`
  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        Initiate{this}, token, Read{}, buffers);
  }

  /// Writes some bytes of `buffers`: at most 256 KiB, and the first sixteen buffers.
  ///
  /// Calls the token with (error code, size). The bytes are copied at once and leave with the lap; the token
  /// is called when there is room for more, that is at once, or, above `Options::outbound_high_mark`, when
  /// the peer has taken enough. Fails with no_buffer_space when `Options::outbound_limit` has no room and
  /// with broken_pipe after `shutdown_write`.
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        Initiate{this}, token, Write{}, buffers);
  }

  /// True until `close`, or until the connection has ended.
  [[nodiscard]] bool is_open() const noexcept { return core_ && core_->is_open(); }

  /// Completes what waits with operation_aborted; the connection stays open.
  void cancel() {
    if (core_) core_->cancel_all();
  }

  /// Sends what was written, then closes (see `Conn::close`). What waits completes with operation_aborted.
  void close() {
    if (core_) core_->close();
  }

  /// Closes with a reset; what was not sent is lost.
  void abort() {
    if (core_) core_->abort();
  }

  /// Sends FIN after what was written; reading goes on.
  void shutdown_write() {
    if (core_) core_->shutdown_write();
  }

  /// See `Conn::set_idle_timeout`. The way to time out here: Asio's and Beast's timers cost a thread.
  void set_idle_timeout(std::chrono::milliseconds timeout) {
    if (is_open()) core_->conn()->set_idle_timeout(timeout);
  }

  /// Calls `callback` when the engine stops, to say goodbye in the protocol; then close or destroy the
  /// stream; the deadline of the drain, or `Options::stop_timeout`, is the limit. Without a callback the
  /// connection is closed. The callback dies with the stream.
  ///
  /// Example: `ws.next_layer().on_drain([&ws] { ws.async_close(going_away, boost::asio::detached); });`
  void on_drain(Function<void()> callback) {
    if (core_) core_->set_drain(std::move(callback));
  }

  /// Our address; empty when the connection has ended.
  [[nodiscard]] Address local_address() const {
    return is_open() ? core_->conn()->local_address() : Address{};
  }
  /// The peer's address; empty when the connection has ended.
  [[nodiscard]] Address remote_address() const {
    return is_open() ? core_->conn()->remote_address() : Address{};
  }
  /// A handle for other threads; one that names no connection when it has ended.
  [[nodiscard]] ConnRef ref() const { return is_open() ? core_->conn()->ref() : ConnRef{}; }

  /// Beast's customization point: closes the connection, now or later the same.
  friend void beast_close_socket(stream& self) { self.close(); }

  /// Beast's customization point: the end of a websocket. Never fails and never waits, because closing goes
  /// on without the stream.
  friend void teardown(boost::beast::role_type, stream& self, boost::system::error_code& error) {
    self.close();
    error = {};
  }

  /// The same with a token, called with an error code that is always empty.
  template <typename Token>
  friend auto async_teardown(boost::beast::role_type, stream& self, Token&& token) {
    self.close();
    return boost::asio::post(self.get_executor(),
                             boost::asio::append(std::forward<Token>(token), boost::system::error_code{}));
  }

 private:
  struct Read {};
  struct Write {};

  struct Initiate {
    using executor_type = executor;
    [[nodiscard]] executor_type get_executor() const noexcept { return self->get_executor(); }

    template <typename Handler, typename Buffers>
    void operator()(Handler&& handler, Read, const Buffers& buffers) const {
      detail::start_read(*self->core_, get_executor(), std::forward<Handler>(handler), buffers);
    }
    template <typename Handler, typename Buffers>
    void operator()(Handler&& handler, Write, const Buffers& buffers) const {
      detail::start_write(*self->core_, get_executor(), std::forward<Handler>(handler), buffers);
    }

    stream* self;
  };

  void leave() noexcept {
    if (!core_) return;
    core_->set_drain(nullptr);
    core_->close();
  }

  detail::CoreRef core_;
};

}  // namespace ringwire::asio
