// Datagrams: ten peers get a kibibyte back each, by a reply or from another thread.
//
// Left out of the matrix: policies and reuse_port (no balancer sees a datagram, each loop has its socket in
// any case), writev and Buffer (a datagram is sent whole).
#include "tests/contract/matrix.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/datagram_client.hpp"

namespace ringwire::contract {
namespace {

void run_datagram(Way way, std::size_t loops, std::size_t addresses_count) {
  const std::string name = std::string{"server udp "} + (way == Way::write ? "write" : "ref_write") +
                           (loops == 1 ? " 1_loop" : " 2_loops") + " any_spread" +
                           (addresses_count == 1 ? " one_address" : " many_addresses");
  INFO(name);
  test::RecordingHandler handler;
  Elsewhere elsewhere;
  handler.datagram = [&](Datagram& datagram) {
    if (way == Way::write) {
      if (datagram.reply(datagram.bytes())) handler.note("failed");
      return Action::none;
    }
    elsewhere.post([&handler, socket = datagram.socket(), bytes = Buffer{datagram.bytes()},
                    to = datagram.remote_address()] {
      socket.send_to(bytes.bytes(), to,
                     [&handler](std::error_code error) { handler.note(error ? "failed" : "sent"); });
    });
    return Action::none;
  };
  Options options = test::quiet();
  options.loops = loops;
  test::TestServer server{handler, options, std::vector<std::string>(addresses_count, "udp://127.0.0.1:0")};
  REQUIRE(server.addresses().size() == addresses_count);
  std::vector<test::DatagramClient> clients;
  for (std::size_t index = 0; index < peers_count; ++index) {
    clients.emplace_back(server.addresses()[index % addresses_count]);
    REQUIRE(clients[index].send(std::string_view{message(index)}.substr(0, 1024)));
  }
  for (std::size_t index = 0; index < peers_count; ++index) {
    CHECK((clients[index].receive() == std::string_view{message(index)}.substr(0, 1024)));
  }
  if (way == Way::ref_write) CHECK(handler.wait_noted("sent", peers_count));
  CHECK_FALSE(server.stop());
  const test::Record record = handler.record();
  CHECK(record.datagrams == peers_count);
  CHECK(record.count("failed") == 0);
  note_ran(name);
}

void run_datagrams(Way way) {
  for (const std::size_t loops : {1U, 2U}) {
    for (const std::size_t addresses : {1U, 3U}) run_datagram(way, loops, addresses);
  }
}

}  // namespace

TEST_CASE("a kibibyte that a datagram's handler sends back arrives byte for byte", "[matrix]") {
  run_datagrams(Way::write);
}

TEST_CASE("a kibibyte that another thread sends back through a SocketRef arrives byte for byte", "[matrix]") {
  run_datagrams(Way::ref_write);
}

}  // namespace ringwire::contract
