// Bytes go through the engine and come back the same, whatever their number and however many loops there are.
//
// Leaves to others: what happens when something is short (buffers, queue entries, descriptors).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

namespace ringwire::test {
namespace {

void echo_once(std::size_t size) {
  RecordingHandler handler;
  handler.traffic = echo;
  const TestServer server{handler};
  REQUIRE(server.addresses().size() == 1);
  Client client{server.address()};
  REQUIRE(client.ok());
  const std::string sent = random_bytes(size, size);
  CHECK((client.exchange(sent) == sent));
}

void echo_on_many(std::size_t loops, std::size_t clients_count, std::size_t size) {
  RecordingHandler handler;
  handler.traffic = echo;
  Options options = quiet();
  options.loops = loops;
  TestServer server{handler, options};
  REQUIRE(server.addresses().size() == 1);
  {
    const std::vector<Client> clients = connect_many(server.address(), clients_count);
    std::vector<std::string> sent;
    for (std::size_t index = 0; index < clients_count; ++index) sent.push_back(random_bytes(index, size));
    const std::vector<std::string> received = exchange_all(clients, sent);
    for (std::size_t index = 0; index < clients_count; ++index) {
      INFO("client " << index);
      CHECK((received[index] == sent[index]));
    }
    CHECK(server.wait_count(clients_count));
  }
  CHECK(handler.wait_closed(clients_count));
  CHECK(server.wait_count(0));
  CHECK_FALSE(server.stop());
  const Record record = handler.record();
  CHECK(record.opened == clients_count);
  CHECK(record.closed == clients_count);
}

}  // namespace

TEST_CASE("one byte is echoed") {
  echo_once(1);
}

TEST_CASE("one byte less than a receive buffer is echoed") {
  echo_once(4095);
}

TEST_CASE("exactly one receive buffer is echoed") {
  echo_once(4096);
}

TEST_CASE("one byte more than a receive buffer is echoed") {
  echo_once(4097);
}

TEST_CASE("a mebibyte is echoed byte for byte") {
  echo_once(1 << 20);
}

TEST_CASE("64 clients get their own bytes back on one loop, and the count returns to 0") {
  echo_on_many(1, 64, scaled(64 * 1024, 16 * 1024));
}

TEST_CASE("64 clients get their own bytes back on two loops, and the count returns to 0", "[features]") {
  echo_on_many(2, 64, scaled(64 * 1024, 16 * 1024));
}

TEST_CASE("ten clients exchange a mebibyte each on four loops") {
  echo_on_many(4, 10, scaled(1 << 20, 1 << 17));
}

TEST_CASE("echo works over IPv6") {
  RecordingHandler handler;
  handler.traffic = echo;
  const TestServer server{handler, quiet(), {"tcp6://[::1]:0"}};
  if (server.addresses().empty()) {
    skip("no IPv6 loopback here: " + server.explanation());
    return;
  }
  Client client{server.address()};
  REQUIRE(client.ok());
  CHECK(client.exchange("over six") == "over six");
}

TEST_CASE("small messages in ping-pong keep their order") {
  RecordingHandler handler;
  handler.traffic = echo;
  const TestServer server{handler};
  Client client{server.address()};
  const std::size_t rounds = scaled(1000, 200);
  std::size_t right = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    const std::string sent = "message " + std::to_string(round);
    client.send_all(sent);
    right += client.receive_exactly(sent.size()) == sent ? 1 : 0;
  }
  CHECK(right == rounds);
}

TEST_CASE("length-prefixed frames come out whole, however they were cut") {
  RecordingHandler handler;
  handler.traffic = [](Conn& conn) {
    // A frame is a length byte and that many bytes; answered with its length in '#' signs.
    while (const auto head = conn.peek(1)) {
      const auto length = static_cast<std::size_t>((*head)[0]);
      const auto frame = conn.next(1 + length);
      if (!frame) break;
      conn.write(std::string(length, '#'));
      conn.write("\n");
    }
    return Action::none;
  };
  const TestServer server{handler};
  Client client{server.address()};
  std::string wire;
  std::string expected;
  for (std::size_t length = 0; length < 200; ++length) {
    wire += static_cast<char>(length);
    wire += random_bytes(length, length);
    expected += std::string(length, '#') + "\n";
  }
  for (std::size_t at = 0; at < wire.size(); at += 37) client.send_all(wire.substr(at, 37));
  CHECK((client.receive_exactly(expected.size()) == expected));
}

}  // namespace ringwire::test
