// Which loop a connection comes to, when its client's address, a policy of the user's or the kernel decides.
//
// Leaves to others: round robin and least connections (connections_are_balanced.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/directory.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::test {
namespace {

Address source(std::uint8_t last) {
  Address address = loopback(0);
  address.ip[3] = last;
  return address;
}

// Remembers which loops each client host was served by.
struct Hosts {
  Hosts() {
    handler.open = [this](Conn& conn) {
      const std::lock_guard lock{mutex};
      loops_of[conn.remote_address().host()].insert(loop_index(conn));
      ++count_on[loop_index(conn)];
      return Action::none;
    };
    handler.boot = [this](Engine& started) {
      engine = &started;
      return Action::none;
    };
    handler.traffic = echo;
  }

  std::size_t loop_index(Conn& conn) const {
    std::size_t index = 0;
    while (!(engine->loop(index) == conn.loop())) ++index;
    return index;
  }

  RecordingHandler handler;
  Engine* engine = nullptr;
  std::mutex mutex;
  std::map<std::string, std::set<std::size_t>> loops_of;
  std::map<std::size_t, std::size_t> count_on;
};

// Answers a fixed loop for each host, and keeps what it was told.
struct ByLastByte final : BalancingPolicy {
  std::size_t assign(const Address& peer, std::span<const LoopLoad> loops) override {
    const std::lock_guard lock{mutex};
    peers.push_back(peer);
    seen.emplace_back(loops.begin(), loops.end());
    if (peer.ip[3] == 66) throw std::runtime_error("not that one");
    return peer.ip[3] % loops.size();
  }

  std::mutex mutex;
  std::vector<Address> peers;
  std::vector<std::vector<LoopLoad>> seen;
};

Options on(std::size_t loops, Balancing balancing) {
  Options options = quiet();
  options.loops = loops;
  options.balancing = balancing;
  return options;
}

// A server whose connections the policy assigns.
struct Ruled {
  explicit Ruled(Options options) : server{hosts.handler, obeying(options)} {}

  Options obeying(Options& options) {
    options.balancing_policy = &policy;
    return options;
  }

  Hosts hosts;
  ByLastByte policy;
  TestServer server;
};

// What was logged, on whatever thread.
struct Lines {
  std::mutex mutex;
  std::vector<std::string> all;
};

Lines& logged() {
  static Lines lines;
  return lines;
}

}  // namespace

TEST_CASE("with source hash every connection of one host comes to the same loop, whatever its port") {
  Hosts hosts;
  TestServer server{hosts.handler, on(3, Balancing::source_hash)};
  std::vector<Client> clients;
  for (int round = 0; round < 5; ++round) {
    for (std::uint8_t host = 2; host < 42; ++host)
      clients.push_back(connect_from(source(host), server.address()));
  }
  REQUIRE(hosts.handler.wait_opened(200));
  CHECK_FALSE(server.stop());
  CHECK(hosts.loops_of.size() == 40);
  for (const auto& [host, loops] : hosts.loops_of) {
    INFO(host);
    CHECK(loops.size() == 1);
  }
  // Forty hosts over three loops: each has some, none has nearly all.
  CHECK(hosts.count_on.size() == 3);
  for (const auto& [loop, count] : hosts.count_on) CHECK(count <= 5 * 27);
}

TEST_CASE("with source hash a host is the same one on a listener for both IP versions") {
  Hosts hosts;
  TestServer server{hosts.handler, on(4, Balancing::source_hash), {"tcp4://127.0.0.1:0", "tcp://:0"}};
  if (server.addresses().empty()) return skip("no IPv6 here: " + server.explanation());
  std::vector<Client> clients;
  for (std::uint8_t host = 2; host < 12; ++host) {
    for (const Address& address : server.addresses()) {
      clients.push_back(connect_from(source(host), loopback(address.port)));
    }
  }
  REQUIRE(hosts.handler.wait_opened(20));
  CHECK_FALSE(server.stop());
  for (std::uint8_t host = 2; host < 12; ++host) {
    const std::string name = source(host).host();
    CHECK(hosts.loops_of[name] == hosts.loops_of["::ffff:" + name]);
  }
}

TEST_CASE("with source hash the clients of a unix socket go from loop to loop") {
  const Directory directory;
  Hosts hosts;
  TestServer server{hosts.handler, on(3, Balancing::source_hash), {"unix://" + directory / "x"}};
  REQUIRE(server.addresses().size() == 1);
  const std::vector<Client> clients = connect_many(server.address(), 12);
  REQUIRE(hosts.handler.wait_opened(12));
  CHECK_FALSE(server.stop());
  for (std::size_t loop = 0; loop < 3; ++loop) CHECK(hosts.count_on[loop] == 4);
}

TEST_CASE("a policy of the user's decides, and is told the peer and what each loop carries") {
  Ruled ruled{on(3, Balancing::round_robin)};
  auto& [hosts, policy, server] = ruled;
  std::vector<Client> clients;
  for (const std::uint8_t host : {3, 3, 4, 5, 3}) {
    clients.push_back(connect_from(source(host), server.address()));
    REQUIRE(hosts.handler.wait_opened(clients.size()));
  }
  CHECK_FALSE(server.stop());
  CHECK(hosts.loops_of[source(3).host()] == std::set<std::size_t>{0});
  CHECK(hosts.loops_of[source(4).host()] == std::set<std::size_t>{1});
  CHECK(hosts.loops_of[source(5).host()] == std::set<std::size_t>{2});
  REQUIRE(policy.peers.size() == 5);
  CHECK(policy.peers[0].host() == source(3).host());
  CHECK(policy.peers[0].port != 0);
  CHECK(policy.seen[0][0].assigned == 0);
  CHECK(policy.seen[4][0].assigned == 2);
  CHECK(policy.seen[4][0].active == 2);
  CHECK(policy.seen[4][1].active == 1);
}

TEST_CASE("a policy is told who has left") {
  Ruled ruled{on(2, Balancing::round_robin)};
  auto& [hosts, policy, server] = ruled;
  connect_from(source(2), server.address()).close();
  REQUIRE(hosts.handler.wait_closed(1));
  CHECK(server.wait_count(0));
  const Client client = connect_from(source(2), server.address());
  REQUIRE(hosts.handler.wait_opened(2));
  CHECK_FALSE(server.stop());
  REQUIRE(policy.seen.size() == 2);
  CHECK(policy.seen[1][0].assigned == 1);
  CHECK(policy.seen[1][0].active == 0);
}

TEST_CASE("a policy that throws is logged, and its connection served all the same") {
  Options options = on(2, Balancing::round_robin);
  options.log_level = LogLevel::error;
  options.log_sink = [](LogLevel, std::string_view line) {
    const std::lock_guard lock{logged().mutex};
    logged().all.emplace_back(line);
  };
  Ruled ruled{options};
  for (int count = 0; count < 4; ++count) {
    Client client = connect_from(source(66), ruled.server.address());
    CHECK(client.exchange("hello") == "hello");
  }
  CHECK_FALSE(ruled.server.stop());
  CHECK(ruled.policy.peers.size() == 4);
  CHECK(logged().all == std::vector<std::string>(4, "the balancing policy threw: not that one"));
}

TEST_CASE("with one loop no policy is asked") {
  Ruled ruled{on(1, Balancing::source_hash)};
  CHECK(Client{ruled.server.address()}.exchange("hello") == "hello");
  CHECK_FALSE(ruled.server.stop());
  CHECK(ruled.policy.peers.empty());
}

TEST_CASE("with reuse_port each loop accepts for itself, and all get some of many connections",
          "[features]") {
  REQUIRE(engine_threads_left().empty());
  Hosts hosts;
  Options options = on(3, Balancing::round_robin);
  options.reuse_port = true;
  TestServer server{hosts.handler, options};
  std::vector<Client> clients = connect_many(server.address(), 120);
  REQUIRE(hosts.handler.wait_opened(120));
  const std::vector<std::string> names = thread_names();
  CHECK(std::count(names.begin(), names.end(), "ringwire/bal") == 0);
  CHECK(server.addresses().size() == 1);
  std::vector<std::string> sent(120, "hello");
  CHECK(exchange_all(clients, sent) == sent);
  CHECK_FALSE(server.stop());
  CHECK(hosts.count_on.size() == 3);  // The kernel hashes addresses and ports: 1 in 10^20 leaves one out.
}

TEST_CASE("with reuse_port two engines share a port, and one of them may stop") {
  Hosts first;
  Options options = on(2, Balancing::round_robin);
  options.reuse_port = true;
  TestServer server{first.handler, options};
  Hosts second;
  TestServer heir{second.handler, options, {url_of(server.address())}};
  REQUIRE(heir.addresses().size() == 1);
  {
    const std::vector<Client> clients = connect_many(server.address(), 100);
    CHECK(second.handler.wait_opened(1));
  }
  CHECK_FALSE(server.stop());
  const std::size_t before = second.handler.record().opened;
  const std::vector<Client> clients = connect_many(heir.address(), 10);
  CHECK(second.handler.wait_opened(before + 10));
}

TEST_CASE("a port of an engine without reuse_port is in use for one with it") {
  Hosts first;
  TestServer server{first.handler, on(2, Balancing::round_robin)};
  Hosts second;
  Options options = on(2, Balancing::round_robin);
  options.reuse_port = true;
  TestServer late{second.handler, options, {url_of(server.address())}};
  CHECK(late.join() == std::errc::address_in_use);
}

TEST_CASE("with reuse_port the loops share a unix socket") {
  const Directory directory;
  Hosts hosts;
  Options options = on(2, Balancing::round_robin);
  options.reuse_port = true;
  TestServer server{hosts.handler, options, {"unix://" + directory / "x"}};
  REQUIRE(server.addresses().size() == 1);
  const std::vector<Client> clients = connect_many(server.address(), 20);
  CHECK(hosts.handler.wait_opened(20));
  CHECK_FALSE(server.stop());
}

}  // namespace ringwire::test
