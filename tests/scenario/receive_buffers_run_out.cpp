// Queues and buffers far too small for the traffic: ENOBUFS ends multishot receives, submissions need many
// turns, completions overflow. Every byte must still arrive, in order.
//
// Leaves to others: ample sizes (echo_is_byte_exact.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

namespace ringwire::test {
namespace {

void expect_byte_exact(const Options& options, std::size_t clients_count, std::size_t size) {
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler, options};
  INFO(server.explanation());
  REQUIRE(server.addresses().size() == 1);
  {
    const std::vector<Client> clients = connect_many(server.address(), clients_count);
    std::vector<std::string> sent;
    for (std::size_t index = 0; index < clients_count; ++index) sent.push_back(random_bytes(index, size));
    const std::vector<std::string> received = exchange_all(clients, sent);
    std::size_t right = 0;
    for (std::size_t index = 0; index < clients_count; ++index)
      right += received[index] == sent[index] ? 1 : 0;
    CHECK(right == clients_count);
  }
  CHECK(handler.wait_closed(clients_count));
  CHECK_FALSE(server.stop());
}

Options tiny_rings() {
  Options options = quiet();
  options.sq_entries = 4;
  options.cq_entries = 8;
  return options;
}

}  // namespace

TEST_CASE("two receive buffers serve a hundred busy connections byte for byte") {
  Options options = quiet();
  options.recv_buffers_count = 2;
  expect_byte_exact(options, 100, scaled(64 * 1024, 16 * 1024));
}

TEST_CASE("one receive buffer serves thirty busy connections byte for byte") {
  Options options = quiet();
  options.recv_buffers_count = 1;
  expect_byte_exact(options, 30, 16 * 1024);
}

TEST_CASE("two receive buffers a loop serve a hundred busy connections on two loops") {
  Options options = quiet();
  options.recv_buffers_count = 2;
  options.loops = 2;
  expect_byte_exact(options, 100, scaled(64 * 1024, 16 * 1024));
}

TEST_CASE("receive buffers of 64 bytes carry 256 KiB byte for byte") {
  Options options = quiet();
  options.recv_buffer_size = 64;
  expect_byte_exact(options, 4, scaled(256 * 1024, 64 * 1024));
}

TEST_CASE("4 submissions and 8 completions serve 64 connections byte for byte") {
  expect_byte_exact(tiny_rings(), 64, scaled(64 * 1024, 16 * 1024));
}

TEST_CASE("4 submissions and 8 completions serve 64 connections on two loops", "[features]") {
  Options options = tiny_rings();
  options.loops = 2;
  expect_byte_exact(options, 64, scaled(64 * 1024, 16 * 1024));
}

TEST_CASE("tiny rings and two buffers of 64 bytes together stay byte-exact", "[features]") {
  Options options = tiny_rings();
  options.recv_buffers_count = 2;
  options.recv_buffer_size = 64;
  expect_byte_exact(options, 32, scaled(16 * 1024, 4 * 1024));
}

TEST_CASE("three hundred connections open and close on tiny rings") {
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler, tiny_rings()};
  {
    std::vector<Client> clients = connect_many(server.address(), 300);
    REQUIRE(handler.wait_opened(300));
    CHECK(clients.back().exchange("last") == "last");
  }
  CHECK(handler.wait_closed(300));
  CHECK_FALSE(server.stop());
}

TEST_CASE("stop on tiny rings with many connections closes them all") {
  RecordingHandler handler;
  Options options = tiny_rings();
  options.stop_timeout = std::chrono::milliseconds{100};
  TestServer server{handler, options};
  const std::vector<Client> clients = connect_many(server.address(), 200);
  REQUIRE(handler.wait_opened(200));
  CHECK_FALSE(server.stop());
  CHECK(handler.record().closed == 200);
}

TEST_CASE("buffers go home from connections that die with data under way") {
  RecordingHandler handler;
  handler.traffic = [](Conn& conn) {
    const auto first = conn.peek(1);
    if (first && (*first)[0] == std::byte{'a'}) {
      conn.abort();
      return Action::none;
    }
    return echo(conn);
  };
  Options options = quiet();
  options.recv_buffers_count = 4;
  options.recv_buffer_size = 256;
  TestServer server{handler, options};
  const std::size_t rounds = scaled(200, 50);
  for (std::size_t round = 0; round < rounds; ++round) {
    Client victim{server.address()};
    victim.send_all(std::string(4096, 'a'));
    if (round % 2 == 0) victim.reset();
  }
  REQUIRE(
      handler.wait([](const Record& record) { return record.opened > 0 && record.opened == record.closed; }));
  // Had a single buffer been lost each time, none would be left now.
  // Where a receive begins nobody knows, so the letter that is aborted on stands nowhere.
  Client client{server.address()};
  std::string sent = random_bytes(1, 50'000);
  std::replace(sent.begin(), sent.end(), 'a', 'b');
  CHECK((client.exchange(sent) == sent));
}

}  // namespace ringwire::test
