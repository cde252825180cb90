// Beast's websocket and HTTP over our stream, by callbacks and by coroutines. The only Beast test: it is slow
// to compile.
#include <ringwire/asio.hpp>

#include "tests/asio/server.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace net = boost::asio;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;
using net::ip::tcp;
using ringwire::Conn;
using ringwire::Options;
using ringwire::asio::stream;
using ringwire::test::Client;
using ringwire::test::Queue;
using ringwire::test::StreamServer;

namespace {

struct Settings {
  bool deflate = false;
  std::size_t message_max = 2 << 20;
  bool goodbye = false;
};

// How a session ended, and the code the peer gave.
struct End {
  error_code error;
  int code = 0;
};

template <typename Stream>
void configure(Stream& ws, const Settings& settings) {
  ws.read_message_max(settings.message_max);
  ws.auto_fragment(false);
  websocket::permessage_deflate deflate;
  deflate.server_enable = settings.deflate;
  deflate.client_enable = settings.deflate;
  deflate.server_max_window_bits = 10;
  deflate.client_max_window_bits = 10;
  ws.set_option(deflate);
}

// An echo session by callbacks. The text "bye" makes it close with 1008.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(stream connection, const Settings& settings, Queue<End>& ends)
      : ws_(std::move(connection)), settings_(settings), ends_(ends) {
    configure(ws_, settings);
  }

  void start() {
    ws_.async_accept([self = shared_from_this()](error_code error) {
      if (error) return self->end(error);
      if (self->settings_.goodbye) self->say_goodbye_on_drain();
      self->read();
    });
  }

 private:
  void say_goodbye_on_drain() {
    ws_.next_layer().on_drain([this] {
      ws_.async_close(websocket::close_code::going_away, [self = shared_from_this()](error_code) {});
    });
  }

  void read() {
    ws_.async_read(buffer_, [self = shared_from_this()](error_code error, std::size_t) {
      if (error) return self->end(error);
      self->answer();
    });
  }

  void answer() {
    if (beast::buffers_to_string(buffer_.data()) == "bye") {
      return ws_.async_close(websocket::close_code::policy_error,
                             [self = shared_from_this()](error_code error) { self->end(error); });
    }
    ws_.text(ws_.got_text());
    ws_.async_write(buffer_.data(), [self = shared_from_this()](error_code error, std::size_t) {
      if (error) return self->end(error);
      self->buffer_.consume(self->buffer_.size());
      self->read();
    });
  }

  void end(error_code error) { ends_.give({error, ws_.reason().code}); }

  websocket::stream<stream> ws_;
  Settings settings_;
  Queue<End>& ends_;
  beast::flat_buffer buffer_;
};

#if defined(BOOST_ASIO_HAS_CO_AWAIT)
net::awaitable<void> serve_websocket(stream connection, Settings settings, Queue<End>& ends) {
  constexpr auto token = net::as_tuple(net::use_awaitable);
  websocket::stream<stream> ws(std::move(connection));
  configure(ws, settings);
  if (const auto [error] = co_await ws.async_accept(token); error) co_return;
  beast::flat_buffer buffer;
  for (;;) {
    if (const auto [error, size] = co_await ws.async_read(buffer, token); error) {
      ends.give({error, ws.reason().code});
      co_return;
    }
    ws.text(ws.got_text());
    if (const auto [error, size] = co_await ws.async_write(buffer.data(), token); error) co_return;
    buffer.consume(buffer.size());
  }
}

net::awaitable<void> serve_http(stream connection) {
  constexpr auto token = net::as_tuple(net::use_awaitable);
  beast::flat_buffer buffer;
  for (;;) {
    http::request<http::string_body> request;
    if (const auto [error, size] = co_await http::async_read(connection, buffer, request, token); error) {
      co_return;
    }
    http::response<http::string_body> response(http::status::ok, request.version());
    response.keep_alive(request.keep_alive());
    response.body() = std::string(request.target()) + ":" + request.body();
    response.prepare_payload();
    const bool last = !response.keep_alive();
    if (const auto [error, size] = co_await http::async_write(connection, response, token); error || last) {
      co_return;
    }
  }
}
#endif

// A websocket server for one test.
struct Fixture {
  explicit Fixture(Settings settings = {}, Options options = {})
      : server(
            [this, settings](stream s) { std::make_shared<Session>(std::move(s), settings, ends)->start(); },
            options) {}

  Queue<End> ends;
  StreamServer server;
};

// Beast's own blocking client over Asio's own socket.
class WebClient {
 public:
  explicit WebClient(const ringwire::Address& address, bool deflate = false) : ws_(context_) {
    ws_.next_layer().connect({net::ip::make_address(address.host()), address.port});
    ws_.next_layer().set_option(tcp::no_delay(true));
    configure(ws_, {.deflate = deflate});
    ws_.handshake(response, "localhost", "/");
  }

  websocket::stream<tcp::socket>& ws() { return ws_; }

  void send(std::string_view message, bool text) {
    ws_.text(text);
    ws_.write(net::buffer(message.data(), message.size()));
  }

  std::string receive() {
    beast::flat_buffer buffer;
    ws_.read(buffer);
    return beast::buffers_to_string(buffer.data());
  }

  // The code the server closed with; 0 when it did not.
  int receive_close() {
    beast::flat_buffer buffer;
    error_code error;
    while (!error) ws_.read(buffer, error);
    return error == websocket::error::closed ? ws_.reason().code : 0;
  }

  websocket::response_type response;

 private:
  net::io_context context_;
  websocket::stream<tcp::socket> ws_;
};

std::string letters(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t index = 0; index < size; ++index) text[index] = static_cast<char>('a' + index * 7 % 26);
  return text;
}

void check_echoes(const ringwire::Address& address) {
  WebClient client(address);
  for (const std::size_t size : {0u, 1u, 125u, 126u, 127u, 4096u, 65535u, 65536u, 1u << 20}) {
    CAPTURE(size);
    client.send(letters(size), true);
    CHECK(client.receive() == letters(size));
    CHECK(client.ws().got_text());
    const std::string bytes = ringwire::test::random_bytes(size, size);
    client.send(bytes, false);
    CHECK(client.receive() == bytes);
    CHECK(client.ws().got_binary());
  }
  client.ws().close(websocket::close_code::normal);
}

// One masked frame as RFC 6455 draws it, with a mask of zeros. Up to 65535 bytes.
std::string frame(char first_byte, std::string_view payload) {
  std::string bytes{first_byte};
  if (payload.size() < 126) {
    bytes += static_cast<char>(0x80 | payload.size());
  } else {
    bytes += static_cast<char>(0x80 | 126);
    bytes += static_cast<char>(payload.size() >> 8);
    bytes += static_cast<char>(payload.size() & 0xff);
  }
  return bytes.append(4, '\0').append(payload);
}

// A websocket by hand, for what no proper client does.
Client raw_websocket(const ringwire::Address& address, int receive_buffer = 0) {
  Client client(address, receive_buffer);
  client.send_all(
      "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  std::string head;
  while (client.ok() && !head.ends_with("\r\n\r\n")) head += client.receive_exactly(1);
  CHECK(head.starts_with("HTTP/1.1 101"));
  CHECK(head.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != std::string::npos);  // RFC 6455, 1.3.
  return client;
}

}  // namespace

TEST_CASE("a websocket by callbacks echoes byte for byte, nothing to 1 MiB") {
  Fixture fixture;
  check_echoes(fixture.server.address());
  const auto end = fixture.ends.take();
  REQUIRE(end);
  CHECK(end->error == websocket::error::closed);
  CHECK(end->code == websocket::close_code::normal);
  CHECK(fixture.server.wait_until_empty());
}

TEST_CASE("a websocket by coroutine echoes byte for byte, nothing to 1 MiB") {
#if defined(BOOST_ASIO_HAS_CO_AWAIT)
  Queue<End> ends;
  StreamServer server([&ends](stream connection) {
    const auto executor = connection.get_executor();
    net::co_spawn(executor, serve_websocket(std::move(connection), {}, ends), net::detached);
  });
  check_echoes(server.address());
  CHECK(ends.take().value_or(End{}).error == websocket::error::closed);
  CHECK(server.wait_until_empty());
#else
  ringwire::test::skip("this compiler has no coroutines that Asio knows");
#endif
}

TEST_CASE("an echo passes outbound marks far below its size") {
  Fixture fixture({}, {.outbound_high_mark = 4096, .outbound_low_mark = 1024});
  check_echoes(fixture.server.address());
}

TEST_CASE("a message in fragments, with a ping between them, comes back whole") {
  Fixture fixture;
  WebClient client(fixture.server.address());
  std::string pong;
  client.ws().control_callback([&pong](websocket::frame_type type, beast::string_view payload) {
    if (type == websocket::frame_type::pong) pong.assign(payload.data(), payload.size());
  });
  client.ws().text(true);
  client.ws().write_some(false, net::buffer("one ", 4));
  client.ws().ping("are you there");
  client.ws().write_some(false, net::buffer("two ", 4));
  client.ws().write_some(true, net::buffer("three", 5));
  CHECK(client.receive() == "one two three");
  CHECK(pong == "are you there");
}

TEST_CASE("many messages in one packet come back in order") {
  Fixture fixture;
  Client client = raw_websocket(fixture.server.address());
  std::string sent;
  std::string expected;
  for (int index = 0; index < 500; ++index) {
    const std::string text = "message " + std::to_string(index);
    sent += frame('\x81', text);
    expected += std::string{'\x81', static_cast<char>(text.size())} + text;
  }
  client.send_all(sent);
  CHECK(client.receive_exactly(expected.size()) == expected);
}

TEST_CASE("a close by the client is answered with its code, then FIN") {
  Fixture fixture;
  Client client = raw_websocket(fixture.server.address());
  client.send_all(frame('\x88', "\x03\xe9"));  // 1001
  CHECK(client.receive_until_eof() == "\x88\x02\x03\xe9");
  CHECK(client.at_eof());
  CHECK(fixture.ends.take().value_or(End{}).code == websocket::close_code::going_away);
  client.close();
  CHECK(fixture.server.wait_until_empty());
}

TEST_CASE("a close by the server reaches the client, and its answer the server") {
  Fixture fixture;
  WebClient client(fixture.server.address());
  client.send("bye", true);
  CHECK(client.receive_close() == websocket::close_code::policy_error);
  const auto end = fixture.ends.take();
  REQUIRE(end);
  CHECK_FALSE(end->error);
  CHECK(fixture.server.wait_until_empty());
}

TEST_CASE("a message beyond the limit closes with 1009, and one at the limit does not") {
  Fixture fixture({.message_max = 1000});
  WebClient client(fixture.server.address());
  client.send(letters(1000), true);
  CHECK(client.receive() == letters(1000));
  client.send(letters(1001), true);
  CHECK(client.receive_close() == websocket::close_code::too_big);
  CHECK(fixture.server.wait_until_empty());
}

TEST_CASE("text that is not UTF-8 closes with 1007, an unmasked frame with 1002") {
  Fixture fixture;
  WebClient client(fixture.server.address());
  client.send("\xff\xfe", true);
  CHECK(client.receive_close() == websocket::close_code::bad_payload);

  Client raw = raw_websocket(fixture.server.address());
  raw.send_all("\x81\x02hi");
  CHECK(raw.receive_until_eof().starts_with("\x88\x02\x03\xea"));
  raw.close();
  CHECK(fixture.server.wait_until_empty());
}

TEST_CASE("a reset in the middle of a message ends the session") {
  Fixture fixture;
  Client client = raw_websocket(fixture.server.address());
  client.send_all(frame('\x82', std::string(10'000, 'x')).substr(0, 5'000));
  client.reset();
  const auto end = fixture.ends.take();
  REQUIRE(end);
  CHECK(end->error == net::error::connection_reset);
  CHECK(fixture.server.wait_until_empty());
}

TEST_CASE("a FIN in the middle of a message ends the session") {
  Fixture fixture;
  Client client = raw_websocket(fixture.server.address());
  client.send_all(frame('\x82', std::string(10'000, 'x')).substr(0, 5'000));
  client.shutdown_write();
  CHECK(client.expect_eof());
  CHECK(fixture.ends.take().value_or(End{}).error == net::error::eof);
  client.close();
  CHECK(fixture.server.wait_until_empty());
}

TEST_CASE("a client that sends and never reads is slowed down, not buffered") {
  constexpr std::size_t mark = 128 << 10;
  constexpr std::size_t limit = 64 << 20;
  Fixture fixture({},
                  {.inbound_limit = 128 << 10, .outbound_high_mark = mark, .outbound_low_mark = mark / 2});
  Client client = raw_websocket(fixture.server.address(), 4096);
  const std::string message = frame('\x82', std::string(32 << 10, 'x'));
  const std::size_t sent = client.send_until_blocked(message, limit, std::chrono::milliseconds(200));
  CHECK(sent < limit);

  // It reads at last: every whole message comes back.
  const std::size_t echo_size = (32 << 10) + 4;  // A server's frame has no mask, and a short length.
  const std::size_t whole = sent / message.size();
  const std::string received = client.receive_exactly(whole * echo_size);
  CHECK(received.size() == whole * echo_size);
  CHECK(received.find_first_not_of("\x82\x7e\x80\x00x", 0, 5) == std::string::npos);
}

TEST_CASE("permessage-deflate is agreed on when both want it, and echoes") {
  Fixture fixture({.deflate = true});
  WebClient client(fixture.server.address(), true);
  CHECK(std::string_view(client.response[http::field::sec_websocket_extensions])
            .starts_with("permessage-deflate"));
  for (const std::size_t size : {1u, 1000u, 300'000u}) {
    client.send(letters(size), true);
    CHECK(client.receive() == letters(size));
  }
  WebClient plain(fixture.server.address(), false);
  CHECK(plain.response[http::field::sec_websocket_extensions].empty());
  plain.send("plain", true);
  CHECK(plain.receive() == "plain");
}

TEST_CASE("what inflates beyond the limit closes with 1009") {
  Fixture fixture({.deflate = true, .message_max = 10'000});
  WebClient client(fixture.server.address(), true);
  client.send(std::string(1'000'000, 'a'), true);  // A kilobyte on the wire.
  CHECK(client.receive_close() == websocket::close_code::too_big);
}

TEST_CASE("a stopping engine closes each websocket with 1001") {
  Fixture fixture({.goodbye = true}, {.loops = 2});
  std::vector<std::unique_ptr<WebClient>> clients;
  for (int count = 0; count < 4; ++count) {
    clients.push_back(std::make_unique<WebClient>(fixture.server.address()));
    clients.back()->send("hello", true);
    CHECK(clients.back()->receive() == "hello");
  }
  fixture.server.engine().stop();
  for (auto& client : clients) CHECK(client->receive_close() == websocket::close_code::going_away);
  CHECK_FALSE(fixture.server.stop());
}

TEST_CASE("a stopping engine waits no longer than stop_timeout for a client that does not answer") {
  Fixture fixture({.goodbye = true}, {.stop_timeout = std::chrono::milliseconds(50)});
  Client client = raw_websocket(fixture.server.address());
  client.send_all(frame('\x81', "x"));
  CHECK(client.receive_exactly(3) == "\x81\x01x");
  CHECK_FALSE(fixture.server.stop());
  CHECK(client.receive_exactly(4) == "\x88\x02\x03\xe9");
}

#if defined(BOOST_ASIO_HAS_CO_AWAIT)
namespace {

void spawn_http(stream connection) {
  const auto executor = connection.get_executor();
  net::co_spawn(executor, serve_http(std::move(connection)), net::detached);
}

}  // namespace

TEST_CASE("pipelined requests are answered in order, the last one closes") {
  StreamServer server(spawn_http);
  Client client(server.address());
  std::string requests;
  for (int index = 0; index < 50; ++index) {
    requests += "GET /" + std::to_string(index) + " HTTP/1.1\r\nHost: x\r\n" +
                (index == 49 ? "Connection: close\r\n\r\n" : "\r\n");
  }
  client.send_all(requests);
  const std::string answers = client.receive_until_eof();
  std::size_t at = 0;
  for (int index = 0; index < 50 && at != std::string::npos; ++index) {
    at = answers.find("\r\n\r\n/" + std::to_string(index) + ":", at);
  }
  CHECK(at != std::string::npos);
  CHECK(client.at_eof());
}

TEST_CASE("a request with a large body in many pieces is read whole, and the connection is kept") {
  StreamServer server(spawn_http);
  Client client(server.address());
  const std::string body = letters(500'000);
  for (int round = 0; round < 3; ++round) {
    client.send_all("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n");
    client.send_all(body);
    std::string head;
    while (client.ok() && !head.ends_with("\r\n\r\n")) head += client.receive_exactly(1);
    CHECK(head.starts_with("HTTP/1.1 200"));
    CHECK(client.receive_exactly(body.size() + 3) == "/p:" + body);
  }
}

TEST_CASE("a client that half-closes after its request still gets the answer") {
  StreamServer server(spawn_http);
  Client client(server.address());
  client.send_all("GET /half HTTP/1.1\r\nHost: x\r\n\r\n");
  client.shutdown_write();
  CHECK(client.receive_until_eof().ends_with("/half:"));
  client.close();
  CHECK(server.wait_until_empty());
}
#endif
