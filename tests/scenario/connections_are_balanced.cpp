// Two loops and a balancer: who gets how many connections, and what the threads are called.
//
// Leaves to others: bytes on two loops (echo_is_byte_exact.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

#include <algorithm>
#include <atomic>

namespace ringwire::test {
namespace {

Options balanced(Balancing balancing, std::size_t loops) {
  Options options = quiet();
  options.loops = loops;
  options.balancing = balancing;
  options.stop_timeout = std::chrono::milliseconds{100};
  return options;
}

std::size_t spread(const Engine& engine) {
  std::size_t least = SIZE_MAX;
  std::size_t most = 0;
  for (std::size_t loop = 0; loop < engine.loops_count(); ++loop) {
    least = std::min(least, engine.connections_count(loop));
    most = std::max(most, engine.connections_count(loop));
  }
  return most - least;
}

// One after the other, or all of them before the first can be accepted.
void expect_even(Balancing balancing, std::size_t loops, std::size_t count, bool burst) {
  if (!allow_descriptors(2 * count + 200)) {
    skip("the hard limit on descriptors is too low");
    return;
  }
  std::vector<Client> clients;
  RecordingHandler handler;
  if (burst) {
    handler.boot =
        [&](Engine& engine) {  // Bound and listening, but no loop runs: they all wait in the backlog.
          clients = connect_many(engine.addresses().front(), count);
          return Action::none;
        };
  }
  TestServer server{handler, balanced(balancing, loops)};
  if (!burst) clients = connect_many(server.address(), count);
  REQUIRE(handler.wait_opened(count));
  CHECK(server.wait_count(count));
  CHECK(spread(server.engine()) <= 1);
  CHECK_FALSE(server.stop());
}

}  // namespace

TEST_CASE("round robin spreads a thousand connections within one") {
  expect_even(Balancing::round_robin, 2, 1000, false);
}

TEST_CASE("round robin spreads a burst of a thousand within one", "[features]") {
  expect_even(Balancing::round_robin, 2, 1000, true);
}

TEST_CASE("least connections spreads a thousand connections within one") {
  expect_even(Balancing::least_connections, 2, 1000, false);
}

TEST_CASE("least connections spreads a burst of a thousand within one") {
  expect_even(Balancing::least_connections, 2, 1000, true);
}

TEST_CASE("both policies spread a burst over three loops within one") {
  expect_even(Balancing::round_robin, 3, 200, true);
  expect_even(Balancing::least_connections, 3, 200, true);
}

TEST_CASE("least connections fills up the loop that lost some") {
  RecordingHandler handler;
  TestServer server{handler, balanced(Balancing::least_connections, 2)};
  std::vector<Client> clients = connect_many(server.address(), 40);
  REQUIRE(handler.wait_opened(40));
  // All of loop 0 leave.
  const LoopRef loop = server.engine().loop(0);
  std::size_t left = 0;
  for (const ConnRef& ref : handler.record().refs) {
    if (ref.loop() == loop) {
      ref.post([](Conn* conn) { conn->abort(); });
      ++left;
    }
  }
  CHECK(left == 20);
  REQUIRE(handler.wait_closed(20));
  CHECK(server.wait_count(0, 0));
  const std::vector<Client> more = connect_many(server.address(), 20);
  REQUIRE(handler.wait_opened(60));
  CHECK(server.wait_count(0, 20));
  CHECK(server.wait_count(1, 20));
  CHECK_FALSE(server.stop());
}

TEST_CASE("least connections with ties does not always favour the same loop") {
  RecordingHandler handler;
  TestServer server{handler, balanced(Balancing::least_connections, 2)};
  for (std::size_t round = 1; round <= 20; ++round) {
    Client client{server.address()};
    REQUIRE(handler.wait_opened(round));
    client.close();
    REQUIRE(handler.wait_closed(round));
  }
  std::size_t on_first = 0;
  for (const ConnRef& ref : handler.record().refs) on_first += ref.loop() == server.engine().loop(0) ? 1 : 0;
  CHECK(on_first > 0);
  CHECK(on_first < 20);
}

TEST_CASE("a connection's events come on the thread of its loop") {
  std::atomic<std::size_t> wrong = 0;
  RecordingHandler handler;
  const auto check = [&](Conn& conn) {
    wrong += conn.loop().is_current() && conn.ref().loop() == conn.loop() ? 0 : 1;
  };
  handler.open = [&](Conn& conn) {
    check(conn);
    return Action::none;
  };
  handler.traffic = [&](Conn& conn) {
    check(conn);
    return echo(conn);
  };
  handler.close = [&](Conn& conn, std::error_code) {
    check(conn);
    return Action::none;
  };
  TestServer server{handler, balanced(Balancing::round_robin, 2)};
  {
    std::vector<Client> clients = connect_many(server.address(), 20);
    for (Client& client : clients) CHECK(client.exchange("x") == "x");
  }
  REQUIRE(handler.wait_closed(20));
  server.stop();
  CHECK(wrong == 0);
}

TEST_CASE("loops and balancer are threads with names") {
  REQUIRE(engine_threads_left().empty());
  RecordingHandler handler;
  TestServer server{handler, balanced(Balancing::round_robin, 2)};
  const std::vector<Client> clients = connect_many(server.address(), 2);
  REQUIRE(handler.wait_opened(2));
  const std::vector<std::string> names = thread_names();
  CHECK(std::count(names.begin(), names.end(), "ringwire/0") == 1);
  CHECK(std::count(names.begin(), names.end(), "ringwire/1") == 1);
  CHECK(std::count(names.begin(), names.end(), "ringwire/bal") == 1);
}

TEST_CASE("one loop needs no balancer") {
  REQUIRE(engine_threads_left().empty());
  RecordingHandler handler;
  const TestServer server{handler};
  const Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  const std::vector<std::string> names = thread_names();
  CHECK(std::count(names.begin(), names.end(), "ringwire/0") == 1);
  CHECK(std::count(names.begin(), names.end(), "ringwire/bal") == 0);
  CHECK(server.engine().loops_count() == 1);
}

TEST_CASE("multicore gives one loop for each CPU, and loops overrules it") {
  RecordingHandler handler;
  Options options = quiet();
  options.multicore = true;
  const TestServer server{handler, options};
  CHECK(server.engine().loops_count() >= 1);
  RecordingHandler other;
  options.loops = 3;
  const TestServer three{other, options};
  CHECK(three.engine().loops_count() == 3);
}

TEST_CASE("beyond connections_max clients are reset and counted, and a free place is used again") {
  RecordingHandler handler;
  handler.traffic = echo;
  Options options = quiet();
  options.connections_max = 4;
  TestServer server{handler, options};
  std::vector<Client> clients = connect_many(server.address(), 4);
  REQUIRE(handler.wait_opened(4));
  Client fifth{server.address()};
  CHECK(fifth.expect_reset());
  CHECK(server.wait_refused(1));
  CHECK(server.wait_count(4));
  clients.pop_back();
  REQUIRE(handler.wait_closed(1));
  Client sixth{server.address()};
  CHECK(sixth.exchange("in") == "in");
  CHECK(server.wait_refused(1));
  CHECK(handler.record().opened == 5);
}

TEST_CASE("beyond connections_max on two loops the balancer's clients are reset and counted too") {
  RecordingHandler handler;
  Options options = balanced(Balancing::round_robin, 2);
  options.connections_max = 2;
  TestServer server{handler, options};
  const std::vector<Client> clients = connect_many(server.address(), 4);
  REQUIRE(handler.wait_opened(4));
  for (int index = 0; index < 6; ++index) {
    Client late{server.address()};
    CHECK(late.expect_reset());
  }
  CHECK(server.wait_refused(6));
  CHECK(handler.record().opened == 4);
}

}  // namespace ringwire::test
