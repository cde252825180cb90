// Each event may answer `close` or `shutdown`: what it wrote is delivered first, then the deed is done.
//
// Leaves to others: closing through Conn and ConnRef.
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

namespace ringwire::test {
namespace {

std::function<Action(Conn&)> say(std::string text, Action action) {
  return [text = std::move(text), action](Conn& conn) {
    conn.discard();
    conn.write(text);
    return action;
  };
}

// The client does `deed`, must receive "bye" and FIN, and the handler must see exactly one on_close.
void expect_goodbye(RecordingHandler& handler, const std::function<void(Client&)>& deed,
                    std::error_code reason) {
  const Transport transport;
  StreamServer server{handler, transport};
  Client client{server.address()};
  deed(client);
  CHECK(client.receive_until_eof() == "bye");
  CHECK(client.at_eof());
  client.close();
  CHECK(handler.wait_closed(1));
  CHECK_FALSE(server.stop());
  const Record record = handler.record();
  REQUIRE(record.reasons.size() == 1);
  CHECK(record.reasons.front() == reason);
}

// As above, but the engine ends by itself.
void expect_shutdown(RecordingHandler& handler, const std::string& expected,
                     const std::function<void(Client&)>& deed) {
  const Transport transport;
  Options options = quiet();
  options.stop_timeout = patience;  // The client leaves, so it ends before that, however slow the client is.
  StreamServer server{handler, transport, options};
  Client client{server.address()};
  deed(client);
  CHECK(client.receive_until_eof() == expected);
  client.close();
  CHECK_FALSE(server.join());
  const Record record = handler.record();
  CHECK(record.closed == record.opened);
  CHECK(record.shutdowns == 1);
  CHECK(record.events.back() == "shutdown");
}

void no_deed(Client&) {}
void send_a_byte(Client& client) {
  client.send_all("x");
}
void half_close(Client& client) {
  client.shutdown_write();
}

constexpr std::size_t above_the_mark = 2 << 20;

Action go_above_the_mark(Conn& conn) {
  conn.discard();
  conn.write(std::string(above_the_mark, 'x'));
  return Action::none;
}

void read_up_to_the_mark(Client& client) {
  send_a_byte(client);
  [[maybe_unused]] const std::string all = client.receive_exactly(above_the_mark);
}

}  // namespace

TEST_CASE("close from on_open delivers what was written there") {
  RecordingHandler handler;
  handler.open = say("bye", Action::close);
  expect_goodbye(handler, no_deed, {});
}

TEST_CASE("close from on_traffic delivers what was written there") {
  RecordingHandler handler;
  handler.traffic = say("bye", Action::close);
  expect_goodbye(handler, send_a_byte, {});
}

TEST_CASE("close from on_eof delivers what was written there") {
  RecordingHandler handler;
  handler.eof = say("bye", Action::close);
  expect_goodbye(handler, half_close, Error::end_of_stream);
}

TEST_CASE("close from on_drain delivers what was written there") {
  const Transport transport;
  RecordingHandler handler;
  handler.drain = say("bye", Action::close);
  StreamServer server{handler, transport};
  Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  server.engine().stop();
  CHECK(client.receive_until_eof() == "bye");
  client.close();
  CHECK_FALSE(server.join());
  CHECK(handler.record().drains == 1);
}

TEST_CASE("no on_traffic comes after close was answered") {
  const Transport transport;
  RecordingHandler handler;
  handler.traffic = say("bye", Action::close);
  StreamServer server{handler, transport};
  Client client{server.address()};
  client.send_all("one");
  CHECK(client.receive_exactly(3) == "bye");
  client.send_all("two");
  CHECK(client.expect_eof());
  client.close();
  CHECK(handler.wait_closed(1));
  server.stop();
  CHECK(handler.record().traffics == 1);
}

TEST_CASE("an action answered by on_close is harmless") {
  RecordingHandler handler;
  handler.traffic = say("bye", Action::close);
  handler.close = [](Conn& conn, std::error_code) {
    conn.write("too late");
    conn.close();
    conn.abort();
    return Action::close;
  };
  expect_goodbye(handler, send_a_byte, {});
}

TEST_CASE("shutdown from on_open ends the engine and delivers what was written") {
  RecordingHandler handler;
  handler.open = say("bye", Action::shutdown);
  expect_shutdown(handler, "bye", no_deed);
}

TEST_CASE("shutdown from on_traffic ends the engine and delivers what was written") {
  RecordingHandler handler;
  handler.traffic = say("bye", Action::shutdown);
  expect_shutdown(handler, "bye", send_a_byte);
}

TEST_CASE("shutdown from on_eof ends the engine and delivers what was written") {
  RecordingHandler handler;
  handler.eof = say("bye", Action::shutdown);
  expect_shutdown(handler, "bye", half_close);
}

TEST_CASE("shutdown from on_close ends the engine") {
  RecordingHandler handler;
  handler.close = [](Conn&, std::error_code) { return Action::shutdown; };
  expect_shutdown(handler, "", half_close);
}

TEST_CASE("shutdown from on_boot makes run return without on_shutdown") {
  RecordingHandler handler;
  handler.boot = [](Engine&) { return Action::shutdown; };
  TestServer server{handler};
  CHECK_FALSE(server.join());
  const Record record = handler.record();
  CHECK(record.boots == 1);
  CHECK(record.shutdowns == 0);
}

TEST_CASE("shutdown from one connection closes a hundred idle ones on two loops") {
  RecordingHandler handler;
  handler.traffic = say("", Action::shutdown);
  Options options = quiet();
  options.loops = 2;
  TestServer server{handler, options};
  std::vector<Client> clients = connect_many(server.address(), 100);
  REQUIRE(handler.wait_opened(100));
  clients.front().send_all("x");
  std::size_t ended = 0;
  for (Client& client : clients) {
    ended += client.expect_eof() ? 1 : 0;
    client.close();
  }
  CHECK(ended == 100);
  CHECK_FALSE(server.join());
  CHECK(handler.record().closed == 100);
}

TEST_CASE("close from on_writable delivers what was written there") {
  RecordingHandler handler;
  handler.traffic = go_above_the_mark;
  handler.writable = say("bye", Action::close);
  expect_goodbye(handler, read_up_to_the_mark, {});
}

TEST_CASE("shutdown from on_writable ends the engine and delivers what was written") {
  RecordingHandler handler;
  handler.traffic = go_above_the_mark;
  handler.writable = say("bye", Action::shutdown);
  expect_shutdown(handler, "bye", read_up_to_the_mark);
}

TEST_CASE("shutdown from on_tick closes a hundred idle connections on two loops") {
  RecordingHandler handler;
  std::atomic<bool> ending{false};
  handler.tick = [&]() -> Tick {
    return {std::chrono::milliseconds{1}, ending ? Action::shutdown : Action::none};
  };
  Options options = quiet();
  options.loops = 2;
  options.ticker = true;
  TestServer server{handler, options};
  std::vector<Client> clients = connect_many(server.address(), 100);
  REQUIRE(handler.wait_opened(100));
  ending = true;
  std::size_t ended = 0;
  for (Client& client : clients) {
    ended += client.expect_eof() ? 1 : 0;
    client.close();
  }
  CHECK(ended == 100);
  CHECK_FALSE(server.join());
  CHECK(handler.record().closed == 100);
  CHECK(handler.record().events.back() == "shutdown");
}

}  // namespace ringwire::test
