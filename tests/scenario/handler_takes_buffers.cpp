// Owned buffers, limits on what waits, and the socket's own options, on real connections.
//
// Leaves to others: marks and refusals (peer_reads_slowly.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <system_error>
#include <vector>

namespace ringwire::test {

using std::chrono::seconds;

namespace {

int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  CHECK(::getsockopt(fd, level, name, &value, &size) == 0);
  return value;
}

}  // namespace

TEST_CASE("what is taken and written back as a buffer is byte-exact", "[features]") {
  RecordingHandler handler;
  handler.traffic = [](Conn& conn) {
    if (conn.write(conn.take()) == Written::above_high_mark) conn.pause();
    return Action::none;
  };
  handler.writable = [](Conn& conn) {
    conn.resume();
    return Action::none;
  };
  TestServer server{handler};
  Client client{server.address()};
  const std::string sent = random_bytes(8, scaled(20 << 20, 2 << 20));
  CHECK((client.exchange(sent) == sent));
}

TEST_CASE("a buffer outlives its connection, its loop and its engine", "[features]") {
  std::vector<Buffer> kept;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    kept.push_back(conn.take());
    return Action::none;
  };
  const std::string sent = random_bytes(9, 3000);
  {
    TestServer server{handler};
    Client client{server.address()};
    CHECK(client.send_all(sent));
    CHECK(handler.wait([](const Record& record) { return record.traffics > 0; }));
    client.shutdown_write();
    CHECK(handler.wait_closed(1));
    CHECK_FALSE(server.stop());
  }
  std::string got;
  for (const Buffer& buffer : kept) got += buffer.text();
  CHECK((got == sent));
}

TEST_CASE("handlers that keep more buffers than a loop has are still served") {
  std::mutex mutex;
  std::vector<Buffer> kept;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    Buffer taken = conn.take();
    conn.write(taken);
    const std::lock_guard lock{mutex};
    kept.push_back(std::move(taken));
    return Action::none;
  };
  Options options = quiet();
  options.recv_buffers_count = 8;
  TestServer server{handler, options};
  Client client{server.address()};
  for (int round = 0; round < 100; ++round) {
    const std::string sent = random_bytes(static_cast<std::uint64_t>(round), 4096);
    CHECK((client.exchange(sent) == sent));
  }
}

TEST_CASE("a broadcast reaches the connections of all loops, without a copy for each", "[features]") {
  RecordingHandler handler;
  Options options = quiet();
  options.loops = 2;
  TestServer server{handler, options};
  std::vector<Client> clients = connect_many(server.address(), 20);
  REQUIRE(handler.wait_opened(20));
  const Buffer news{random_bytes(10, 100'000)};
  CHECK_FALSE(broadcast(handler.record().refs, news));
  for (Client& client : clients) CHECK((client.receive_exactly(news.size()) == news.text()));
}

TEST_CASE("a buffer written through a handle arrives, and its done is told when it is gone", "[features]") {
  RecordingHandler handler;
  TestServer server{handler};
  Client client{server.address()};
  const std::string sent = random_bytes(11, 1 << 20);
  handler.first_ref().write(Buffer{sent},
                            [&](std::error_code error) { handler.note(error ? "lost" : "sent"); });
  CHECK((client.receive_exactly(sent.size()) == sent));
  CHECK(handler.wait_noted("sent"));
}

TEST_CASE("with the policy close a peer that is too slow is reset with outbound_limit") {
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    while (conn.write(std::string(64 << 10, 'x')) != Written::refused) {
    }
    return Action::none;
  };
  Options options = quiet();
  options.outbound_high_mark = options.outbound_low_mark = 1 << 20;
  options.outbound_limit = 8 << 20;
  options.outbound_policy = OutboundPolicy::close;
  TestServer server{handler, options};
  Client client{server.address(), 16 * 1024};
  REQUIRE(handler.wait_closed(1));
  CHECK(client.expect_reset());
  CHECK(handler.record().reasons.front() == Error::outbound_limit);
}

TEST_CASE("slow readers share the budget, and who reads is served all the same") {
  constexpr std::size_t budget = 16 << 20;
  std::size_t opened = 0;
  std::size_t most = 0;
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    if (++opened > 20) return Action::none;
    while (conn.write(std::string(32 << 10, 'x')) != Written::refused) {
    }
    most = std::max(most, conn.outbound_size());
    return Action::none;
  };
  handler.traffic = echo;
  Options options = quiet();
  options.send_budget = budget;
  TestServer server{handler, options};
  const std::vector<Client> slow = connect_many(server.address(), 20);
  REQUIRE(handler.wait_opened(20));
  Client reader{server.address()};
  const std::string sent = random_bytes(12, 500'000);
  CHECK((reader.exchange(sent) == sent));
  server.stop();
  CHECK(most <= budget / 16);
  CHECK(most > budget / 32);
}

TEST_CASE("socket options are the socket's, and a duplicate keeps it open", "[features]") {
  // Looked at when the event has returned: checks belong to one thread.
  int descriptor = -1;
  std::vector<std::error_code> answers;
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    answers = {conn.set_no_delay(false),
               conn.set_keepalive(seconds{30}, seconds{4}, 2),
               conn.set_recv_buffer_size(30'000),
               conn.set_send_buffer_size(30'000),
               conn.dup(descriptor),
               conn.set_send_buffer_size(0)};
    conn.flush();
    return Action::none;
  };
  TestServer server{handler};
  Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  REQUIRE(descriptor >= 0);
  const std::vector<std::error_code> wanted{{}, {}, {},
                                            {}, {}, std::make_error_code(std::errc::invalid_argument)};
  REQUIRE(answers.size() == wanted.size());
  for (std::size_t index = 0; index < wanted.size(); ++index) {
    INFO("answer " << index);
    CHECK(answers[index].value() == wanted[index].value());
  }
  CHECK(option_of(descriptor, IPPROTO_TCP, TCP_NODELAY) == 0);
  CHECK(option_of(descriptor, IPPROTO_TCP, TCP_KEEPINTVL) == 4);
  CHECK(option_of(descriptor, SOL_SOCKET, SO_RCVBUF) == 60'000);
  CHECK(option_of(descriptor, SOL_SOCKET, SO_SNDBUF) == 60'000);
  CHECK(::send(descriptor, "direct", 6, MSG_NOSIGNAL) == 6);
  CHECK(client.receive_exactly(6) == "direct");
  ::close(descriptor);
}

TEST_CASE("a linger of nothing makes close a reset") {
  RecordingHandler handler;
  std::atomic<bool> taken{false};  // Not checked in the loop's thread: this one checks at the same time.
  handler.traffic = [&](Conn& conn) {
    taken = !conn.set_linger(seconds{0});
    return Action::close;
  };
  TestServer server{handler};
  Client client{server.address()};
  client.send_all("x");
  CHECK(client.expect_reset());
  CHECK(taken);
}

}  // namespace ringwire::test
