// A connection that is idle, silent, deaf or old for too long is closed, not before the time, with the
// reason.
//
// Leaves to others: close_timeout and stop_timeout, which stand with what they bound.
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <chrono>
#include <utility>

namespace ringwire::test {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

TEST_CASE("an idle connection is closed with idle_timeout, not before the time") {
  const Transport transport;
  RecordingHandler handler;
  Options options = quiet();
  options.idle_timeout = milliseconds{100};
  StreamServer server{handler, transport, options};
  const auto start = Clock::now();
  Client client{server.address()};
  [[maybe_unused]] const std::string rest = client.receive_until_eof();
  CHECK(Clock::now() - start >= milliseconds{99});
  CHECK(client.error() != ETIMEDOUT);
  client.close();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK(handler.record().reasons.front() == Error::idle_timeout);
}

TEST_CASE("activity keeps a connection alive beyond its idle timeout") {
  RecordingHandler handler;
  handler.traffic = echo;
  Options options = quiet();
  options.idle_timeout = milliseconds{1000};
  TestServer server{handler, options};
  Client client{server.address()};
  for (int round = 0; round < 15; ++round) {
    CHECK(client.expect_silence(milliseconds{100}));
    CHECK(client.exchange("x") == "x");
  }
  CHECK(handler.record().closed == 0);
}

TEST_CASE("sending alone is activity too") {
  RecordingHandler handler;
  Options options = quiet();
  options.idle_timeout = milliseconds{1000};
  TestServer server{handler, options};
  Client client{server.address()};
  const ConnRef ref = handler.first_ref();
  for (int round = 0; round < 15; ++round) {
    CHECK(client.expect_silence(milliseconds{100}));
    ref.write("news");
    CHECK(client.receive_exactly(4) == "news");
  }
  CHECK(handler.record().closed == 0);
}

TEST_CASE("set_idle_timeout gives one connection its own time, and 0 turns it off") {
  // For all others the time is an hour, so who is closed was closed by its own time.
  RecordingHandler brisk_handler;
  brisk_handler.open = [](Conn& conn) {
    conn.set_idle_timeout(milliseconds{50});
    return Action::none;
  };
  Options options = quiet();
  options.idle_timeout = std::chrono::hours{1};
  TestServer brisk_server{brisk_handler, options};
  Client brisk{brisk_server.address()};
  CHECK(brisk.expect_eof());
  brisk.close();
  REQUIRE(brisk_handler.wait_closed(1));
  CHECK(brisk_handler.record().reasons.front() == Error::idle_timeout);

  // Everybody is closed after 50 ms. Two that came one after the other have been by the end, so the time of
  // the first of all, which has none, would have been over long before.
  RecordingHandler handler;
  bool first = true;
  handler.open = [&first](Conn& conn) {
    if (std::exchange(first, false)) conn.set_idle_timeout(milliseconds{0});
    return Action::none;
  };
  handler.traffic = echo;
  options.idle_timeout = milliseconds{50};
  TestServer server{handler, options};
  Client patient{server.address()};
  REQUIRE(handler.wait_opened(1));
  for (std::size_t count = 1; count <= 2; ++count) {
    Client other{server.address()};
    CHECK(other.expect_eof());
    other.close();
    REQUIRE(handler.wait_closed(count));
  }
  CHECK(patient.exchange("still here") == "still here");
  CHECK(handler.record().closed == 2);
}

TEST_CASE("a peer that sends nothing is closed with read_timeout, though we send", "[features]") {
  const Transport transport;
  RecordingHandler handler;
  Options options = quiet();
  options.read_timeout = milliseconds{150};
  StreamServer server{handler, transport, options};
  const auto start = Clock::now();
  Client client{server.address()};
  const ConnRef ref = handler.first_ref();
  while (handler.record().closed == 0 && Clock::now() - start < patience) {
    ref.write("news");
    if (client.receive_exactly(4).size() < 4) break;
    static_cast<void>(client.expect_silence(milliseconds{10}));
    if (client.at_eof()) break;
  }
  CHECK(Clock::now() - start >= milliseconds{149});
  client.close();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK(handler.record().reasons.front() == Error::read_timeout);
}

TEST_CASE("a peer that reads nothing is reset with write_timeout; one that reads slowly is not") {
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    conn.write(std::string(8 << 20, 'x'));
    return Action::none;
  };
  handler.tick = []() -> Tick { return {milliseconds{10}}; };
  Options options = quiet();
  options.write_timeout = milliseconds{1000};
  options.ticker = true;
  TestServer server{handler, options};
  Client dead{server.address(), 16 * 1024};
  Client slow{server.address(), 16 * 1024};
  REQUIRE(handler.wait_opened(2));
  std::size_t received = 0;
  for (std::size_t tick = 1; received < 8 << 20 && slow.ok(); ++tick) {
    REQUIRE(handler.wait([&](const Record& record) { return record.ticks >= tick; }));
    received += slow.receive_exactly(64 * 1024).size();
  }
  CHECK(received == 8 << 20);
  REQUIRE(handler.wait_closed(1));
  CHECK(handler.record().reasons.front() == Error::write_timeout);
  CHECK(dead.expect_reset());
  CHECK(slow.ok());
}

TEST_CASE("a connection's lifetime ends while it is busy, and what was written arrives", "[features]") {
  const Transport transport;
  RecordingHandler handler;
  handler.traffic = echo;
  Options options = quiet();
  options.lifetime = milliseconds{200};
  StreamServer server{handler, transport, options};
  const auto start = Clock::now();
  Client client{server.address()};
  std::size_t rounds = 0;
  for (; client.exchange("x") == "x"; ++rounds) REQUIRE(Clock::now() - start < patience);
  CHECK(rounds > 1);
  CHECK(client.expect_eof());
  CHECK(Clock::now() - start >= milliseconds{199});
  client.close();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK(handler.record().reasons.front() == Error::lifetime_ended);
}

TEST_CASE("now is when the lap began: it stands still for a busy handler, and patience counts from it") {
  constexpr milliseconds busy{40};
  constexpr milliseconds patience_with_peer{100};
  Clock::time_point began;
  Clock::time_point later;
  Clock::time_point ended;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    began = conn.now();
    while (Clock::now() - began < busy) {
    }
    later = conn.now();
    return Action::close;
  };
  handler.close = [&](Conn& conn, std::error_code /*reason*/) {
    ended = conn.now();
    return Action::none;
  };
  Options options = quiet();
  options.close_timeout = patience_with_peer;
  TestServer server{handler, options};
  const auto before = Clock::now();
  Client client{server.address()};
  CHECK(client.send_all("x"));
  CHECK(client.expect_eof());  // And no FIN of ours: it is waited for in vain.
  REQUIRE(handler.wait_closed(1));
  const auto after = Clock::now();
  server.stop();
  CHECK(began >= before);
  CHECK(later == began);
  CHECK(ended - began >= patience_with_peer);
  CHECK(ended <= after);
}

TEST_CASE("a hundred idle connections are all closed in time", "[features]") {
  RecordingHandler handler;
  Options options = quiet();
  options.idle_timeout = milliseconds{100};
  options.close_timeout = milliseconds{100};
  options.loops = 2;
  TestServer server{handler, options};
  const std::vector<Client> clients = connect_many(server.address(), 100);
  CHECK(handler.wait_closed(100));
  server.stop();
  std::size_t right = 0;
  for (const std::error_code& reason : handler.record().reasons)
    right += reason == Error::idle_timeout ? 1 : 0;
  CHECK(right == 100);
}

}  // namespace ringwire::test
