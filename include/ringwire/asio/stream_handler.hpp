// The handler whose connections become streams.
//
// Owns the connection's context (the stream's core) and forwards its events there. Leaves to the user what a
// stream is for, and the events of the engine: on_boot, on_tick, on_shutdown.
#pragma once

#include <ringwire/asio/stream.hpp>
#include <ringwire/handler.hpp>

#include <system_error>

namespace ringwire::asio {

/// Base of a handler that serves connections with Asio.
///
/// Override `on_stream`; the connection's other events are the stream's now. `on_boot`, `on_tick` and
/// `on_shutdown` are yours as with any Handler, and so is the rule that events of different connections run
/// on different threads when there are several loops.
///
/// Example:
/// ```
/// struct Web : ringwire::asio::stream_handler {
///   void on_stream(ringwire::asio::stream stream) override {
///     auto executor = stream.get_executor();
///     boost::asio::co_spawn(executor, serve(std::move(stream)), boost::asio::detached);
///   }
/// };
/// ```
class stream_handler : public Handler {
 public:
  /// A connection was accepted, or `LoopRef::connect` made one. On its loop's thread. Destroying the stream
  /// closes it; an exception closes it with `Error::handler_failed`.
  virtual void on_stream(stream stream) = 0;

  /// Makes the stream and calls `on_stream`.
  Action on_open(Conn& conn) final;
  /// Completes the read that waits.
  Action on_traffic(Conn& conn) final;
  /// Completes the read that waits with eof; the connection stays open for writing.
  Action on_eof(Conn& conn) final;
  /// Completes the write that waits.
  Action on_writable(Conn& conn) final;
  /// Calls what `stream::on_drain` was given, else closes.
  Action on_drain(Conn& conn) final;
  /// Completes what waits with the reason.
  Action on_close(Conn& conn, std::error_code reason) final;
};

}  // namespace ringwire::asio
