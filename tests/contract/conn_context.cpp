// The context: whatever the handler keeps with a connection lives as long as it, and not longer.
//
// Leaves to others: a type that is not asked for (tests/conn/conn_test.cpp).
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <string_view>
#include <utility>

namespace ringwire::test {

TEST_CASE("the context belongs to the connection and is destroyed after on_close") {
  const Transport transport;
  struct Session {
    RecordingHandler& handler;
    int visits = 0;
    explicit Session(RecordingHandler& owner) : handler(owner) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() { handler.note("context destroyed"); }
  };
  RecordingHandler handler;
  int visits = 0;
  bool other_type_found = true;
  handler.open = [&](Conn& conn) {
    conn.emplace_context<Session>(handler);
    return Action::none;
  };
  handler.traffic = [&](Conn& conn) {
    ++conn.context<Session>()->visits;
    other_type_found = conn.context<int>() != nullptr;
    return echo(conn);
  };
  handler.close = [&](Conn& conn, std::error_code) {
    visits = conn.context<Session>()->visits;
    return Action::none;
  };
  StreamServer server{handler, transport};
  Client client{server.address()};
  CHECK(client.exchange("a") == "a");
  CHECK(client.exchange("b") == "b");
  client.close();
  REQUIRE(handler.wait_noted("context destroyed"));
  server.stop();
  CHECK(visits == 2);
  CHECK_FALSE(other_type_found);
  const std::vector<std::string> events = handler.record().events;
  REQUIRE(events.size() >= 3);
  CHECK(events[events.size() - 3] == "close");
  CHECK(events[events.size() - 2] == "context destroyed");
  CHECK(handler.record().count("context destroyed") == 1);
}

TEST_CASE("a new context takes the place of the old one, which is destroyed at once") {
  const Transport transport;
  struct Part {
    RecordingHandler& handler;
    explicit Part(RecordingHandler& owner) : handler(owner) {}
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    ~Part() { handler.note("part destroyed"); }
  };
  RecordingHandler handler;
  bool old_type_found = true;
  handler.open = [&](Conn& conn) {
    conn.emplace_context<Part>(handler);
    conn.emplace_context<int>(5);
    handler.note("replaced");
    old_type_found = conn.context<Part>() != nullptr || *conn.context<int>() != 5;
    return Action::none;
  };
  StreamServer server{handler, transport};
  const Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  server.stop();
  CHECK_FALSE(old_type_found);
  CHECK(handler.record().events.at(1) == "part destroyed");
  CHECK(handler.record().events.at(2) == "replaced");
}

TEST_CASE("however a connection ends, its context is destroyed once, on its loop") {
  struct Kept {
    RecordingHandler& handler;
    LoopRef loop;
    Kept(RecordingHandler& owner, LoopRef home) : handler(owner), loop(std::move(home)) {}
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;
    ~Kept() { handler.note(loop.is_current() ? "destroyed at home" : "destroyed elsewhere"); }
  };
  const Transport transport;
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    conn.emplace_context<Kept>(handler, conn.loop());
    return Action::none;
  };
  handler.traffic = [](Conn& conn) -> Action {
    const std::string_view order = to_text(conn.next());
    if (order == "throw") throw 1;
    if (order == "abort") conn.abort();
    return order == "close" ? Action::close : Action::none;
  };
  Options options = quiet();
  options.loops = 2;
  StreamServer server{handler, transport, options};
  for (const char* order : {"throw", "abort", "close", ""}) {
    Client client{server.address()};
    client.send_all(order);
    if (*order != 0) static_cast<void>(client.receive_until_eof());
  }
  CHECK(handler.wait_noted("destroyed at home", 4));
  const Client left{server.address()};
  REQUIRE(handler.wait_opened(5));
  CHECK_FALSE(server.stop());
  CHECK(handler.record().count("destroyed at home") == 5);
  CHECK(handler.record().count("destroyed elsewhere") == 0);
}

}  // namespace ringwire::test
