// Programs that only connect: a Client against a server, with timeouts, cancels, sockets brought along.
//
// Leaves to others: connects of a loop that also listens (loop_connects_out.cpp).
#include <ringwire/error.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>

namespace ringwire::test {
namespace {

using std::chrono::milliseconds;

// A listener whose backlog is full: further connects hear nothing.
class SilentPort {
 public:
  SilentPort() : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* plain = static_cast<sockaddr*>(static_cast<void*>(&name));
    socklen_t size = sizeof name;
    ready_ = ::bind(fd_, plain, size) == 0 && ::listen(fd_, 0) == 0 && ::getsockname(fd_, plain, &size) == 0;
    port_ = ntohs(name.sin_port);
    waiting_ = ready_ ? ringwire::test::Client{loopback(port_)} : ringwire::test::Client{};
  }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;
  ~SilentPort() { ::close(fd_); }

  [[nodiscard]] bool is_ready() const { return ready_ && waiting_.ok(); }
  [[nodiscard]] std::string address() const { return url_of(loopback(port_)); }

 private:
  int fd_;
  bool ready_ = false;
  std::uint16_t port_ = 0;
  ringwire::test::Client waiting_;
};

// Sends a message when opened, and notes when all of it has come back.
struct Talker : RecordingHandler {
  explicit Talker(std::string text) : message{std::move(text)} {
    open = [this](Conn& conn) {
      conn.write(message);
      return Action::none;
    };
    traffic = [this](Conn& conn) {
      if (conn.inbound_size() < message.size()) return Action::none;
      note(to_text(conn.next()) == message ? "echoed" : "wrong");
      return Action::close;
    };
  }

  std::string message;
};

}  // namespace

TEST_CASE("connections of a client get their echoes, on one loop and on two") {
  for (const std::size_t loops : {1U, 2U}) {
    RecordingHandler far;
    far.traffic = echo;
    TestServer server{far};
    Talker near{random_bytes(loops, 200'000)};
    Options options = quiet();
    options.loops = loops;
    ringwire::Client client{near, options};
    REQUIRE_FALSE(client.start());
    for (int count = 0; count < 20; ++count) REQUIRE_FALSE(client.connect(url_of(server.address())).error());
    CHECK(near.wait_noted("echoed", 20));
    CHECK(near.wait_closed(20));
    client.stop();
    CHECK(near.record().count("wrong") == 0);
    CHECK(far.wait_closed(20));
  }
}

TEST_CASE("a client's connections go to the loop that has fewest") {
  RecordingHandler far;
  TestServer server{far};
  RecordingHandler near;
  Options options = quiet();
  options.loops = 2;
  ringwire::Client client{near, options};
  REQUIRE_FALSE(client.start());
  for (std::size_t count = 1; count <= 10; ++count) {
    REQUIRE_FALSE(client.connect(url_of(server.address())).error());
    REQUIRE(near.wait_opened(count));
    const Engine& engine = client.engine();
    REQUIRE(engine.connections_count() == count);
    CHECK(engine.connections_count(0) + 1 >= engine.connections_count(1));
    CHECK(engine.connections_count(1) + 1 >= engine.connections_count(0));
  }
}

TEST_CASE("a peer that does not answer is given up when the time is over") {
  const SilentPort port;
  REQUIRE(port.is_ready());
  RecordingHandler handler;
  ringwire::Client client{handler, quiet()};
  REQUIRE_FALSE(client.start());
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE_FALSE(client
                    .connect(port.address(), {.timeout = milliseconds{50}},
                             [&](Conn* conn, std::error_code error) {
                               handler.note(conn == nullptr && error == std::errc::timed_out ? "timed out"
                                                                                             : "wrong");
                             })
                    .error());
  CHECK(handler.wait_noted("timed out"));
  CHECK(std::chrono::steady_clock::now() - begin >= milliseconds{50});
  client.stop();
  CHECK(handler.record().opened == 0);
}

TEST_CASE("a connect is cancelled from another thread, and its callback told once") {
  const SilentPort port;
  REQUIRE(port.is_ready());
  RecordingHandler handler;
  ringwire::Client client{handler, quiet()};
  REQUIRE_FALSE(client.start());
  const Connecting dial = client.connect(port.address(), {}, [&](Conn*, std::error_code error) {
    handler.note(error == std::errc::operation_canceled ? "cancelled" : "wrong");
  });
  CHECK_FALSE(dial.cancel());
  CHECK_FALSE(dial.cancel());
  CHECK(handler.wait_noted("cancelled"));
  client.stop();
  CHECK(handler.record().count("cancelled") == 1);
  CHECK(dial.cancel() == Error::closed);
}

TEST_CASE("stopping a client answers the connects under way") {
  const SilentPort port;
  REQUIRE(port.is_ready());
  RecordingHandler handler;
  ringwire::Client client{handler, quiet()};
  REQUIRE_FALSE(client.start());
  REQUIRE_FALSE(client
                    .connect(port.address(), {},
                             [&](Conn*, std::error_code error) {
                               handler.note(error == Error::engine_stopped ? "stopped" : "wrong");
                             })
                    .error());
  client.stop();
  CHECK(handler.record().count("stopped") == 1);
}

TEST_CASE("connects asked for in on_boot are queued until the loops run") {
  RecordingHandler far;
  far.traffic = echo;
  TestServer server{far};
  Talker near{"early"};
  near.boot = [&](Engine& engine) {
    near.note(engine.connect(url_of(server.address())).error() ? "refused" : "queued");
    return Action::none;
  };
  ringwire::Client client{near, quiet()};
  REQUIRE_FALSE(client.start());
  CHECK(near.wait_noted("queued"));
  CHECK(near.wait_noted("echoed"));
}

TEST_CASE("a connected socket is enrolled, gets its events, and is closed by us") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  RecordingHandler handler;
  handler.traffic = echo;
  ringwire::Client client{handler, quiet()};
  REQUIRE_FALSE(client.start());
  REQUIRE_FALSE(client.enroll(ends[0], [&](Conn* conn, std::error_code error) {
    handler.note(!error && conn->fd() == ends[0] ? "enrolled" : "wrong");
  }));
  CHECK(handler.wait_noted("enrolled"));
  REQUIRE(::send(ends[1], "hello", 5, 0) == 5);
  std::array<char, 5> back{};
  CHECK(::recv(ends[1], back.data(), back.size(), MSG_WAITALL) == 5);
  CHECK(std::string_view{back.data(), back.size()} == "hello");
  REQUIRE(::shutdown(ends[1], SHUT_WR) == 0);
  CHECK(::recv(ends[1], back.data(), back.size(), 0) == 0);
  CHECK(handler.wait_closed(1));
  ::close(ends[1]);
}

TEST_CASE("what is no connected stream socket is refused and stays its owner's") {
  RecordingHandler handler;
  ringwire::Client client{handler, quiet()};
  REQUIRE_FALSE(client.start());
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  CHECK(client.enroll(ends[0]) == std::errc::not_a_socket);
  CHECK(::close(ends[0]) == 0);
  CHECK(::close(ends[1]) == 0);
  const int lonely = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(client.enroll(lonely) == std::errc::not_connected);
  CHECK(::close(lonely) == 0);
  const int packets = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  CHECK(client.enroll(packets) == std::errc::wrong_protocol_type);
  CHECK(::close(packets) == 0);
  CHECK(client.enroll(-1) == std::errc::bad_file_descriptor);
  client.stop();
  CHECK(handler.record().opened == 0);
}

}  // namespace ringwire::test
