// A handler takes some of what arrived, or none: the rest is kept, and the reading calls agree about it.
//
// Leaves to others: what happens when too much is kept (inbound_is_full.cpp).
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <optional>
#include <span>

namespace ringwire::test {
namespace {

std::string text(Bytes bytes) {
  return std::string{to_text(bytes)};
}

std::string text(const std::optional<Bytes>& bytes) {
  return bytes ? text(*bytes) : "nothing";
}

// Sends "abcdef", waits until all of it stands in inbound, runs `task` in one on_traffic, and answers what it
// said.
std::string on_six_bytes(const std::function<std::string(Conn&)>& task) {
  const Transport transport;
  std::string said;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    if (conn.inbound_size() == 6 && said.empty()) {
      said = task(conn);
      conn.write("!");
    }
    return Action::none;
  };
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all("abcdef");
  const std::string answer = client.receive_exactly(1);
  client.close();
  server.stop();
  return answer == "!" ? said : "no answer";
}

}  // namespace

TEST_CASE("the reading calls answer nothing on a wake without data") {
  const Transport transport;
  std::string said;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    std::byte buffer[8];
    said += std::to_string(conn.inbound_size());
    said += " " + std::to_string(conn.peek().size());
    said += " " + text(conn.peek(1));
    said += " " + text(conn.next(1));
    said += " " + std::to_string(conn.next().size());
    said += " " + std::to_string(conn.discard(5));
    said += " " + std::to_string(conn.discard());
    said += " " + std::to_string(conn.read(buffer));
    said += " " + std::to_string(conn.read(std::span<std::byte>{}));
    return Action::none;
  };
  StreamServer server{handler, transport};
  Client client{server.address()};
  handler.first_ref().wake();
  REQUIRE(handler.wait([](const Record& record) { return record.traffics == 1; }));
  server.stop();
  CHECK(said == "0 0 nothing nothing 0 0 0 0 0");
}

TEST_CASE("peek takes nothing") {
  CHECK(on_six_bytes([](Conn& conn) {
          std::string twice = text(conn.peek());
          twice += " " + text(conn.peek(2)) + " ";
          return twice + std::to_string(conn.inbound_size());
        }) == "abcdef ab 6");
}

TEST_CASE("peek and next answer nothing when fewer bytes have arrived") {
  CHECK(on_six_bytes([](Conn& conn) {
          std::string said = text(conn.peek(7));
          said += " " + text(conn.next(7));
          said += " " + std::to_string(conn.inbound_size());
          return said;
        }) == "nothing nothing 6");
}

TEST_CASE("next takes exactly so many, then the next ones") {
  CHECK(on_six_bytes([](Conn& conn) {
          std::string said = text(conn.next(2));
          said += "|" + text(conn.next(3));
          said += "|" + text(conn.next(2));
          said += "|" + text(conn.next());
          return said + "|" + std::to_string(conn.inbound_size());
        }) == "ab|cde|nothing|f|0");
}

TEST_CASE("a span from next stays readable while later ones are taken") {
  CHECK(on_six_bytes([](Conn& conn) {
          const auto first = conn.next(3);
          const auto second = conn.next(3);
          return text(first) + text(second);
        }) == "abcdef");
}

TEST_CASE("peek and next of zero bytes are an empty piece, not nothing") {
  CHECK(on_six_bytes([](Conn& conn) {
          const auto peeked = conn.peek(0);
          const auto taken = conn.next(0);
          return std::string{peeked && peeked->empty() ? "empty " : "wrong "} +
                 (taken && taken->empty() ? "empty " : "wrong ") + std::to_string(conn.inbound_size());
        }) == "empty empty 6");
}

TEST_CASE("discard answers how many it dropped, and at most what is there") {
  CHECK(on_six_bytes([](Conn& conn) {
          std::string said = std::to_string(conn.discard(2));
          said += text(conn.peek());
          said += std::to_string(conn.discard(100));
          said += std::to_string(conn.discard());
          return said;
        }) == "2cdef40");
}

TEST_CASE("discard of zero bytes drops nothing") {
  CHECK(on_six_bytes([](Conn& conn) { return std::to_string(conn.discard(0)) + text(conn.peek()); }) ==
        "0abcdef");
}

TEST_CASE("discard without a size drops everything") {
  CHECK(on_six_bytes([](Conn& conn) {
          std::string said = std::to_string(conn.discard());
          said += std::to_string(conn.inbound_size());
          return said;
        }) == "60");
}

TEST_CASE("read copies out as many as fit, then the rest, then none") {
  CHECK(on_six_bytes([](Conn& conn) {
          std::byte buffer[4];
          std::string said;
          for (int round = 0; round < 3; ++round) {
            const std::size_t size = conn.read(buffer);
            said += text(Bytes{buffer, size}) + std::to_string(size) + " ";
          }
          return said;
        }) == "abcd4 ef2 0 ");
}

TEST_CASE("peek is one piece even when the bytes came in many buffers") {
  const Transport transport;
  Options options = quiet();
  options.recv_buffer_size = 64;
  std::string seen;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    if (conn.inbound_size() == 10'000) {
      seen = text(conn.peek());
      conn.write("!");
    }
    return Action::none;
  };
  StreamServer server{handler, transport, options};
  Client client{server.address()};
  const std::string sent = random_bytes(7, 10'000);
  client.send_all(sent);
  CHECK(client.receive_exactly(1) == "!");
  server.stop();
  CHECK((seen == sent));
}

TEST_CASE("unread bytes can still be read in on_close") {
  const Transport transport;
  std::string seen;
  RecordingHandler handler;
  handler.close = [&](Conn& conn, std::error_code) {
    seen = text(conn.peek());
    return Action::none;
  };
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all("unread");
  REQUIRE(handler.wait([](const Record& record) { return record.traffics >= 1; }));
  client.close();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK(seen == "unread");
}

}  // namespace ringwire::test
