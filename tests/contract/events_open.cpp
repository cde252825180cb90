// on_open: the first event of each connection, on its loop; what is written there leaves first.
//
// Leaves to others: what it answers (actions.cpp), connections we open (client_connects.cpp).
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/datagram_client.hpp"
#include "tests/support/server.hpp"

#include <atomic>
#include <string>
#include <vector>

namespace ringwire::test {

TEST_CASE("a greeting written in on_open arrives first") {
  const Transport transport;
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    conn.write("welcome ");
    return Action::none;
  };
  handler.traffic = echo;
  const StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all("guest");
  CHECK(client.receive_exactly(13) == "welcome guest");
}

TEST_CASE("a greeting needs no byte from the peer") {
  const Transport transport;
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    conn.write("welcome");
    return Action::none;
  };
  const StreamServer server{handler, transport};
  Client client{server.address()};
  CHECK(client.receive_exactly(7) == "welcome");
}

TEST_CASE("a greeting of a mebibyte arrives whole") {
  const Transport transport;
  const std::string greeting = random_bytes(3, 1 << 20);
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    conn.write(greeting);
    return Action::none;
  };
  const StreamServer server{handler, transport};
  Client client{server.address()};
  CHECK((client.receive_exactly(greeting.size()) == greeting));
}

TEST_CASE("on_open comes once and first, on the loop of its connection") {
  const Transport transport;
  std::atomic<std::size_t> wrong{0};
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    if (conn.context<int>() != nullptr || !conn.loop().is_current()) ++wrong;
    conn.emplace_context<int>(1);
    return Action::none;
  };
  handler.traffic = [&](Conn& conn) {
    if (conn.context<int>() == nullptr) ++wrong;
    return echo(conn);
  };
  handler.close = [&](Conn& conn, std::error_code) {
    if (conn.context<int>() == nullptr) ++wrong;
    return Action::none;
  };
  Options options = quiet();
  options.loops = 2;
  StreamServer server{handler, transport, options};
  for (int index = 0; index < 20; ++index) {
    Client client{server.address()};
    client.send_all("at once");
    if (index % 2 == 0) CHECK(client.receive_exactly(7) == "at once");
  }
  CHECK(handler.wait_closed(20));
  CHECK_FALSE(server.stop());
  CHECK(handler.record().opened == 20);
  CHECK(wrong == 0);
}

TEST_CASE("the peer of a datagram is neither opened nor closed") {
  RecordingHandler handler;
  handler.datagram = echo_datagram;
  TestServer server{handler, quiet(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  CHECK(DatagramClient{server.address()}.exchange("no greeting") == "no greeting");
  CHECK(server.engine().connections_count() == 0);
  CHECK_FALSE(server.stop());
  const std::vector<std::string> expected{"boot", "datagram", "shutdown"};
  CHECK(handler.record().events == expected);
}

}  // namespace ringwire::test
