// The peer sends FIN: what it sent before is offered first, then on_eof, then what the handler decides.
//
// Leaves to others: resets (peer_resets.cpp).
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

namespace ringwire::test {

TEST_CASE("a peer that leaves is reported once, as the end of the stream") {
  const Transport transport;
  RecordingHandler handler;
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.close();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  const Record record = handler.record();
  CHECK(record.opened == 1);
  CHECK(record.closed == 1);
  REQUIRE(record.reasons.size() == 1);
  CHECK(record.reasons.front() == Error::end_of_stream);
}

TEST_CASE("data and FIN that arrive in one lap come as on_traffic, on_eof, on_close") {
  const Transport transport;
  std::string seen;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    seen += to_text(conn.peek());
    return echo(conn);
  };
  StreamServer server{handler, transport};
  Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  Standstill while_they_arrive{server.engine().loop(0)};
  client.send_all("last words");
  client.shutdown_write();
  while_they_arrive.end();
  CHECK(client.receive_until_eof() == "last words");
  CHECK(client.at_eof());
  client.close();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK(seen == "last words");
  const std::vector<std::string> expected{"boot", "open", "traffic", "eof", "close", "shutdown"};
  CHECK(handler.record().events == expected);
}

TEST_CASE("64 KiB and FIN sent together are all offered before on_eof") {
  const Transport transport;
  std::size_t before_eof = 0;
  std::size_t at_eof = 0;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    before_eof += conn.discard();
    return Action::none;
  };
  handler.eof = [&](Conn& conn) {
    at_eof = before_eof;
    conn.write("got it");
    return Action::close;
  };
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all(random_bytes(1, 64 * 1024));
  client.shutdown_write();
  CHECK(client.receive_until_eof() == "got it");
  client.close();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK(at_eof == 64 * 1024);
}

TEST_CASE("after on_eof answered none the handler goes on writing") {
  const Transport transport;
  const std::string late = random_bytes(2, 1 << 20);
  RecordingHandler handler;
  handler.eof = [](Conn&) { return Action::none; };
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.shutdown_write();
  REQUIRE(handler.wait([](const Record& record) { return record.eofs == 1; }));
  const ConnRef ref = handler.first_ref();
  ref.write("still here ");
  ref.write(late);
  CHECK(client.receive_exactly(11) == "still here ");
  CHECK((client.receive_exactly(late.size()) == late));
  CHECK(handler.record().closed == 0);
  ref.close();
  CHECK(client.expect_eof());
  client.close();
  CHECK(handler.wait_closed(1));
  server.stop();
  CHECK(handler.record().closed == 1);
  CHECK(handler.record().eofs == 1);
}

TEST_CASE("after shutdown_write the handler goes on receiving, and writes are refused") {
  const Transport transport;
  Written late = Written::queued;
  std::string seen;
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    conn.write("over to you");
    conn.shutdown_write();
    late = conn.write("no");
    return Action::none;
  };
  handler.traffic = [&](Conn& conn) {
    seen += to_text(conn.next());
    return Action::none;
  };
  Options options = quiet();
  options.close_timeout = 2 * patience;  // Both FINs are exchanged: there is nothing to wait for.
  StreamServer server{handler, transport, options};
  Client client{server.address()};
  CHECK(client.receive_until_eof() == "over to you");
  CHECK(client.at_eof());
  client.send_all("thank you");
  client.close();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK(late == Written::refused);
  CHECK(seen == "thank you");
}

TEST_CASE("close after shutdown_write only waits for the peer's FIN") {
  const Transport transport;
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    conn.shutdown_write();
    return Action::none;
  };
  Options options = quiet();
  options.close_timeout = 2 * patience;
  StreamServer server{handler, transport, options};
  Client client{server.address()};
  CHECK(client.expect_eof());
  const ConnRef ref = handler.first_ref();
  ref.close();
  ref.post([&](Conn*) { handler.note("closing"); });
  REQUIRE(handler.wait_noted("closing"));
  client.send_all("dropped");
  client.close();
  CHECK(handler.wait_closed(1));
  server.stop();
  CHECK_FALSE(handler.record().reasons.front());
}

TEST_CASE("a peer that half-closes with nothing sent sees our FIN") {
  const Transport transport;
  RecordingHandler handler;
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.shutdown_write();
  CHECK(client.expect_eof());
  client.close();
  REQUIRE(handler.wait_closed(1));
  CHECK(handler.record().traffics == 0);
}

TEST_CASE("what the handler left is not offered again at the end of the stream") {
  const Transport transport;
  RecordingHandler handler;
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all("left");
  REQUIRE(handler.wait([](const Record& record) { return record.traffics == 1; }));
  client.close();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK(handler.record().traffics == 1);
}

TEST_CASE(
    "a connection that both ends have half-closed is over, and what each wrote after the other's FIN "
    "arrived") {
  const Transport transport;
  for (const bool peer_first : {true, false}) {
    INFO("the peer's FIN first: " << peer_first);
    std::string heard;
    RecordingHandler handler;
    handler.open = [peer_first](Conn& conn) {
      if (!peer_first) {
        conn.write("ours");
        conn.shutdown_write();
      }
      return Action::none;
    };
    handler.traffic = [&](Conn& conn) {
      heard += to_text(conn.next());
      return Action::none;
    };
    handler.eof = [peer_first](Conn& conn) {
      if (peer_first) {
        conn.write("ours");
        conn.shutdown_write();
      }
      return Action::none;
    };
    Options options = quiet();
    options.close_timeout = 2 * patience;  // Nothing has to wait for it.
    StreamServer server{handler, transport, options};
    Client client{server.address()};
    if (!peer_first) CHECK(client.receive_until_eof() == "ours");
    client.send_all("theirs");
    client.shutdown_write();
    if (peer_first) CHECK(client.receive_until_eof() == "ours");
    REQUIRE(handler.wait_closed(1));
    server.stop();
    CHECK(heard == "theirs");
    CHECK(handler.record().eofs == 1);
    CHECK(handler.record().reasons.front() == Error::end_of_stream);
  }
}

}  // namespace ringwire::test
