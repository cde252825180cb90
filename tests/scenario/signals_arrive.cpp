// SIGINT and SIGTERM stop the engine when it was asked to take them; the examples end so, too.
//
// Leaves to others: what a stop does. Everything runs in child processes: the signals must not hit the tests.
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/process.hpp"

#include <csignal>

namespace ringwire::test {
namespace {

void expect_clean_end(int signal, const std::string& loops) {
  // Waiting for stop_timeout would take ten minutes: who has left must not be waited for.
  Child child{{RINGWIRE_SCENARIO_HELPER, "signal", "stop_timeout=600000", loops}};
  const std::string first = child.read_line().value_or("");
  REQUIRE(first.starts_with("listening "));
  Client client{loopback(port_in(first))};
  CHECK(client.exchange("before") == "before");
  child.signal(signal);
  CHECK(client.expect_eof());
  client.close();
  CHECK(child.read_line().value_or("") == "ended system 0");
  CHECK(child.wait() == 0);
}

}  // namespace

TEST_CASE("SIGTERM stops an engine that takes signals, and run returns no error") {
  expect_clean_end(SIGTERM, "loops=1");
}

TEST_CASE("SIGINT stops an engine with two loops, and run returns no error", "[features]") {
  expect_clean_end(SIGINT, "loops=2");
}

TEST_CASE("who asks many times to stop gets one clean stop") {
  Child child{{RINGWIRE_SCENARIO_HELPER, "signal", "stop_timeout=300", "loops=2"}};
  const std::string first = child.read_line().value_or("");
  REQUIRE(first.starts_with("listening "));
  Client client{loopback(port_in(first))};
  CHECK(client.exchange("before") == "before");
  child.signal(SIGTERM);
  CHECK(client.expect_eof());  // The stop has begun; it waits for us, who do not leave, until stop_timeout.
  for (int count = 0; count < 5; ++count) {
    child.signal(SIGTERM);
    child.signal(SIGINT);
  }
  CHECK(child.read_line().value_or("") == "ended system 0");
  CHECK(child.wait() == 0);
}

TEST_CASE("a signal hastens a drain") {
  for (const char* loops : {"loops=1", "loops=2"}) {
    Child child{{RINGWIRE_SCENARIO_HELPER, "signal", "drain=3600000", loops}};
    const std::string first = child.read_line().value_or("");
    REQUIRE(first.starts_with("listening "));
    std::vector<Client> clients = connect_many(loopback(port_in(first)), 4);
    CHECK(clients[0].exchange("drain") == "drain");
    CHECK(clients[0]
              .expect_eof());  // Of each loop's connections the first is told at once, the last much later.
    CHECK(clients[3].exchange("still here") == "still here");
    child.signal(SIGTERM);
    CHECK(clients[3].expect_eof());
    clients.clear();
    CHECK(child.read_line().value_or("") == "ended system 0");
    CHECK(child.wait() == 0);
  }
}

TEST_CASE("SIGTERM ends a process whose engine does not take signals") {
  Child child{{RINGWIRE_SCENARIO_HELPER}};
  REQUIRE(child.read_line().value_or("").starts_with("listening "));
  child.signal(SIGTERM);
  CHECK(child.wait() == 128 + SIGTERM);
}

#ifdef RINGWIRE_EXAMPLE_ECHO
TEST_CASE("the echo example says its address, echoes, and ends well on SIGINT") {
  Child child{{RINGWIRE_EXAMPLE_ECHO, "0"}};
  const std::string first = child.read_line().value_or("");
  INFO(first);
  Client client{loopback(port_in(first))};
  REQUIRE(client.ok());
  const std::string sent = random_bytes(1, 100'000);
  CHECK((client.exchange(sent) == sent));
  client.close();
  child.signal(SIGINT);
  CHECK(child.wait() == 0);
}

TEST_CASE("the echo example explains a port that is taken, and ends with 1") {
  Child holder{{RINGWIRE_EXAMPLE_ECHO, "0"}};
  const std::string port = std::to_string(port_in(holder.read_line().value_or("")));
  Child second{{RINGWIRE_EXAMPLE_ECHO, port}};
  CHECK(second.wait() == 1);
}

TEST_CASE("the tick example counts, and ends well on SIGINT") {
  Child child{{RINGWIRE_EXAMPLE_TICK}};
  CHECK(child.read_line().value_or("") == "tick 1");
  CHECK(child.read_line().value_or("") == "tick 2");
  child.signal(SIGINT);
  CHECK(child.wait() == 0);
}
#endif

}  // namespace ringwire::test
