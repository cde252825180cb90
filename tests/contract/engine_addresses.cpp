// The addresses of an engine: many, of every protocol, told in their order and with real ports.
//
// Leaves to others: addresses that are refused (start_fails.cpp), IPv6 (port_is_used_again.cpp), zones
// (tests/net/address_test.cpp), unix sockets (unix_sockets_are_served.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/datagram_client.hpp"
#include "tests/support/directory.hpp"
#include "tests/support/server.hpp"

#include <string>
#include <vector>

namespace ringwire::test {

TEST_CASE(
    "tcp, udp and unix addresses of one engine are told in their order, with real ports, and all serve") {
  for (const std::size_t loops : {1U, 2U}) {
    const Directory directory;
    RecordingHandler handler;
    handler.traffic = echo;
    handler.datagram = echo_datagram;
    Options options = quiet();
    options.loops = loops;
    TestServer server{handler,
                      options,
                      {"tcp://127.0.0.1:0", "unix://" + directory / "path", "udp://127.0.0.1:0",
                       "tcp4://127.0.0.2:0", "udp4://127.0.0.3:0", "unix://@ringwire-" + directory.path()}};
    const std::vector<Address>& addresses = server.addresses();
    REQUIRE(addresses.size() == 6);
    CHECK(addresses[0].host() == "127.0.0.1");
    CHECK(addresses[1].host() == directory / "path");
    CHECK(addresses[3].host() == "127.0.0.2");
    CHECK(addresses[4].host() == "127.0.0.3");
    CHECK(addresses[5].host() == "@ringwire-" + directory.path());
    for (const std::size_t stream : {0U, 1U, 3U, 5U}) {
      INFO(addresses[stream].to_string());
      CHECK(Client{addresses[stream]}.exchange("stream") == "stream");
    }
    for (const std::size_t datagram : {2U, 4U}) {
      CHECK(addresses[datagram].port != 0);
      CHECK(DatagramClient{addresses[datagram]}.exchange("datagram") == "datagram");
    }
    CHECK_FALSE(server.stop());
  }
}

}  // namespace ringwire::test
