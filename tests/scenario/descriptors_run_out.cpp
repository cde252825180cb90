// No descriptor is left for the next client (EMFILE): accepting pauses without spinning and resumes, and the
// clients that waited are served.
//
// Leaves to others: too few descriptors at the start (start_fails.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/process.hpp"

namespace ringwire::test {
namespace {

constexpr std::size_t spare = 4;
constexpr std::size_t clients_count = 12;

std::uint16_t port_of(Child& child) {
  const std::string line = child.read_line().value_or("");
  return line.starts_with("listening ") ? static_cast<std::uint16_t>(std::stoi(line.substr(10))) : 0;
}

// How many descriptors such a server has open without a client.
std::size_t descriptors_needed(const std::string& loops) {
  Child child{{RINGWIRE_SCENARIO_HELPER, loops}};
  Client client{loopback(port_of(child))};
  if (client.exchange("up") != "up") return 0;
  return std::stoul(child.ask("fds")) - 1;
}

void expect_pause_and_resume(const std::string& loops) {
  const std::size_t needed = descriptors_needed(loops);
  REQUIRE(needed > 0);
  Child child{{RINGWIRE_SCENARIO_HELPER, loops, "nofile=" + std::to_string(needed + spare)}};
  const Address address = loopback(port_of(child));
  REQUIRE(address.port != 0);

  std::vector<Client> clients = connect_many(address, clients_count);
  for (Client& client : clients) REQUIRE(client.send_all("ping"));
  // They are accepted in the order they came, so the first ones have the descriptors.
  for (std::size_t index = 0; index < spare; ++index) CHECK(clients[index].receive_exactly(4) == "ping");

  // It waits, and it does not spin: nearly no CPU time in half a second.
  const long before = std::stol(child.ask("cpu"));
  CHECK(clients.back().expect_silence(std::chrono::milliseconds{500}));
  const long used = std::stol(child.ask("cpu")) - before;
  CHECK(used < 100'000);

  // Each that leaves makes room; all the others get their turn, nobody is lost.
  std::size_t served = 0;
  for (std::size_t index = 0; index < clients_count; ++index) {
    if (index >= spare) served += clients[index].receive_exactly(4) == "ping" ? 1 : 0;
    clients[index].close();
  }
  CHECK(served == clients_count - spare);
  CHECK(child.ask("stop") == "ok");
  CHECK(child.read_line().value_or("") == "ended system 0");
  CHECK(child.wait() == 0);
}

}  // namespace

TEST_CASE("a loop that runs out of descriptors pauses accepting and serves everybody later") {
  expect_pause_and_resume("loops=1");
}

TEST_CASE("a balancer that runs out of descriptors pauses accepting and serves everybody later") {
  expect_pause_and_resume("loops=2");
}

}  // namespace ringwire::test
