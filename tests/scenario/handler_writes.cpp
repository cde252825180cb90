// What a handler writes leaves in order: the greeting first, the parts of a writev in theirs.
//
// Leaves to others: writes from other threads, and a peer that reads slowly.
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <array>

namespace ringwire::test {

TEST_CASE("a greeting written in on_open arrives first") {
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    conn.write("welcome ");
    return Action::none;
  };
  handler.traffic = echo;
  const TestServer server{handler};
  Client client{server.address()};
  client.send_all("guest");
  CHECK(client.receive_exactly(13) == "welcome guest");
}

TEST_CASE("a greeting needs no byte from the peer") {
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    conn.write("welcome");
    return Action::none;
  };
  const TestServer server{handler};
  Client client{server.address()};
  CHECK(client.receive_exactly(7) == "welcome");
}

TEST_CASE("a greeting of a mebibyte arrives whole") {
  const std::string greeting = random_bytes(3, 1 << 20);
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    conn.write(greeting);
    return Action::none;
  };
  const TestServer server{handler};
  Client client{server.address()};
  CHECK((client.receive_exactly(greeting.size()) == greeting));
}

TEST_CASE("writev sends its parts in order") {
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
  const TestServer server{handler};
  Client client{server.address()};
  client.send_all("part");
  CHECK(client.receive_exactly(9) == "<part>end");
}

TEST_CASE("outbound_size counts what was written and not yet sent") {
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
  TestServer server{handler};
  Client client{server.address()};
  client.send_all("?");
  CHECK(client.receive_exactly(8) == "12345678");
  server.stop();
  CHECK(size == 8);
  CHECK(written == Written::queued);
}

TEST_CASE("a thousand writes in one event arrive in order") {
  std::string expected;
  for (int index = 0; index < 1000; ++index) expected += std::to_string(index) + ",";
  RecordingHandler handler;
  handler.traffic = [](Conn& conn) {
    conn.discard();
    for (int index = 0; index < 1000; ++index) conn.write(std::to_string(index) + ",");
    return Action::none;
  };
  const TestServer server{handler};
  Client client{server.address()};
  client.send_all("?");
  CHECK((client.receive_exactly(expected.size()) == expected));
}

TEST_CASE("the addresses are those of both ends") {
  Address local;
  Address remote;
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    local = conn.local_address();
    remote = conn.remote_address();
    return Action::none;
  };
  TestServer server{handler};
  const Address listening = server.address();
  Client client{listening};
  const Address client_address = client.local_address();
  REQUIRE(handler.wait_opened(1));
  server.stop();
  CHECK(local == listening);
  CHECK(remote == client_address);
  CHECK(remote.to_string() == "127.0.0.1:" + std::to_string(client_address.port));
}

TEST_CASE("the context belongs to the connection and is destroyed after on_close") {
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
  TestServer server{handler};
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
  TestServer server{handler};
  const Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  server.stop();
  CHECK_FALSE(old_type_found);
  CHECK(handler.record().events.at(1) == "part destroyed");
  CHECK(handler.record().events.at(2) == "replaced");
}

}  // namespace ringwire::test
