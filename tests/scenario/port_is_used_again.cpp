// A listener's port: freed when the engine ends, taken again at once, refused while somebody has it.
//
// Leaves to others: other failures of the start (start_fails.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ringwire::test {
namespace {

// Binds without SO_REUSEADDR: any leftover of a listener would be in the way.
bool can_bind_plainly(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool bound = ::bind(fd, static_cast<sockaddr*>(static_cast<void*>(&name)), sizeof name) == 0;
  ::close(fd);
  return bound;
}

}  // namespace

TEST_CASE("the port is free as soon as run has returned") {
  for (std::size_t loops = 1; loops <= 2; ++loops) {
    RecordingHandler handler;
    Options options = quiet();
    options.loops = loops;
    TestServer server{handler, options};
    const std::uint16_t port = server.address().port;
    CHECK_FALSE(can_bind_plainly(port));
    CHECK_FALSE(server.stop());
    CHECK(can_bind_plainly(port));
  }
}

TEST_CASE("a restart on the same port works at once, though connections were just closed by us") {
  Address address;
  for (int round = 0; round < 5; ++round) {
    RecordingHandler handler;
    handler.traffic = echo;
    TestServer server{handler, quiet(), {round == 0 ? "tcp://127.0.0.1:0" : url_of(address)}};
    INFO(server.explanation());
    REQUIRE(server.addresses().size() == 1);
    address = server.address();
    Client client{address};
    CHECK(client.exchange("again") == "again");
    // We close first, so the waiting end (TIME_WAIT) is ours.
    handler.first_ref().close();
    CHECK(client.expect_eof());
    client.close();
    CHECK(handler.wait_closed(1));
    CHECK_FALSE(server.stop());
  }
}

TEST_CASE("a port that is taken is answered address_in_use, and explained with the address") {
  RecordingHandler first;
  const TestServer holder{first};
  RecordingHandler second;
  TestServer server{second, quiet(), {url_of(holder.address())}};
  CHECK(server.join() == std::errc::address_in_use);
  CHECK(server.explanation().find(holder.address().to_string()) != std::string::npos);
  CHECK(second.record().boots == 0);
}

TEST_CASE("when the second of two addresses is taken, the first is freed again") {
  RecordingHandler first;
  const TestServer holder{first};
  Address free_one;
  {
    RecordingHandler probe;
    const TestServer server{probe};
    free_one = server.address();
  }
  RecordingHandler second;
  TestServer server{second, quiet(), {url_of(free_one), url_of(holder.address())}};
  CHECK(server.join() == std::errc::address_in_use);
  CHECK(can_bind_plainly(free_one.port));
}

TEST_CASE("two engines run side by side, and stopping one leaves the other") {
  RecordingHandler first;
  first.traffic = echo;
  RecordingHandler second;
  second.traffic = echo;
  TestServer one{first};
  TestServer two{second};
  Client client_one{one.address()};
  Client client_two{two.address()};
  CHECK(client_one.exchange("one") == "one");
  CHECK(client_two.exchange("two") == "two");
  client_one.close();
  CHECK_FALSE(one.stop());
  CHECK(client_two.exchange("still two") == "still two");
  CHECK_FALSE(two.stop());
}

TEST_CASE("one engine listens on many addresses, IPv4 and IPv6") {
  RecordingHandler handler;
  handler.traffic = echo;
  Options options = quiet();
  options.loops = 2;
  TestServer server{handler, options, {"tcp4://127.0.0.1:0", "tcp://[::1]:0", "tcp://127.0.0.1:0"}};
  if (server.addresses().empty()) {
    skip("no IPv6 loopback here: " + server.explanation());
    return;
  }
  REQUIRE(server.addresses().size() == 3);
  CHECK(server.addresses()[0].family == Address::Family::ipv4);
  CHECK(server.addresses()[1].family == Address::Family::ipv6);
  for (const Address& address : server.addresses()) {
    CHECK(address.port != 0);
    Client client{address};
    CHECK(client.exchange(address.to_string()) == address.to_string());
  }
  CHECK(handler.wait_closed(3));
  CHECK_FALSE(server.stop());
}

TEST_CASE("tcp without a host serves IPv4 and IPv6 on one port") {
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler, quiet(), {"tcp://:0"}};
  REQUIRE(server.addresses().size() == 1);
  Client four{loopback(server.address().port)};
  CHECK(four.exchange("four") == "four");
  if (server.address().family == Address::Family::ipv6) {
    Client six{loopback6(server.address().port)};
    CHECK(six.exchange("six") == "six");
  }
}

TEST_CASE("tcp4 without a host serves IPv4") {
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler, quiet(), {"tcp4://:0"}};
  REQUIRE(server.addresses().size() == 1);
  CHECK(server.address().family == Address::Family::ipv4);
  Client client{loopback(server.address().port)};
  CHECK(client.exchange("four") == "four");
}

TEST_CASE("a name is resolved") {
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler, quiet(), {"tcp4://localhost:0"}};
  REQUIRE(server.addresses().size() == 1);
  Client client{server.address()};
  CHECK(client.exchange("home") == "home");
}

}  // namespace ringwire::test
