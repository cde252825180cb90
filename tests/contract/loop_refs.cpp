// LoopRef: connects, takes sockets over, posts and schedules on one loop, from any thread; when the loop has
// ended it says so.
//
// Leaves to others: many at a time (loop_connects_out.cpp, tasks_are_posted.cpp, tasks_are_scheduled.cpp),
// timeouts and cancels of connects (client_connects.cpp).
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>

namespace ringwire::test {

TEST_CASE(
    "a loop connects where it is told, and its connection's first event comes before done, on that loop") {
  const Transport transport;
  RecordingHandler far;
  far.traffic = echo;
  const StreamServer far_server{far, transport};
  RecordingHandler near;
  near.open = [&](Conn& conn) {
    near.note(conn.loop().is_current() ? "opened at home" : "wrong");
    conn.write("there and back");
    return Action::none;
  };
  near.traffic = [&](Conn& conn) {
    if (conn.inbound_size() < 14) return Action::none;
    near.note(std::string{to_text(conn.next())});
    return Action::close;
  };
  Options options = quiet();
  options.loops = 2;
  TestServer near_server{near, options};
  const LoopRef second = near_server.engine().loop(1);
  CHECK_FALSE(second
                  .connect(url_of(far_server.address()), {},
                           [&](Conn* conn, std::error_code error) {
                             near.note(!error && conn->loop() == second && second.is_current() ? "connected"
                                                                                               : "wrong");
                           })
                  .error());
  CHECK(near.wait_noted("there and back"));
  CHECK(near.wait_closed(1));
  CHECK_FALSE(near_server.stop());
  const Record record = near.record();
  CHECK(record.count("wrong") == 0);
  CHECK(record.events.at(1) == "opened at home");
  CHECK(record.events.at(2) == "open");
  CHECK(record.events.at(3) == "connected");
}

TEST_CASE("a loop takes over a connected socket, which then is a connection like any other") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  RecordingHandler handler;
  handler.traffic = echo;
  Options options = quiet();
  options.loops = 2;
  TestServer server{handler, options};
  const LoopRef second = server.engine().loop(1);
  CHECK_FALSE(second.enroll(ends[0], [&](Conn* conn, std::error_code error) {
    handler.note(!error && conn->fd() == ends[0] && second.is_current() ? "enrolled" : "wrong");
  }));
  CHECK(handler.wait_noted("enrolled"));
  CHECK(server.wait_count(1, 1));
  REQUIRE(::send(ends[1], "hello", 5, 0) == 5);
  std::array<char, 5> back{};
  CHECK(::recv(ends[1], back.data(), back.size(), MSG_WAITALL) == 5);
  CHECK(std::string_view{back.data(), back.size()} == "hello");
  ::close(ends[1]);
  CHECK(handler.wait_closed(1));
  CHECK_FALSE(server.stop());
  CHECK(::fcntl(ends[0], F_GETFD) == -1);  // It was ours, and is closed.
}

TEST_CASE(
    "an ended loop answers closed to whatever it is asked, calls nobody back, and takes no descriptor") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  RecordingHandler handler;
  TestServer server{handler};
  const LoopRef loop = server.engine().loop(0);
  const std::string address = url_of(server.address());
  CHECK_FALSE(server.stop());
  const auto called = [&](Conn*, std::error_code) { handler.note("called"); };
  CHECK(loop.post([&] { handler.note("called"); }) == Error::closed);
  CHECK(loop.schedule(std::chrono::milliseconds{1}, [&] { handler.note("called"); }).error() ==
        Error::closed);
  CHECK(loop.schedule_every(std::chrono::milliseconds{1}, [&] { handler.note("called"); }).error() ==
        Error::closed);
  CHECK(loop.connect(address, {}, called).error() == Error::closed);
  CHECK(loop.enroll(ends[0], called) == Error::closed);
  CHECK_FALSE(loop.is_current());
  CHECK(::close(ends[0]) == 0);
  CHECK(::close(ends[1]) == 0);
  CHECK(handler.record().count("called") == 0);
}

}  // namespace ringwire::test
