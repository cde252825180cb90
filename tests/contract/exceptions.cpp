// An exception leaves an event: that connection closes with handler_failed, and nothing else happens.
//
// Leaves to others: what is logged.
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <stdexcept>

namespace ringwire::test {
namespace {

Action fail(Conn&) {
  throw std::runtime_error{"on purpose"};
}

// The client does `deed`, its connection must close with handler_failed; another client must go on.
void expect_only_one_falls(RecordingHandler& handler, const std::function<void(Client&)>& deed) {
  const Transport transport;
  StreamServer server{handler, transport};
  Client victim{server.address()};
  deed(victim);
  [[maybe_unused]] const std::string rest = victim.receive_until_eof();
  victim.close();
  REQUIRE(handler.wait_closed(1));
  CHECK(handler.record().reasons.front() == Error::handler_failed);
  Client other{server.address()};
  CHECK(other.ok());
  CHECK(handler.wait([](const Record& record) { return record.opened == 2; }));
  CHECK_FALSE(server.stop());
  CHECK(handler.record().closed == 2);
}

}  // namespace

TEST_CASE("an exception from on_open closes that connection only") {
  RecordingHandler handler;
  handler.open = fail;
  expect_only_one_falls(handler, [](Client&) {});
}

TEST_CASE("an exception from on_traffic closes that connection only") {
  RecordingHandler handler;
  handler.traffic = fail;
  expect_only_one_falls(handler, [](Client& client) { client.send_all("x"); });
}

TEST_CASE("an exception that is no std::exception is handled alike") {
  RecordingHandler handler;
  handler.traffic = [](Conn&) -> Action { throw 5; };
  expect_only_one_falls(handler, [](Client& client) { client.send_all("x"); });
}

TEST_CASE("an exception from on_eof closes that connection only") {
  RecordingHandler handler;
  handler.eof = fail;
  expect_only_one_falls(handler, [](Client& client) { client.shutdown_write(); });
}

TEST_CASE("an exception from on_writable closes that connection only") {
  RecordingHandler handler;
  handler.traffic = [](Conn& conn) {
    conn.discard();
    conn.write(std::string(2 << 20, 'x'));
    return Action::none;
  };
  handler.writable = fail;
  expect_only_one_falls(handler, [](Client& client) { client.send_all("x"); });
}

TEST_CASE("an exception from on_drain closes that connection, and the engine stops as it should") {
  RecordingHandler handler;
  handler.drain = fail;
  TestServer server{handler};
  const std::vector<Client> clients = connect_many(server.address(), 3);
  REQUIRE(handler.wait_opened(3));
  CHECK_FALSE(server.stop());
  CHECK(handler.record().closed == 3);
  CHECK(handler.record().drains == 3);
}

TEST_CASE("an exception from on_close is swallowed, and the connection is gone") {
  const Transport transport;
  RecordingHandler handler;
  handler.close = [](Conn& conn, std::error_code) { return fail(conn); };
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.close();
  REQUIRE(handler.wait_closed(1));
  Client other{server.address()};
  CHECK(handler.wait_opened(2));
  CHECK_FALSE(server.stop());
  CHECK(handler.record().closed == 2);
}

TEST_CASE("an exception from on_tick does not end the ticks") {
  RecordingHandler handler;
  std::size_t calls = 0;
  handler.tick = [&]() -> Tick {
    if (++calls == 1) throw std::runtime_error{"on purpose"};
    return {std::chrono::milliseconds{1}, Action::none};
  };
  Options options = quiet();
  options.ticker = true;
  TestServer server{handler, options};
  CHECK(handler.wait([](const Record& record) { return record.ticks >= 3; }));
  CHECK_FALSE(server.stop());
}

TEST_CASE("an exception from on_boot makes run return handler_failed") {
  RecordingHandler handler;
  handler.boot = [](Engine&) -> Action { throw std::runtime_error{"on purpose"}; };
  TestServer server{handler};
  CHECK(server.join() == Error::handler_failed);
  CHECK(handler.record().shutdowns == 0);
}

TEST_CASE("an exception from on_shutdown is swallowed, and run returns") {
  RecordingHandler handler;
  handler.shutdown = [](Engine&) { throw std::runtime_error{"on purpose"}; };
  TestServer server{handler};
  server.engine().stop();
  CHECK_FALSE(server.join());
}

TEST_CASE("an exception from a posted task takes nothing down") {
  const Transport transport;
  RecordingHandler handler;
  handler.traffic = echo;
  const StreamServer server{handler, transport};
  Client client{server.address()};
  REQUIRE_FALSE(server.engine().loop(0).post([] { throw std::runtime_error{"on purpose"}; }));
  CHECK(client.exchange("alive") == "alive");
}

}  // namespace ringwire::test
