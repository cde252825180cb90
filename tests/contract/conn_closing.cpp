// We close: close() loses nothing and sends FIN at once, abort() resets, and both are safe to repeat.
//
// Leaves to others: closing by Action, and by the engine's stop.
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <future>
#include <thread>

namespace ringwire::test {
namespace {

constexpr std::size_t large = 8 << 20;

}  // namespace

TEST_CASE("8 MiB written before close reach a slow reader whole") {
  const Transport transport;
  const std::string sent = random_bytes(9, large);
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    conn.write(sent);
    conn.close();
    return Action::none;
  };
  Options options = quiet();
  options.close_timeout = patience;
  StreamServer server{handler, transport, options};
  Client client{server.address(), 32 * 1024};
  std::string received;
  while (received.size() < sent.size() && client.ok() && !client.at_eof()) {
    received += client.receive_exactly(10'000);
    std::this_thread::yield();
  }
  CHECK((received == sent));
  CHECK(client.expect_eof());
  client.close();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK_FALSE(handler.record().reasons.front());
}

TEST_CASE("close with a pending receive sends FIN at once, while the peer stays open") {
  const Transport transport;
  RecordingHandler handler;
  Options options = quiet();
  options.close_timeout = patience * 2;
  options.stop_timeout = std::chrono::milliseconds{0};
  StreamServer server{handler, transport, options};
  Client client{server.address()};
  handler.first_ref().close();
  CHECK(client.expect_eof());
  CHECK(handler.record().closed == 0);
  client.close();
  CHECK(handler.wait_closed(1));
  server.stop();
  CHECK(handler.record().eofs == 0);
  CHECK_FALSE(handler.record().reasons.front());
}

TEST_CASE("bytes that arrive after close do not reset the reply under way") {
  const Transport transport;
  const std::string reply = random_bytes(4, 1 << 20);
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    conn.discard();
    conn.write(reply);
    conn.close();
    return Action::none;
  };
  StreamServer server{handler, transport};
  Client client{server.address(), 16 * 1024};
  client.send_all("request");
  CHECK((client.receive_exactly(1000) == reply.substr(0, 1000)));
  client.send_all("more that nobody reads");
  CHECK((client.receive_until_eof() == reply.substr(1000)));
  CHECK(client.at_eof());
  client.close();
  CHECK(handler.wait_closed(1));
  CHECK(handler.record().traffics == 1);
}

TEST_CASE("a peer that never answers FIN is let go after close_timeout") {
  const Transport transport;
  RecordingHandler handler;
  Options options = quiet();
  options.close_timeout = std::chrono::milliseconds{100};
  StreamServer server{handler, transport, options};
  Client client{server.address()};
  handler.first_ref().close();
  CHECK(client.expect_eof());
  CHECK(handler.wait_closed(1));
  CHECK(server.wait_count(0));
}

TEST_CASE("a peer that does not take our last bytes ends with close_timeout") {
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    conn.write(std::string(large, 'x'));
    return Action::close;
  };
  Options options = quiet();
  options.close_timeout = std::chrono::milliseconds{100};
  TestServer server{handler, options};
  Client client{server.address(), 4096};
  CHECK(handler.wait_closed(1));
  server.stop();
  CHECK(handler.record().reasons.front() == Error::close_timeout);
  CHECK(client.expect_reset());
}

TEST_CASE("abort resets the peer, and the reason is empty") {
  RecordingHandler handler;
  handler.traffic = [](Conn& conn) {
    conn.abort();
    return Action::none;
  };
  TestServer server{handler};
  Client client{server.address()};
  client.send_all("x");
  CHECK(client.expect_reset());
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK_FALSE(handler.record().reasons.front());
  CHECK(handler.record().closed == 1);
}

TEST_CASE("abort cuts a send that is under way") {
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    conn.write(std::string(large, 'x'));
    return Action::none;
  };
  TestServer server{handler};
  Client client{server.address(), 4096};
  CHECK(client.receive_exactly(1) == "x");
  handler.first_ref().post([](Conn* conn) { conn->abort(); });
  CHECK(handler.wait_closed(1));
  CHECK(client.expect_reset());
}

TEST_CASE("close, close again and abort give one on_close") {
  const Transport transport;
  RecordingHandler handler;
  handler.traffic = [](Conn& conn) {
    conn.close();
    conn.close();
    conn.abort();
    conn.abort();
    conn.close();
    return Action::close;
  };
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all("x");
  REQUIRE(handler.wait_closed(1));
  client.close();
  server.stop();
  CHECK(handler.record().closed == 1);
}

TEST_CASE("writes after close are refused") {
  const Transport transport;
  Written late = Written::queued;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    conn.discard();
    conn.write("in time");
    conn.close();
    late = conn.write("too late");
    return Action::none;
  };
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all("x");
  CHECK(client.receive_until_eof() == "in time");
  client.close();
  CHECK(handler.wait_closed(1));
  server.stop();
  CHECK(late == Written::refused);
}

TEST_CASE("close in on_open gives the peer FIN and one on_close") {
  const Transport transport;
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    conn.close();
    return Action::none;
  };
  StreamServer server{handler, transport};
  Client client{server.address()};
  CHECK(client.expect_eof());
  client.close();
  CHECK(handler.wait_closed(1));
}

TEST_CASE("abort of a unix connection is the end for its peer, behind what had been sent") {
  const Directory directory;
  RecordingHandler handler;
  handler.traffic = [](Conn& conn) {
    conn.discard();
    conn.abort();
    return Action::none;
  };
  TestServer server{handler, quiet(), {"unix://" + directory / "socket"}};
  Client client{server.address()};
  std::promise<void> sent;
  handler.first_ref().write("sent before", [&](std::error_code) { sent.set_value(); });
  sent.get_future().wait();
  client.send_all("x");
  CHECK(client.receive_until_eof() == "sent before");
  CHECK(client.at_eof());
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK_FALSE(handler.record().reasons.front());
}

}  // namespace ringwire::test
