// A handler that pauses: the peer is slowed down, nothing is told meanwhile, and nothing is lost. Two
// connections coupled this way are the proxy example.
//
// Leaves to others: the pause that the inbound limit makes (peer_reads_slowly.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

namespace ringwire::test {

using std::chrono::milliseconds;

TEST_CASE("a paused connection's peer blocks, and after resume every byte and the end arrive", "[features]") {
  std::string seen;
  std::size_t most = 0;
  std::atomic<bool> paused = false;
  std::atomic<std::size_t> told_while_paused = 0;
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    paused = true;
    conn.pause();
    return Action::none;
  };
  handler.traffic = [&](Conn& conn) {
    told_while_paused += paused ? 1 : 0;
    most = std::max(most, conn.inbound_size());
    seen += to_text(conn.next());
    return Action::none;
  };
  Options options = quiet();
  options.recv_buffers_count = 16;
  TestServer server{handler, options};
  Client client{server.address()};
  const std::string pattern = random_bytes(6, 1'000'003);
  constexpr std::size_t plenty = 64 << 20;
  const std::size_t sent = client.send_until_blocked(pattern, plenty, milliseconds{300});
  REQUIRE(sent < plenty);
  client.shutdown_write();
  CHECK(handler.record().traffics == 0);

  handler.first_ref().post([&](Conn* conn) {
    paused = false;
    conn->resume();
  });
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK(told_while_paused == 0);
  CHECK(handler.record().eofs == 1);
  CHECK(seen.size() == sent);
  bool same = true;
  for (std::size_t at = 0; at < seen.size() && same; at += pattern.size()) {
    same = seen.substr(at, pattern.size()) == pattern.substr(0, std::min(pattern.size(), seen.size() - at));
  }
  CHECK(same);
}

TEST_CASE("what arrives between pause and the end of the receive is kept and offered after resume") {
  std::string seen;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    seen += to_text(conn.next());
    conn.pause();  // More may be under way, or come in the same lap.
    conn.loop().post([ref = conn.ref()] {
      ref.post([](Conn* paused) {
        if (paused != nullptr) paused->resume();
      });
    });
    return Action::none;
  };
  TestServer server{handler};
  Client client{server.address()};
  const std::string sent = random_bytes(7, scaled(20 << 20, 2 << 20));
  CHECK(client.send_all(sent));
  client.shutdown_write();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK((seen == sent));
}

TEST_CASE("a paused connection still writes, is closed by timeouts and by us", "[features]") {
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    conn.pause();
    conn.write("hello");
    return Action::none;
  };
  Options options = quiet();
  options.idle_timeout = milliseconds{200};
  TestServer server{handler, options};
  Client first{server.address()};
  CHECK(first.receive_exactly(5) == "hello");
  handler.first_ref().close();
  CHECK(first.expect_eof());
  first.close();
  REQUIRE(handler.wait_closed(1));
  Client second{server.address()};
  CHECK(second.receive_exactly(5) == "hello");
  CHECK(second.expect_eof());
  second.close();
  REQUIRE(handler.wait_closed(2));
  server.stop();
  CHECK_FALSE(handler.record().reasons[0]);
  CHECK(handler.record().reasons[1] == Error::idle_timeout);
  CHECK(handler.record().traffics == 0);
}

#ifdef RINGWIRE_EXAMPLE_PROXY
namespace {

std::size_t resident_size_of(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/statm"};
  std::size_t all = 0;
  std::size_t resident = 0;
  file >> all >> resident;
  return resident * 4096;
}

// The proxy in a process of its own, in front of a target.
struct Proxied {
  explicit Proxied(const TestServer& target)
      : child{{RINGWIRE_EXAMPLE_PROXY, "0", url_of(target.address())}},
        port{port_in(child.read_line().value_or(":0"))} {}
  Child child;
  std::uint16_t port;
};

}  // namespace

TEST_CASE("the proxy example is byte-exact both ways, passes half-closes on, and ends well") {
  RecordingHandler target;
  target.traffic = echo;
  TestServer server{target};
  Proxied proxy{server};
  Client client{loopback(proxy.port)};
  const std::string sent = random_bytes(3, scaled(8 << 20, 1 << 20));
  CHECK((client.exchange(sent) == sent));
  client.shutdown_write();
  CHECK(client.expect_eof());
  client.close();
  CHECK(target.wait_closed(1));
  proxy.child.signal(SIGTERM);
  CHECK(proxy.child.wait() == 0);
}

TEST_CASE("a slow reader behind the proxy example slows the writer down: memory stays bounded") {
  const std::size_t total = scaled(100 << 20, 32 << 20);  // Twice what the proxy may take.
  const std::string piece = random_bytes(4, 1'000'003);
  const std::string pieces = piece + piece + piece;
  std::size_t written = 0;
  // A source that would send everything at once.
  const auto pump = [&](Conn& conn) {
    Written answer = Written::queued;
    while (written < total && answer == Written::queued) {
      const std::size_t size = std::min(piece.size(), total - written);
      answer = conn.write(std::string_view{piece}.substr(0, size));
      if (answer != Written::refused) written += size;
    }
    if (written == total) conn.close();
    return Action::none;
  };
  RecordingHandler target;
  target.open = target.writable = pump;
  std::size_t ticks_still = 0;
  std::size_t written_before = 0;
  target.tick = [&]() -> Tick {
    const bool still = written != 0 && written == std::exchange(written_before, written);
    ticks_still = still ? ticks_still + 1 : 0;
    if (ticks_still == 30) target.note("held up");
    return {milliseconds{10}};
  };
  Options options = quiet();
  options.ticker = true;
  TestServer server{target, options};
  Proxied proxy{server};
  Client client{loopback(proxy.port), 64 * 1024};
  REQUIRE(target.wait_noted("held up"));  // Nobody reads, and everything between us is full.
  std::size_t most = 0;
  std::size_t received = 0;
  bool same = true;
  while (received < total && client.ok()) {
    const std::string part = client.receive_exactly(std::min<std::size_t>(1 << 20, total - received));
    same &= part == std::string_view{pieces}.substr(received % piece.size(), part.size());
    received += part.size();
    most = std::max(most, resident_size_of(proxy.child.pid()));
  }
  CHECK(received == total);
  CHECK(same);
  CHECK(most > 0);
  CHECK(most < scaled(48 << 20, 512 << 20));
  CHECK(client.expect_eof());
  client.close();
}
#endif

}  // namespace ringwire::test
