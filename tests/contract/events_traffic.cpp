// on_traffic: once a lap for new bytes; what the handler leaves is kept, and offered again with the next ones
// or after a wake.
//
// Leaves to others: the reading calls (conn_reading.cpp), the end of the stream (events_eof.cpp).
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <string>

namespace ringwire::test {

TEST_CASE("what a handler leaves is kept and stands before the next bytes") {
  const Transport transport;
  std::string seen;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    seen += "[" + std::string{to_text(conn.peek())} + "]";
    conn.discard(2);
    conn.write("+");
    return Action::none;
  };
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all("abc");
  CHECK(client.receive_exactly(1) == "+");
  client.send_all("def");
  CHECK(client.receive_exactly(1) == "+");
  client.close();
  CHECK(handler.wait_closed(1));
  server.stop();
  CHECK(seen == "[abc][cdef]");
}

TEST_CASE("left bytes are not offered again until new ones arrive") {
  const Transport transport;
  RecordingHandler handler;
  const StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all("left");
  REQUIRE(handler.wait([](const Record& record) { return record.traffics == 1; }));
  // Another connection's whole life gives the loop laps in which it could offer them again.
  for (int round = 0; round < 5; ++round) {
    Client other{server.address()};
    other.close();
    REQUIRE(handler.wait_closed(static_cast<std::size_t>(round) + 1));
  }
  CHECK(handler.record().traffics == 1);
  client.send_all("more");
  CHECK(handler.wait([](const Record& record) { return record.traffics == 2; }));
}

TEST_CASE("left bytes are offered again after wake") {
  const Transport transport;
  std::string seen;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    seen += "[" + std::string{to_text(conn.peek())} + "]";
    return Action::none;
  };
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all("kept");
  REQUIRE(handler.wait([](const Record& record) { return record.traffics == 1; }));
  handler.first_ref().wake();
  REQUIRE(handler.wait([](const Record& record) { return record.traffics == 2; }));
  server.stop();
  CHECK(seen == "[kept][kept]");
}

TEST_CASE("wake without data gives exactly one on_traffic") {
  const Transport transport;
  RecordingHandler handler;
  StreamServer server{handler, transport};
  Client client{server.address()};
  const ConnRef ref = handler.first_ref();
  ref.wake([&](std::error_code error) { handler.note(error ? "failed" : "woken"); });
  CHECK(handler.wait_noted("woken"));
  server.stop();
  CHECK(handler.record().traffics == 1);
}

TEST_CASE("what came in pieces while the loop was busy is one on_traffic") {
  const Transport transport;
  std::string seen;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    seen += to_text(conn.next());
    conn.write("!");
    return Action::none;
  };
  Options options = quiet();
  options.recv_buffer_size = 64;  // So that each piece, and all of them, take several.
  StreamServer server{handler, transport, options};
  Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  Standstill while_they_arrive{server.engine().loop(0)};
  const std::string piece = random_bytes(14, 100);
  for (int count = 0; count < 3; ++count) client.send_all(piece);
  while_they_arrive.end();
  CHECK(client.receive_exactly(1) == "!");
  client.close();
  CHECK(handler.wait_closed(1));
  server.stop();
  CHECK((seen == piece + piece + piece));
  CHECK(handler.record().traffics == 1);
}

TEST_CASE("with redeliver on_traffic comes again while the handler takes some and leaves some, else once") {
  const Transport transport;
  for (const bool redeliver : {false, true}) {
    INFO("redeliver " << redeliver);
    RecordingHandler handler;
    handler.traffic = [](Conn& conn) {
      // Two bytes are a message; the odd one is left.
      if (const auto message = conn.next(2)) conn.write(*message);
      return Action::none;
    };
    Options options = quiet();
    options.redeliver = redeliver;
    StreamServer server{handler, transport, options};
    Client client{server.address()};
    client.send_all("aabbccd");
    const std::string expected = redeliver ? "aabbcc" : "aa";
    CHECK(client.receive_exactly(expected.size()) == expected);
    client.shutdown_write();
    CHECK(client.receive_until_eof().empty());
    client.close();
    CHECK(handler.wait_closed(1));
    server.stop();
    CHECK(handler.record().traffics == (redeliver ? 4 : 1));
  }
}

}  // namespace ringwire::test
