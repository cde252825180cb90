// How connections become streams, and what happens to them when the engine stops or a handler fails.
#include <ringwire/asio.hpp>

#include "tests/asio/server.hpp"
#include "tests/conn/fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

namespace net = boost::asio;
using ringwire::asio::stream;
using ringwire::test::Client;
using ringwire::test::Queue;
using ringwire::test::StreamServer;

namespace {

// Reads and writes back until something ends it.
struct Echo : std::enable_shared_from_this<Echo> {
  explicit Echo(stream connection) : connection(std::move(connection)) {}

  void read() {
    connection.async_read_some(net::buffer(data), [self = shared_from_this()](auto error, std::size_t size) {
      if (!error) self->write(size);
    });
  }
  void write(std::size_t size) {
    if (data[0] == '!') throw std::runtime_error("on purpose");
    net::async_write(connection, net::buffer(data, size),
                     [self = shared_from_this()](auto error, std::size_t) {
                       if (self->data[0] == '?') throw std::runtime_error("on purpose");
                       if (!error) self->read();
                     });
  }

  stream connection;
  std::array<char, 4096> data{};
};

void echo(stream connection) {
  std::make_shared<Echo>(std::move(connection))->read();
}

bool echoes(Client& client, const std::string& text) {
  return client.send_all(text) && client.receive_exactly(text.size()) == text;
}

}  // namespace

TEST_CASE("a stream that nobody keeps closes its connection") {
  StreamServer server([](stream) {});
  Client client(server.address());
  CHECK(client.expect_eof());
  client.close();
  CHECK(server.wait_until_empty());
}

TEST_CASE("a stream knows both addresses") {
  Queue<std::string> said;
  StreamServer server([&said](stream connection) {
    said.give(connection.local_address().to_string());
    said.give(connection.remote_address().to_string());
  });
  Client client(server.address());
  CHECK(said.take() == server.address().to_string());
  CHECK(said.take() == client.local_address().to_string());
}

TEST_CASE("an exception in on_stream closes that connection only") {
  int count = 0;
  StreamServer server([&count](stream connection) {
    if (++count == 1) throw std::runtime_error("on purpose");
    echo(std::move(connection));
  });
  Client unlucky(server.address());
  static_cast<void>(unlucky.receive_until_eof());
  CHECK_FALSE(unlucky.error() == ETIMEDOUT);
  Client lucky(server.address());
  CHECK(echoes(lucky, "hello"));
}

TEST_CASE("an exception in a completion handler closes that connection only") {
  StreamServer server(echo);
  Client other(server.address());
  REQUIRE(echoes(other, "before"));
  SECTION("of a read, which runs in the connection's own event") {
    Client client(server.address());
    client.send_all("!");
    static_cast<void>(client.receive_until_eof());
    CHECK_FALSE(client.error() == ETIMEDOUT);
  }
  SECTION("of a write, which runs after it") {
    Client client(server.address());
    client.send_all("?");
    static_cast<void>(client.receive_until_eof());
    CHECK_FALSE(client.error() == ETIMEDOUT);
  }
  CHECK(echoes(other, "after"));
  other.close();
  CHECK(server.wait_until_empty());
}

TEST_CASE("an exception in a completion handler resets a connection that somebody else still keeps") {
  std::shared_ptr<Echo> keeper;  // Loop thread only, until the engine has ended.
  StreamServer server([&keeper](stream connection) {
    keeper = std::make_shared<Echo>(std::move(connection));
    keeper->read();
  });
  Client client(server.address());
  client.send_all("?");
  CHECK(client.expect_reset());
  CHECK(server.wait_until_empty());
  server.stop();
}

TEST_CASE("a stopping engine closes a stream that has no farewell") {
  Queue<std::string> said;
  StreamServer server([&said](stream connection) {
    auto kept = std::make_shared<Echo>(std::move(connection));
    kept->connection.async_read_some(net::buffer(kept->data), [kept, &said](auto error, std::size_t) {
      said.give(error == net::error::operation_aborted ? "aborted" : error.message());
    });
    said.give("reading");
  });
  Client client(server.address());
  REQUIRE(said.take() == "reading");
  server.engine().stop();
  CHECK(said.take() == "aborted");
  CHECK(client.expect_eof());
  client.close();
  CHECK_FALSE(server.stop());
}

TEST_CASE("a stopping engine lets a stream say goodbye first") {
  Queue<std::string> said;
  StreamServer server([&said](stream connection) {
    auto kept = std::make_shared<Echo>(std::move(connection));
    kept->read();
    // The session lives in its waiting read: the callback must not keep it.
    kept->connection.on_drain([&session = *kept] {
      net::async_write(session.connection, net::buffer("goodbye", 7),
                       [self = session.shared_from_this()](auto, std::size_t) { self->connection.close(); });
    });
    said.give("reading");
  });
  Client client(server.address());
  REQUIRE(said.take() == "reading");
  server.engine().stop();
  CHECK(client.receive_until_eof() == "goodbye");
  CHECK(client.at_eof());
  client.close();
  CHECK_FALSE(server.stop());
}

TEST_CASE("a connection whose opening had no memory for a stream ends without one") {
  struct Nobody final : ringwire::asio::stream_handler {
    void on_stream(stream) override { FAIL("there is no stream"); }
  } nobody;
  ringwire::Handler& events = nobody;
  ringwire::test::ConnFixture at;
  CHECK(events.on_close(*at.conn, std::make_error_code(std::errc::not_enough_memory)) ==
        ringwire::Action::none);
}

TEST_CASE("streams on two loops echo at the same time") {
  StreamServer server(echo, {.loops = 2});
  auto clients = ringwire::test::connect_many(server.address(), 16);
  std::vector<std::string> sent;
  for (std::size_t index = 0; index < clients.size(); ++index) {
    sent.push_back(ringwire::test::random_bytes(index, 100'000));
    sent.back()[0] = 'x';  // Neither '!' nor '?' may start a piece: those fail on purpose.
    for (char& letter : sent.back()) letter = letter == '!' || letter == '?' ? '.' : letter;
  }
  CHECK(ringwire::test::exchange_all(clients, sent) == sent);
}
