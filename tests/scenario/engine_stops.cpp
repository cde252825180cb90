// The engine stops: everybody is told, everything is closed, nothing stays behind.
//
// Leaves to others: what makes it stop (tests/contract/actions.cpp, signals_arrive.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

namespace ringwire::test {
namespace {

Options brief(std::size_t loops) {
  Options options = quiet();
  options.loops = loops;
  options.stop_timeout = std::chrono::milliseconds{100};
  return options;
}

void expect_no_descriptor_left(std::size_t loops, std::size_t count) {
  if (!allow_descriptors(2 * count + 200)) {
    skip("the hard limit on descriptors is too low");
    return;
  }
  const std::size_t before = open_descriptors();
  {
    RecordingHandler handler;
    TestServer server{handler, brief(loops)};
    std::vector<Client> clients = connect_many(server.address(), count);
    REQUIRE(handler.wait_opened(count));
    CHECK(server.wait_count(count));
    CHECK_FALSE(server.stop());
    CHECK(open_descriptors() == before + count);
    CHECK(handler.record().closed == count);
    CHECK(handler.record().drains == count);
  }
  CHECK(open_descriptors() == before);
}

}  // namespace

TEST_CASE("stop with a thousand open connections leaves no descriptor, on one loop") {
  expect_no_descriptor_left(1, 1000);
}

TEST_CASE("stop with a thousand open connections leaves no descriptor, on two loops", "[features]") {
  expect_no_descriptor_left(2, 1000);
}

TEST_CASE("starting and stopping thirty times leaves no descriptor and no thread", "[features]") {
  {
    RecordingHandler handler;
    const TestServer warm_up{handler, brief(2)};
  }
  const std::size_t descriptors = open_descriptors();
  CHECK(engine_threads_left().empty());
  for (int round = 0; round < 30; ++round) {
    RecordingHandler handler;
    TestServer server{handler, brief(2)};
    CHECK_FALSE(server.stop());
  }
  CHECK(open_descriptors() == descriptors);
  CHECK(engine_threads_left().empty());
}

TEST_CASE("on_shutdown comes after the last on_close, when no connection is left") {
  std::size_t left = 1;
  RecordingHandler handler;
  handler.shutdown = [&](Engine& engine) { left = engine.connections_count(); };
  TestServer server{handler, brief(2)};
  const std::vector<Client> clients = connect_many(server.address(), 20);
  REQUIRE(handler.wait_opened(20));
  CHECK_FALSE(server.stop());
  const Record record = handler.record();
  CHECK(record.closed == 20);
  CHECK(record.shutdowns == 1);
  CHECK(record.events.back() == "shutdown");
  CHECK(left == 0);
}

TEST_CASE("a second stop answers engine_stopped") {
  std::error_code first;
  std::error_code second;
  std::error_code last;
  RecordingHandler handler;
  handler.shutdown = [&](Engine& engine) { last = engine.stop(); };
  TestServer server{handler};
  handler.open = nullptr;
  REQUIRE_FALSE(server.engine().loop(0).post([&, &engine = server.engine()] {
    first = engine.stop();
    second = engine.stop();
  }));
  CHECK_FALSE(server.join());
  CHECK_FALSE(first);
  CHECK(second == Error::engine_stopped);
  CHECK(last == Error::engine_stopped);
}

TEST_CASE("a stopped engine's port refuses clients") {
  RecordingHandler handler;
  TestServer server{handler};
  const Address address = server.address();
  CHECK_FALSE(server.stop());
  const Client late{address};
  CHECK(late.error() == ECONNREFUSED);
}

TEST_CASE("stop delivers what was written before it") {
  const std::string sent = random_bytes(1, 1 << 20);
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    conn.discard();
    conn.write(sent);
    return Action::shutdown;
  };
  Options options = quiet();
  options.stop_timeout = patience;
  TestServer server{handler, options};
  Client client{server.address(), 32 * 1024};
  client.send_all("x");
  CHECK((client.receive_until_eof() == sent));
  CHECK(client.at_eof());
  client.close();
  CHECK_FALSE(server.join());
}

TEST_CASE("a handler that answers none to on_drain says goodbye in its own time") {
  RecordingHandler handler;
  handler.drain = [](Conn& conn) {
    conn.write("leaving?");
    return Action::none;
  };
  handler.traffic = [](Conn& conn) {
    conn.write(conn.next());
    conn.close();
    return Action::none;
  };
  Options options = quiet();
  options.stop_timeout = patience;
  TestServer server{handler, options};
  Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  CHECK_FALSE(server.engine().stop());
  CHECK(client.receive_exactly(8) == "leaving?");
  client.send_all("yes");
  CHECK(client.receive_until_eof() == "yes");
  client.close();
  CHECK_FALSE(server.join());
  CHECK(handler.record().closed == 1);
}

TEST_CASE("a connection that never finishes is reset when stop_timeout is over") {
  RecordingHandler handler;
  handler.drain = [](Conn&) { return Action::none; };
  TestServer server{handler, brief(1)};
  Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  CHECK_FALSE(server.stop());
  CHECK(client.expect_reset());
  CHECK(handler.record().reasons.at(0) == Error::engine_stopped);
}

TEST_CASE("stop_timeout 0 resets at once") {
  RecordingHandler handler;
  Options options = quiet();
  options.stop_timeout = std::chrono::milliseconds{0};
  TestServer server{handler, options};
  const std::vector<Client> clients = connect_many(server.address(), 10);
  REQUIRE(handler.wait_opened(10));
  CHECK_FALSE(server.stop());
  CHECK(handler.record().closed == 10);
}

TEST_CASE("stop does not wait for stop_timeout when everybody has left") {
  for (std::size_t loops = 1; loops <= 2; ++loops) {
    RecordingHandler handler;
    Options options = brief(loops);
    options.stop_timeout = patience / 2;
    TestServer server{handler, options};
    std::vector<Client> clients = connect_many(server.address(), 10);
    REQUIRE(handler.wait_opened(10));
    CHECK_FALSE(server.engine().stop());
    for (Client& client : clients) {
      CHECK(client.expect_eof());
      client.close();
    }
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(server.join());
    CHECK(std::chrono::steady_clock::now() - start < patience / 4);
  }
}

TEST_CASE("stop from on_boot makes run return") {
  for (std::size_t loops = 1; loops <= 2; ++loops) {
    RecordingHandler handler;
    handler.boot = [](Engine& engine) {
      engine.stop();
      return Action::none;
    };
    TestServer server{handler, brief(loops)};
    CHECK_FALSE(server.join());
    CHECK(handler.record().opened == 0);
  }
}

TEST_CASE("stop while clients are connecting and talking ends, and every opened one is closed") {
  for (int round = 0; round < 10; ++round) {
    RecordingHandler handler;
    handler.traffic = echo;
    TestServer server{handler, brief(2)};
    std::vector<Client> clients = connect_many(server.address(), 20);
    for (Client& client : clients) client.send_all("hello");
    CHECK_FALSE(server.stop());
    CHECK(handler.record().opened == handler.record().closed);
  }
}

}  // namespace ringwire::test
