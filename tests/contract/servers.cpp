// Servers: whatever the transport, the way of writing, the loops, the policy and the addresses, ten clients
// get the greeting, then their own bytes back.
//
// Leaves to others: what single policies and ways promise beyond that (tests/scenario).
#include "tests/contract/matrix.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"

#include <cstdint>

namespace ringwire::contract {
namespace {

using test::Client;

// Each TCP client is a host of its own, so that a hash of hosts has something to spread.
Client connect(const Address& address, std::size_t index) {
  if (address.family == Address::Family::unix_socket) return Client{address};
  Address source = test::loopback(0);
  source.ip[3] = static_cast<std::uint8_t>(2 + index);
  return test::connect_from(source, address);
}

void exchange(const test::TestServer& server) {
  std::vector<Client> clients;
  std::vector<std::string> sent;
  for (std::size_t index = 0; index < peers_count; ++index) {
    clients.push_back(connect(server.addresses()[index % server.addresses().size()], index));
    sent.push_back(message(index));
  }
  for (Client& client : clients) CHECK(client.receive_exactly(greeting.size()) == greeting);
  const std::vector<std::string> received = test::exchange_all(clients, sent);
  for (std::size_t index = 0; index < peers_count; ++index) {
    INFO("client " << index << ": " << received[index].size() << " of " << sent[index].size() << " bytes");
    CHECK((received[index] == sent[index]));
  }
  CHECK(server.wait_count(peers_count));
}

void run_server(const Configuration& one) {
  INFO(one.name());
  const test::Directory directory;
  Turns policy;
  test::RecordingHandler handler;
  Sender sender{one.way, handler};
  handler.open = [](Conn& conn) {
    conn.write(greeting);
    return Action::none;
  };
  handler.traffic = [&](Conn& conn) {
    sender.echo(conn);
    return Action::none;
  };
  test::TestServer server{handler, one.options(policy), one.addresses(directory)};
  REQUIRE(server.addresses().size() == one.addresses_count);
  exchange(server);
  expect_all_served(server, handler);
  CHECK(policy.asked == (one.spread == Spread::own_policy && one.loops > 1 ? peers_count : 0));
  note_ran(one.name());
}

void run_servers(Way way) {
  for (const bool is_unix : {false, true}) {
    for (const Configuration& one : servers(is_unix, way)) run_server(one);
  }
}

}  // namespace

TEST_CASE("what servers write with Conn::write comes back byte for byte", "[matrix]") {
  run_servers(Way::write);
}

TEST_CASE("what servers write through a ConnRef from another thread comes back byte for byte", "[matrix]") {
  run_servers(Way::ref_write);
}

TEST_CASE("what servers write with Conn::writev comes back byte for byte", "[matrix]") {
  run_servers(Way::writev);
}

TEST_CASE("what servers take as a Buffer and write comes back byte for byte", "[matrix]") {
  run_servers(Way::buffer);
}

}  // namespace ringwire::contract
