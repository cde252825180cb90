// The peer takes less than we write, or we take less than it sends: memory stays bounded and nothing is lost.
//
// Leaves to others: a slow reader of a connection that closes (tests/contract/conn_closing.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

#include <algorithm>

namespace ringwire::test {
namespace {

constexpr std::size_t piece_size = 16 * 1024;

Options marks() {
  Options options = quiet();
  options.outbound_high_mark = 256 * 1024;
  options.outbound_low_mark = 64 * 1024;
  options.outbound_limit = 1024 * 1024;
  return options;
}

}  // namespace

TEST_CASE("writes go above the high mark, then are refused at the limit, then on_writable comes once") {
  std::size_t queued = 0;
  std::size_t above = 0;
  std::size_t size_at_writable = SIZE_MAX;
  Written beyond = Written::queued;
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    const std::string piece(piece_size, 'x');
    Written written = conn.write(piece);
    for (; written == Written::queued; written = conn.write(piece)) ++queued;
    for (; written == Written::above_high_mark; written = conn.write(piece)) ++above;
    beyond = written;
    return Action::none;
  };
  handler.writable = [&](Conn& conn) {
    size_at_writable = conn.outbound_size();
    return Action::none;
  };
  const Options options = marks();
  TestServer server{handler, options};
  Client client{server.address(), 16 * 1024};
  REQUIRE(handler.wait_opened(1));
  const std::size_t taken = (queued + above) * piece_size;
  CHECK(client.receive_exactly(taken).size() == taken);
  CHECK(handler.wait([](const Record& record) { return record.writables >= 1; }));
  CHECK(client.expect_silence(std::chrono::milliseconds{50}));
  server.stop();
  CHECK(beyond == Written::refused);
  CHECK(queued == options.outbound_high_mark / piece_size);
  CHECK(queued + above == options.outbound_limit / piece_size);
  CHECK(size_at_writable <= options.outbound_low_mark);
  CHECK(handler.record().writables == 1);
}

TEST_CASE("a handler that obeys the marks streams 16 MiB through 1 MiB of outbound") {
  const std::size_t total = scaled(16 << 20, 4 << 20);
  std::size_t written = 0;
  std::size_t most = 0;
  std::size_t refused = 0;
  const auto pump = [&](Conn& conn) {
    const std::string piece(piece_size, 'x');
    Written answer = Written::queued;
    while (written < total && answer == Written::queued) {
      answer = conn.write(piece);
      refused += answer == Written::refused ? 1 : 0;
      written += answer == Written::refused ? 0 : piece.size();
      most = std::max(most, conn.outbound_size());
    }
    if (written == total) conn.close();
    return Action::none;
  };
  RecordingHandler handler;
  handler.open = pump;
  handler.writable = pump;
  TestServer server{handler, marks()};
  Client client{server.address(), 64 * 1024};
  CHECK(client.receive_until_eof().size() == total);
  client.close();
  CHECK(handler.wait_closed(1));
  server.stop();
  CHECK(refused == 0);
  CHECK(most <= marks().outbound_high_mark + piece_size);
}

TEST_CASE("on_writable does not come when the high mark was not passed") {
  RecordingHandler handler;
  handler.traffic = [](Conn& conn) {
    conn.discard();
    conn.write(std::string(200 * 1024, 'x'));
    return Action::none;
  };
  TestServer server{handler, marks()};
  Client client{server.address()};
  for (int round = 0; round < 3; ++round) {
    client.send_all("x");
    CHECK(client.receive_exactly(200 * 1024).size() == 200 * 1024);
  }
  server.stop();
  CHECK(handler.record().writables == 0);
}

TEST_CASE("a write or writev larger than the limit is refused whole") {
  Written single = Written::queued;
  Written vectored = Written::queued;
  std::size_t size = 1;
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    const std::string half(600 * 1024, 'x');
    const std::string whole = half + half;
    const Bytes parts[] = {to_bytes(half), to_bytes(half)};
    single = conn.write(whole);
    vectored = conn.writev(parts);
    size = conn.outbound_size();
    conn.write("small");
    return Action::none;
  };
  TestServer server{handler, marks()};
  Client client{server.address()};
  CHECK(client.receive_exactly(5) == "small");
  CHECK(client.expect_silence(std::chrono::milliseconds{20}));
  server.stop();
  CHECK(single == Written::refused);
  CHECK(vectored == Written::refused);
  CHECK(size == 0);
}

TEST_CASE("beyond inbound_limit we stop receiving, so the peer's sends block; after discard all arrive") {
  std::size_t most = 0;
  bool taking = false;
  std::string seen;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    most = std::max(most, conn.inbound_size());
    if (taking) seen += to_text(conn.next());
    return Action::none;
  };
  Options options = quiet();
  options.inbound_limit = 64 * 1024;  // Much less than the buffers hold, so that only the limit can stop us.
  TestServer server{handler, options};
  Client client{server.address()};
  const std::string pattern = random_bytes(6, 1'000'003);
  constexpr std::size_t plenty = 64 << 20;
  const std::size_t sent = client.send_until_blocked(pattern, plenty, std::chrono::milliseconds{300});
  REQUIRE(sent < plenty);  // It blocked: nothing more was taken from the socket.

  handler.first_ref().post([&](Conn* conn) {
    taking = true;
    conn->ref().wake();
  });
  client.shutdown_write();
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK(most <= options.inbound_limit + options.recv_buffers_count * options.recv_buffer_size);
  CHECK(seen.size() == sent);
  bool same = true;
  for (std::size_t at = 0; at < seen.size() && same; at += pattern.size()) {
    same = seen.substr(at, pattern.size()) == pattern.substr(0, std::min(pattern.size(), seen.size() - at));
  }
  CHECK(same);
}

TEST_CASE(
    "a connection that takes nothing does not hold up the others, even when it could hold all buffers") {
  RecordingHandler handler;
  handler.traffic = [](Conn& conn) {
    const auto first = conn.peek(1);
    return first && (*first)[0] == std::byte{'h'} ? Action::none : echo(conn);
  };
  Options options = quiet();
  options.recv_buffers_count = 4;
  options.inbound_limit = 64 * 1024;
  TestServer server{handler, options};
  Client hog{server.address()};
  const std::string pattern(100'000, 'h');
  REQUIRE(hog.send_until_blocked(pattern, 64 << 20, std::chrono::milliseconds{100}) < 64 << 20);
  Client client{server.address()};
  const std::string sent = std::string(200'000, 'c');
  CHECK((client.exchange(sent) == sent));
}

TEST_CASE("a hundred slow readers of a stream do not grow our memory without bound") {
  const std::size_t clients_count = scaled(100, 20);
  RecordingHandler handler;
  handler.open = [](Conn& conn) {
    while (conn.write(std::string(piece_size, 'x')) != Written::refused) {
    }
    return Action::none;
  };
  TestServer server{handler, marks()};
  const std::size_t before = resident_size();
  const std::vector<Client> clients = [&] {
    std::vector<Client> made;
    for (std::size_t index = 0; index < clients_count; ++index) made.emplace_back(server.address(), 4096);
    return made;
  }();
  REQUIRE(handler.wait_opened(clients_count));
  const std::size_t bound = 2 * clients_count * marks().outbound_limit + scaled(64 << 20, 256 << 20);
  CHECK(resident_size() - std::min(before, resident_size()) < bound);
  CHECK_FALSE(server.stop());
}

}  // namespace ringwire::test
