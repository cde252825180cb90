// Numbers are right when all has ended, and can be read all the while from another thread.
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/datagram_client.hpp"
#include "tests/support/server.hpp"

#include <atomic>
#include <thread>

namespace ringwire::test {
namespace {

// Nothing that is counted may go down, whenever it is looked at.
bool has_grown(const LoopMetrics& from, const LoopMetrics& to) {
  return from.accepted <= to.accepted && from.received_bytes <= to.received_bytes &&
         from.sent_bytes <= to.sent_bytes && from.sends <= to.sends && from.laps <= to.laps &&
         from.enters <= to.enters && from.completions <= to.completions &&
         from.closes.total() <= to.closes.total() && from.lap_times.nanoseconds <= to.lap_times.nanoseconds;
}

// Reads until it is destroyed.
class MetricsReader {
 public:
  explicit MetricsReader(const Engine& engine) : thread_{[this, &engine] { read(engine); }} {}
  MetricsReader(const MetricsReader&) = delete;
  MetricsReader& operator=(const MetricsReader&) = delete;
  ~MetricsReader() { end(); }

  void end() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] std::size_t rounds() const { return rounds_; }
  [[nodiscard]] std::size_t faults() const { return faults_; }

 private:
  void read(const Engine& engine) {
    Metrics last = engine.metrics();
    while (!stop_) {
      const Metrics now = engine.metrics();
      for (std::size_t loop = 0; loop < now.loops.size(); ++loop) {
        if (!has_grown(last.loops[loop], now.loops[loop])) ++faults_;
      }
      if (to_prometheus(now).empty()) ++faults_;
      last = now;
      ++rounds_;
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> rounds_{0};
  std::size_t faults_ = 0;  // Of `thread_`, until it is joined.
  std::thread thread_;
};

void exchange_and_count(std::size_t loops, bool reuse_port) {
  RecordingHandler handler;
  handler.traffic = echo;
  Metrics at_end;
  handler.shutdown = [&](Engine& engine) { at_end = engine.metrics(); };
  Options options = quiet();
  options.loops = loops;
  options.reuse_port = reuse_port;
  TestServer server{handler, options};
  REQUIRE(server.addresses().size() == 1);

  constexpr std::size_t clients_count = 16;
  const std::size_t size = scaled(256 * 1024, 64 * 1024);
  {
    MetricsReader reader{server.engine()};
    const std::vector<Client> clients = connect_many(server.address(), clients_count);
    std::vector<std::string> sent;
    for (std::size_t index = 0; index < clients_count; ++index) sent.push_back(random_bytes(index, size));
    CHECK((exchange_all(clients, sent) == sent));
    CHECK(server.wait_count(clients_count));
    CHECK(server.engine().metrics().total().connections == clients_count);
    reader.end();
    CHECK(reader.rounds() > 0);
    CHECK(reader.faults() == 0);
  }
  CHECK(handler.wait_closed(clients_count));
  CHECK_FALSE(server.stop());

  REQUIRE(at_end.loops.size() == loops);
  const LoopMetrics all = at_end.total();
  CHECK(all.received_bytes == clients_count * size);
  CHECK(all.sent_bytes == clients_count * size);
  CHECK(all.accepted == clients_count);
  CHECK(all.connected == 0);
  CHECK(all.connections == 0);
  CHECK(all.closes.total() == clients_count);
  CHECK(all.closes.peer == clients_count);
  CHECK(all.sends > 0);
  CHECK(all.short_sends <= all.sends);
  CHECK(all.completions >= all.sends + clients_count);
  CHECK(all.enters >= all.laps);
  std::uint64_t laps = 0;
  for (const std::uint64_t count : all.lap_times.counts) laps += count;
  CHECK(laps == all.laps);
  CHECK(all.lap_times.nanoseconds > 0);
}

}  // namespace

TEST_CASE("one loop has counted each byte, while another thread read its numbers", "[features]") {
  exchange_and_count(1, false);
}

TEST_CASE("two loops behind a balancer have counted each byte") {
  exchange_and_count(2, false);
}

TEST_CASE("two loops that accept for themselves have counted each byte") {
  exchange_and_count(2, true);
}

TEST_CASE("an engine serves its own numbers to a scraper, on an address of its own") {
  RecordingHandler handler;
  Engine* engine = nullptr;
  handler.boot = [&](Engine& booted) { return engine = &booted, Action::none; };
  handler.traffic = [&](Conn& conn) {
    if (conn.local_address() != engine->addresses()[1]) return echo(conn);
    conn.discard(conn.inbound_size());  // Whatever was asked.
    const std::string text = to_prometheus(engine->metrics());
    conn.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n\r\n" +
               text);
    return Action::close;
  };
  TestServer server{handler, quiet(), {"tcp4://127.0.0.1:0", "tcp4://127.0.0.1:0"}};
  REQUIRE(server.addresses().size() == 2);
  Client client{server.address()};
  CHECK(client.exchange("hello") == "hello");
  Client scraper{server.addresses()[1]};
  REQUIRE(scraper.send_all("GET /metrics HTTP/1.1\r\n\r\n"));
  const std::string answer = scraper.receive_until_eof();
  CHECK(scraper.at_eof());
  CHECK_THAT(answer, contains("\r\n\r\n# HELP ringwire_connections "));
  CHECK_THAT(answer, contains("\nringwire_accepted_total{loop=\"0\"} 2\n"));
  CHECK_THAT(answer, contains("\nringwire_sent_bytes_total{loop=\"0\"} 5\n"));
}

TEST_CASE("datagrams stand among the numbers of their loop") {
  RecordingHandler handler;
  handler.datagram = echo_datagram;
  TestServer server{handler, quiet(), {"udp://127.0.0.1:0"}};
  REQUIRE(server.addresses().size() == 1);
  DatagramClient client{server.address()};
  REQUIRE(client.send("one"));
  REQUIRE(client.receive() == "one");
  const DatagramCounts counts = server.engine().metrics().total().datagrams;
  CHECK(counts.received == 1);
  CHECK(counts.sent == server.engine().datagrams().sent);
}

}  // namespace ringwire::test
