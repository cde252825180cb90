// One connection as one coroutine: HTTP until an upgrade, then the echo. The only file that compiles Beast's
// websocket.
//
// Leaves to ringwire: when things happen, idle timeouts, and everything about the socket. Invariant: the next
// message is read when the echo of the last one found room, so a slow reader costs one message of memory.
#include "session.hpp"

#include "http.hpp"

#include <fmt/core.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket.hpp>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace net = boost::asio;
namespace websocket = boost::beast::websocket;

namespace {

// The concrete executor: any_io_executor, Asio's default here, costs a third more per message.
template <typename T>
using Awaitable = net::awaitable<T, ringwire::asio::executor>;
constexpr auto token = net::as_tuple(net::use_awaitable_t<ringwire::asio::executor>{});

using WebSocket = websocket::stream<ringwire::asio::stream>;

constexpr std::uint32_t header_max = 8 << 10;
// How long a client may be silent while it sends its request.
constexpr std::chrono::seconds request_timeout{10};
// An echo buffer larger than this is given back between messages.
constexpr std::size_t buffer_kept_max = 16 << 10;

http::message_generator refusal(beast::error_code error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return refuse(http::status::request_header_fields_too_large, "That header is too large.");
  }
  return refuse(http::status::bad_request, "That is not HTTP as we know it.");
}

bool is_malformed(beast::error_code error) {
  if (error == http::error::end_of_stream || error == http::error::partial_message) return false;
  return error.category() == make_error_code(http::error::bad_method).category();
}

void configure(WebSocket& ws, const Settings& settings) {
  ws.read_message_max(settings.message_max);
  ws.auto_fragment(false);  // Else a message of 16 KiB leaves as four frames in four writes.
  ws.set_option(websocket::stream_base::decorator(
      [](websocket::response_type& response) { response.set(http::field::server, "ringwire"); }));
  websocket::permessage_deflate deflate;
  deflate.server_enable = settings.deflate;
  deflate.server_max_window_bits = 10;
  deflate.client_max_window_bits = 10;
  deflate.memLevel = 4;
  deflate.compLevel = 3;
  ws.set_option(deflate);
}

// Echoes until either side ends it. Answers the reason.
Awaitable<beast::error_code> echo(WebSocket& ws) {
  beast::flat_buffer buffer;
  for (;;) {
    const auto [read_error, size] = co_await ws.async_read(buffer, token);
    if (read_error) co_return read_error;
    ws.text(ws.got_text());
    const auto [write_error, written] = co_await ws.async_write(buffer.data(), token);
    if (write_error) co_return write_error;
    buffer.consume(buffer.size());
    if (buffer.capacity() > buffer_kept_max) buffer.shrink_to_fit();
  }
}

Awaitable<void> serve_websocket(ringwire::asio::stream stream, Request request, const Settings& settings) {
  const std::string peer = settings.log_sessions ? stream.remote_address().to_string() : std::string();
  stream.set_idle_timeout(settings.idle_timeout);
  WebSocket ws(std::move(stream));
  configure(ws, settings);
  if (const auto [error] = co_await ws.async_accept(request, token); error) co_return;

  ws.next_layer().on_drain([&ws] {
    ws.async_close({websocket::close_code::going_away, "The server is stopping"}, [](beast::error_code) {});
  });
  if (settings.log_sessions) fmt::print(stderr, "debug: {} opened\n", peer);
  const beast::error_code reason = co_await echo(ws);
  if (settings.log_sessions) fmt::print(stderr, "debug: {} closed: {}\n", peer, reason.message());
}

Awaitable<void> serve(ringwire::asio::stream stream, const Settings& settings) {
  const bool idle_first = settings.idle_timeout.count() != 0 && settings.idle_timeout < request_timeout;
  stream.set_idle_timeout(idle_first ? settings.idle_timeout : request_timeout);
  beast::flat_buffer buffer;
  for (;;) {
    http::request_parser<http::empty_body> parser;
    parser.header_limit(header_max);
    parser.body_limit(boost::none);
    const auto [error, size] = co_await http::async_read_header(stream, buffer, parser, token);
    if (error) {
      if (is_malformed(error)) co_await beast::async_write(stream, refusal(error), token);
      co_return;
    }

    Request& request = parser.get();
    const bool has_body = parser.chunked() || parser.content_length().value_or(0) != 0;
    if (websocket::is_upgrade(request) && takes_websocket(request) && !has_body) {
      // RFC 6455, 4.1: a client waits. Beast would not see these bytes, and take what follows them for a
      // frame.
      if (buffer.size() != 0) {
        co_await beast::async_write(
            stream, refuse(http::status::bad_request, "Frames come after the upgrade."), token);
        co_return;
      }
      co_return co_await serve_websocket(std::move(stream), parser.release(), settings);
    }
    if (has_body) request.keep_alive(false);  // Nobody reads the body: it would be taken for a request.
    auto response = answer(request);
    const bool keep_alive = response.keep_alive();
    if (const auto [failed, sent] = co_await beast::async_write(stream, std::move(response), token); failed) {
      co_return;
    }
    if (!keep_alive) co_return;
  }
}

}  // namespace

void start_session(ringwire::asio::stream stream, const Settings& settings) {
  const auto executor = stream.get_executor();
  net::co_spawn(executor, serve(std::move(stream), settings), [](std::exception_ptr fault) {
    if (fault) std::rethrow_exception(fault);  // The loop logs it.
  });
}
