// The websocket echo of one connection, over any stream: what ringwire's stream and Asio's socket are
// compared with, so that the stream is all that differs.
//
// Leaves to others: who makes the stream, and where it runs.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include <exception>
#include <utility>

namespace perf {

/// Takes the handshake and echoes messages until the connection ends.
template <typename Executor, typename Stream>
boost::asio::awaitable<void, Executor> serve_websocket(Stream stream) {
  constexpr auto token = boost::asio::as_tuple(boost::asio::use_awaitable_t<Executor>{});
  boost::beast::websocket::stream<Stream> ws(std::move(stream));
  ws.auto_fragment(false);
  ws.read_message_max(16 << 20);
  if (const auto [error] = co_await ws.async_accept(token); error) co_return;
  boost::beast::flat_buffer buffer;
  for (;;) {
    const auto [read_error, size] = co_await ws.async_read(buffer, token);
    if (read_error) co_return;
    ws.text(ws.got_text());
    const auto [write_error, written] = co_await ws.async_write(buffer.data(), token);
    if (write_error) co_return;
    buffer.consume(buffer.size());
  }
}

/// Starts the session, which owns itself.
template <typename Stream>
void start_websocket(Stream stream) {
  using Executor = typename Stream::executor_type;
  const Executor executor = stream.get_executor();
  boost::asio::co_spawn(executor, serve_websocket<Executor>(std::move(stream)), [](std::exception_ptr fault) {
    if (fault) std::rethrow_exception(fault);
  });
}

}  // namespace perf
