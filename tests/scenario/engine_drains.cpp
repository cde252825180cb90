// The engine drains: nobody new comes in, those who are there are told one after the other, and who stays too
// long is reset.
//
// Leaves to others: stopping at once (engine_stops.cpp), a signal in between (signals_arrive.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/datagram_client.hpp"
#include "tests/support/server.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

namespace ringwire::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

Options drain_options(std::size_t loops) {
  Options options = quiet();
  options.loops = loops;
  return options;
}

// A server whose connections came in this order on each loop, so that it is known who is told first.
std::vector<Client> connect_in_order(const RecordingHandler& handler, const Address& address,
                                     std::size_t count) {
  std::vector<Client> clients;
  for (std::size_t index = 0; index < count; ++index) {
    clients.emplace_back(address);
    REQUIRE(handler.wait_opened(index + 1));
  }
  return clients;
}

}  // namespace

TEST_CASE("a drain tells the connections of each loop over the whole of its time, and no longer") {
  constexpr milliseconds spread{200};
  constexpr std::size_t per_loop = 5;
  for (std::size_t loops = 1; loops <= 3; loops += 2) {
    std::mutex mutex;
    std::map<std::size_t, std::vector<Clock::time_point>> told;  // By loop.
    Engine* engine = nullptr;
    RecordingHandler handler;
    handler.boot = [&](Engine& booted) {
      engine = &booted;
      return Action::none;
    };
    handler.drain = [&](Conn& conn) {
      const std::lock_guard lock{mutex};
      std::size_t loop = 0;
      while (!(engine->loop(loop) == conn.loop())) ++loop;
      told[loop].push_back(Clock::now());
      return Action::close;
    };
    TestServer server{handler, drain_options(loops)};
    std::vector<Client> clients = connect_in_order(handler, server.address(), loops * per_loop);

    const auto began = Clock::now();
    CHECK_FALSE(server.engine().drain({.deadline = patience, .spread = spread}));
    for (Client& client : clients) CHECK(client.expect_eof());
    clients.clear();
    CHECK_FALSE(server.join());

    CHECK(told.size() == loops);
    for (const auto& [loop, times] : told) {
      REQUIRE(times.size() == per_loop);
      CHECK(std::is_sorted(times.begin(), times.end()));
      // None is told before its turn; how much later depends on the machine.
      CHECK(times.back() - began >= spread * (per_loop - 1) / per_loop);
    }
    CHECK(handler.record().drains == loops * per_loop);
  }
}

TEST_CASE("during a drain the port is free, who was not told is served, and stop tells the rest at once") {
  for (std::size_t loops = 1; loops <= 2; ++loops) {
    DrainCounts counts;
    RecordingHandler handler;
    handler.traffic = echo;
    handler.shutdown = [&](Engine& engine) { counts = engine.drained(); };
    TestServer server{handler, drain_options(loops)};
    std::vector<Client> clients = connect_in_order(handler, server.address(), 3 * loops);

    CHECK_FALSE(server.engine().drain({.deadline = std::chrono::hours{1}, .spread = std::chrono::hours{1}}));
    for (std::size_t loop = 0; loop < loops; ++loop) CHECK(clients[loop].expect_eof());
    for (std::size_t index = loops; index < clients.size(); ++index) {
      CHECK(clients[index].exchange("still here") == "still here");
    }
    CHECK(Client{server.address()}.error() == ECONNREFUSED);

    CHECK_FALSE(server.engine().stop());
    for (std::size_t index = loops; index < clients.size(); ++index) CHECK(clients[index].expect_eof());
    clients.clear();
    CHECK_FALSE(server.join());
    CHECK(handler.record().drains == 3 * loops);
    CHECK(counts.closed == 3 * loops);
    CHECK(counts.cut_off == 0);
  }
}

TEST_CASE("who is still there at the deadline of a drain is reset, and counted") {
  for (std::size_t loops = 1; loops <= 2; ++loops) {
    DrainCounts counts;
    RecordingHandler handler;
    handler.traffic = echo;
    handler.drain = [](Conn&) { return Action::none; };
    handler.shutdown = [&](Engine& engine) { counts = engine.drained(); };
    TestServer server{handler, drain_options(loops)};
    std::vector<Client> clients = connect_in_order(handler, server.address(), 6);

    const auto began = Clock::now();
    CHECK_FALSE(server.engine().drain({.deadline = milliseconds{300}}));
    REQUIRE(handler.wait([](const Record& record) { return record.drains == 6; }));
    CHECK(clients[0].exchange("one moment") == "one moment");  // It has time to finish.
    clients[0].close();
    CHECK_FALSE(server.join());
    CHECK(Clock::now() - began >= milliseconds{300});
    for (std::size_t index = 1; index < 6; ++index) CHECK(clients[index].expect_reset());
    CHECK(counts.closed == 1);
    CHECK(counts.cut_off == 5);
    const Record record = handler.record();
    CHECK(std::count(record.reasons.begin(), record.reasons.end(), Error::engine_stopped) == 5);
  }
}

TEST_CASE("a drain serves datagrams and goes on with its ticks until a stop", "[features]") {
  for (std::size_t loops = 1; loops <= 2; ++loops) {
    RecordingHandler handler;
    handler.traffic = echo;
    handler.datagram = echo_datagram;
    handler.tick = [] { return Tick{milliseconds{5}}; };
    Options options = drain_options(loops);
    options.ticker = true;
    TestServer server{handler, options, {"tcp4://127.0.0.1:0", "udp4://127.0.0.1:0"}};
    REQUIRE(server.addresses().size() == 2);
    Client client{server.addresses()[0]};
    const DatagramClient peer{server.addresses()[1]};
    CHECK(peer.exchange("before") == "before");

    CHECK_FALSE(server.engine().drain({.deadline = std::chrono::hours{1}}));
    CHECK(client.expect_eof());
    client.close();
    REQUIRE(handler.wait([](const Record& record) { return record.drains == 1; }));
    CHECK(peer.exchange("during") == "during");
    const std::size_t ticks = handler.record().ticks;
    CHECK(handler.wait([&](const Record& record) { return record.ticks > ticks + 3; }));
    const DatagramClient newcomer{server.addresses()[1]};
    CHECK(newcomer.exchange("new") == "new");

    CHECK_FALSE(server.engine().stop());
    CHECK_FALSE(server.join());
  }
}

TEST_CASE("a drain of an engine with a udp address lasts until its deadline") {
  RecordingHandler handler;
  handler.datagram = echo_datagram;
  TestServer server{handler, drain_options(1), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient peer{server.address()};
  CHECK(peer.exchange("hello") == "hello");
  const auto began = Clock::now();
  CHECK_FALSE(server.engine().drain({.deadline = milliseconds{200}}));
  CHECK_FALSE(server.join());
  CHECK(Clock::now() - began >= milliseconds{200});
}

TEST_CASE("a drain that spreads for longer than it lasts tells everybody before its deadline") {
  RecordingHandler handler;
  handler.drain = [](Conn&) { return Action::none; };
  TestServer server{handler, drain_options(1)};
  const std::vector<Client> clients = connect_in_order(handler, server.address(), 5);
  CHECK_FALSE(server.engine().drain({.deadline = milliseconds{100}, .spread = std::chrono::hours{1}}));
  CHECK_FALSE(server.join());
  CHECK(handler.record().drains == 5);
  CHECK(handler.record().closed == 5);
}

TEST_CASE("a drain before the loops run makes run return") {
  for (std::size_t loops = 1; loops <= 2; ++loops) {
    RecordingHandler handler;
    handler.boot = [](Engine& engine) {
      CHECK_FALSE(engine.drain({.deadline = std::chrono::hours{1}, .spread = std::chrono::hours{1}}));
      return Action::none;
    };
    TestServer server{handler, drain_options(loops)};
    CHECK_FALSE(server.join());
    CHECK(handler.record().opened == 0);
  }
}

}  // namespace ringwire::test
