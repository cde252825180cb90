// With a limit on the whole engine's connections clients wait in the backlog; with one on each address they
// are reset.
//
// Leaves to others: the limit of one loop (connections_are_balanced.cpp), descriptors that run out
// (descriptors_run_out.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <poll.h>

#include <atomic>

namespace ringwire::test {
namespace {

// An echo server that knows how many were open at most.
struct Crowd {
  Crowd() {
    handler.open = [this](Conn&) {
      const int now = ++open;
      int before = most;
      while (now > before && !most.compare_exchange_weak(before, now)) {
      }
      return Action::none;
    };
    handler.close = [this](Conn&, std::error_code) {
      --open;
      return Action::none;
    };
    handler.traffic = echo;
  }

  RecordingHandler handler;
  std::atomic<int> open = 0;
  std::atomic<int> most = 0;
};

Options limited(std::size_t loops, std::size_t all, std::size_t per_ip = 0) {
  Options options = quiet();
  options.loops = loops;
  options.engine_connections_max = all;
  options.connections_per_ip_max = per_ip;
  return options;
}

// Everybody asks at once; each leaves when it has been answered, in whatever order that is. Answers how many
// were.
std::size_t serve_all(std::vector<Client>& clients) {
  std::vector<pollfd> waiting;
  for (Client& client : clients) {
    if (!client.send_all("ping")) return 0;
    waiting.push_back({client.fd(), POLLIN, 0});
  }
  std::size_t served = 0;
  for (std::size_t left = clients.size(); left > 0; --left) {
    if (::poll(waiting.data(), waiting.size(), static_cast<int>(patience.count())) <= 0) break;
    std::size_t index = 0;
    while (waiting[index].revents == 0) ++index;
    served += clients[index].receive_exactly(4) == "ping" ? 1 : 0;
    clients[index].close();
    waiting[index] = {-1, 0, 0};
  }
  return served;
}

void expect_cap(const Options& options, std::vector<std::string> addresses) {
  constexpr std::size_t count = 40;
  Crowd crowd;
  TestServer server{crowd.handler, options, std::move(addresses)};
  REQUIRE_FALSE(server.addresses().empty());
  std::vector<Client> clients;
  for (std::size_t index = 0; index < count; ++index) {
    clients.emplace_back(server.addresses()[index % server.addresses().size()]);
    REQUIRE(clients.back().ok());
  }
  CHECK(serve_all(clients) == count);
  REQUIRE(crowd.handler.wait_closed(count));
  CHECK(server.engine().connections_refused() == 0);
  CHECK_FALSE(server.stop());
  CHECK(crowd.most <= static_cast<int>(options.engine_connections_max));
}

}  // namespace

TEST_CASE("an engine that is full lets its clients wait, and each is served when another has left") {
  expect_cap(limited(1, 3), {"tcp://127.0.0.1:0"});
}

TEST_CASE("two loops together have no more connections than the engine may have") {
  expect_cap(limited(2, 3), {"tcp://127.0.0.1:0"});
}

TEST_CASE("clients of two listeners share the engine's places, down to a single one") {
  expect_cap(limited(1, 1), {"tcp://127.0.0.1:0", "tcp://127.0.0.1:0"});
  expect_cap(limited(2, 1), {"tcp://127.0.0.1:0", "tcp://127.0.0.1:0"});
}

TEST_CASE("loops that accept for themselves share the engine's places, too") {
  Options options = limited(2, 3);
  options.reuse_port = true;
  expect_cap(options, {"tcp://127.0.0.1:0"});
}

TEST_CASE("an engine that is full stops, and the clients that wait see it") {
  Crowd crowd;
  TestServer server{crowd.handler, limited(1, 2)};
  std::vector<Client> clients = connect_many(server.address(), 4);
  REQUIRE(crowd.handler.wait_opened(2));
  CHECK(clients[3].expect_silence(std::chrono::milliseconds{50}));
  CHECK_FALSE(server.stop());
  CHECK(crowd.most == 2);
  for (Client& client : clients) {
    CHECK(client.receive_until_eof().empty());
  }
}

TEST_CASE("beyond the limit of its address a client is reset and counted, and let in when another has left") {
  const std::size_t loops = GENERATE(1U, 2U);
  Crowd crowd;
  TestServer server{crowd.handler, limited(loops, 0, 3), {"tcp://127.0.0.1:0", "tcp://:0"}};
  REQUIRE(server.addresses().size() == 2);
  std::vector<Client> clients = connect_many(server.addresses()[0], 3);
  REQUIRE(crowd.handler.wait_opened(3));
  for (int count = 0; count < 4; ++count) {
    // The same client, whichever listener it comes to.
    Client late{loopback(server.addresses()[static_cast<std::size_t>(count) % 2].port)};
    CHECK(late.expect_reset());
  }
  CHECK(server.wait_refused(4));
  CHECK(server.wait_count(3));
  clients.pop_back();
  REQUIRE(crowd.handler.wait_closed(1));
  CHECK(server.wait_count(2));
  Client again{server.address()};
  CHECK(again.exchange("in") == "in");
  CHECK(crowd.most == 3);
}

TEST_CASE("a burst from one address is let in up to its limit, not one more") {
  Crowd crowd;
  TestServer server{crowd.handler, limited(2, 0, 5)};
  const std::vector<Client> clients = connect_many(server.address(), 30);
  CHECK(server.wait_refused(25));
  CHECK(server.wait_count(5));
  CHECK_FALSE(server.stop());
  CHECK(crowd.most == 5);
}

}  // namespace ringwire::test
