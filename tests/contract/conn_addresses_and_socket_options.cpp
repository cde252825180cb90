// Where a connection is, and its socket's options: the real addresses, each option with an answer.
//
// Leaves to others: what options set on the socket (handler_takes_buffers.cpp), credentials of unix peers
// (unix_sockets_are_served.cpp).
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace ringwire::test {

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

TEST_CASE("the local address is the one the client came to, not the listener's") {
  RecordingHandler handler;
  std::string local;
  handler.open = [&](Conn& conn) {
    local = conn.local_address().to_string();
    return Action::none;
  };
  TestServer server{handler, quiet(), {"tcp4://:0"}};
  Address door = loopback(server.address().port);
  door.ip[3] = 77;
  const Client client{door};
  REQUIRE(handler.wait_opened(1));
  CHECK(server.address().host() == "0.0.0.0");
  server.stop();
  CHECK(local == "127.0.0.77:" + std::to_string(door.port));
}

TEST_CASE("each socket option answers: bad values, and what a unix socket does not have, are errors") {
  const Transport transport;
  using std::chrono::seconds;
  std::vector<std::error_code> tcp_only;
  std::vector<std::error_code> good;
  std::vector<std::error_code> bad;
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    tcp_only = {conn.set_no_delay(true), conn.set_keepalive(seconds{60}, seconds{5}, 3)};
    good = {conn.set_recv_buffer_size(50'000), conn.set_send_buffer_size(50'000), conn.set_linger(seconds{3}),
            conn.set_linger(std::nullopt)};
    bad = {conn.set_recv_buffer_size(0), conn.set_send_buffer_size(0), conn.set_linger(seconds{-1})};
    return Action::none;
  };
  StreamServer server{handler, transport};
  const Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  server.stop();
  for (const std::error_code& answer : tcp_only) {
    CHECK(answer == (transport.is_unix() ? std::errc::operation_not_supported : std::errc{}));
  }
  for (const std::error_code& answer : good) CHECK_FALSE(answer);
  for (const std::error_code& answer : bad) CHECK(answer == std::errc::invalid_argument);
}

}  // namespace ringwire::test
