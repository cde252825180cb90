// The peer resets the connection, at the worst moments: on_close comes exactly once, and nothing else
// suffers.
//
// Leaves to others: our own resets (tests/contract/conn_closing.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

namespace ringwire::test {
namespace {

constexpr std::size_t much = 8 << 20;

bool is_reset(std::error_code reason) {
  return reason == std::errc::connection_reset;
}

}  // namespace

TEST_CASE("a reset of an idle connection is reported once, as connection reset") {
  RecordingHandler handler;
  TestServer server{handler};
  Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  client.reset();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  const Record record = handler.record();
  REQUIRE(record.reasons.size() == 1);
  CHECK(is_reset(record.reasons.front()));
  CHECK(record.eofs == 0);
}

TEST_CASE("a reset while a send is pending is reported once, with what was never sent") {
  std::size_t unsent = 0;
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    conn.write(std::string(much, 'x'));
    return Action::none;
  };
  handler.close = [&](Conn& conn, std::error_code) {
    unsent = conn.outbound_size();
    return Action::none;
  };
  TestServer server{handler};
  Client client{server.address(), 4096};
  CHECK(client.receive_exactly(1) == "x");
  client.reset();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  const Record record = handler.record();
  REQUIRE(record.reasons.size() == 1);
  CHECK(is_reset(record.reasons.front()));
  CHECK(unsent > 0);
}

TEST_CASE("a reset while a closing connection still flushes ends it at once") {
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    conn.write(std::string(much, 'x'));
    return Action::close;
  };
  TestServer server{handler};
  Client client{server.address(), 4096};
  CHECK(client.receive_exactly(1) == "x");
  client.reset();
  const auto start = std::chrono::steady_clock::now();
  REQUIRE(handler.wait_closed(1));
  CHECK(std::chrono::steady_clock::now() - start < Options{}.close_timeout);
  server.stop();
  CHECK(handler.record().closed == 1);
}

TEST_CASE("a reset answers every write that waited, once, with closed") {
  RecordingHandler handler;
  TestServer server{handler};
  Client client{server.address(), 4096};
  const ConnRef ref = handler.first_ref();
  const std::string piece(much / 4, 'x');
  for (int index = 0; index < 4; ++index) {
    ref.write(piece, [&](std::error_code error) { handler.note(error ? "failed" : "sent"); });
  }
  CHECK(client.receive_exactly(1) == "x");
  client.reset();
  CHECK(
      handler.wait([](const Record& record) { return record.count("failed") + record.count("sent") == 4; }));
  CHECK(handler.wait_closed(1));
  server.stop();
  CHECK(handler.record().count("failed") >= 1);
  CHECK(handler.record().count("failed") + handler.record().count("sent") == 4);
}

TEST_CASE("clients that reset before they are accepted harm nobody") {
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler};
  for (int index = 0; index < 200; ++index) {
    Client hasty{server.address()};
    hasty.send_all("garbage");
    hasty.reset();
  }
  Client client{server.address()};
  CHECK(client.exchange("well") == "well");
  client.close();
  // All of them are over now, so what was opened will be closed.
  CHECK(
      handler.wait([](const Record& record) { return record.opened > 0 && record.closed == record.opened; }));
  CHECK_FALSE(server.stop());
  CHECK(handler.record().closed == handler.record().opened);
}

TEST_CASE("a reset amid echo traffic leaves the other connections byte-exact") {
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler};
  Client steady{server.address()};
  for (std::uint64_t round = 0; round < scaled(50, 10); ++round) {
    Client rude{server.address(), 4096};
    rude.send_all(std::string(100'000, 'r'));
    const std::string sent = random_bytes(round, 50'000);
    CHECK((steady.exchange(sent) == sent));
    rude.reset();
  }
  CHECK(handler.wait_closed(scaled(50, 10)));
}

}  // namespace ringwire::test
