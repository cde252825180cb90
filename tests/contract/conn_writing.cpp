// What a handler writes leaves in order: the greeting first, the parts of a writev in theirs.
//
// Leaves to others: writes from other threads, and a peer that reads slowly.
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <array>

namespace ringwire::test {

TEST_CASE("writev sends its parts in order") {
  const Transport transport;
  RecordingHandler handler;
  handler.traffic = [](Conn& conn) {
    const Bytes all = conn.next();
    const std::array<Bytes, 4> parts{to_bytes("<"), all, Bytes{}, to_bytes(">")};
    conn.writev(parts);
    conn.writev({});
    conn.write("");
    conn.write("end");
    return Action::none;
  };
  const StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all("part");
  CHECK(client.receive_exactly(9) == "<part>end");
}

TEST_CASE("outbound_size counts what was written and not yet sent") {
  const Transport transport;
  std::size_t size = 0;
  Written written = Written::refused;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    conn.discard();
    written = conn.write("12345");
    conn.write("678");
    size = conn.outbound_size();
    return Action::none;
  };
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all("?");
  CHECK(client.receive_exactly(8) == "12345678");
  server.stop();
  CHECK(size == 8);
  CHECK(written == Written::queued);
}

TEST_CASE("a thousand writes in one event arrive in order") {
  const Transport transport;
  std::string expected;
  for (int index = 0; index < 1000; ++index) expected += std::to_string(index) + ",";
  RecordingHandler handler;
  handler.traffic = [](Conn& conn) {
    conn.discard();
    for (int index = 0; index < 1000; ++index) conn.write(std::to_string(index) + ",");
    return Action::none;
  };
  const StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all("?");
  CHECK((client.receive_exactly(expected.size()) == expected));
}

}  // namespace ringwire::test
