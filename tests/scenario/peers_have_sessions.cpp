// Peers of a udp address are remembered: opened by their first datagram, forgotten when they are silent, are
// refused, or the engine stops.
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/datagram_client.hpp"
#include "tests/support/server.hpp"

#include <chrono>
#include <map>
#include <mutex>

namespace ringwire::test {
namespace {

using namespace std::chrono_literals;

Options with_peers(std::size_t loops = 1) {
  Options options = quiet();
  options.loops = loops;
  options.datagram_sessions = true;
  return options;
}

// Answers each datagram with how many have come in its session.
Action count_in_session(Datagram& datagram) {
  int* count = datagram.session()->context<int>();
  if (count == nullptr) count = &datagram.session()->emplace_context<int>(0);
  datagram.session()->send(std::to_string(++*count));
  return Action::none;
}

}  // namespace

TEST_CASE("each of fifty peers has a session of its own, on one loop and on two", "[features]") {
  for (const std::size_t loops : {1U, 2U}) {
    RecordingHandler handler;
    handler.datagram = count_in_session;
    TestServer server{handler, with_peers(loops), one_udp_address};
    REQUIRE(server.addresses().size() == 1);
    std::vector<DatagramClient> clients;
    for (int count = 0; count < 50; ++count) clients.emplace_back(server.address());
    for (const char* expected : {"1", "2", "3"}) {
      for (const DatagramClient& client : clients) REQUIRE(client.exchange("count me") == expected);
    }
    CHECK(handler.record().sessions_opened == 50);
    CHECK(server.engine().metrics().total().sessions == 50);
    CHECK_FALSE(server.stop());
    CHECK(handler.record().sessions_closed == 50);
    bool stopped = true;
    for (const std::error_code reason : handler.record().reasons) {
      stopped = stopped && reason == Error::engine_stopped;
    }
    CHECK(stopped);
  }
}

TEST_CASE("a session knows its peer, over IPv4 and IPv6, and what it sends at its end arrives") {
  RecordingHandler handler;
  handler.session_open = [](Session& session) {
    session.send("welcome " + session.remote_address().to_string());
    return Action::none;
  };
  handler.datagram = [](Datagram&) { return Action::close; };
  handler.session_close = [](Session& session, std::error_code) {
    session.send("goodbye");
    return Action::none;
  };
  const TestServer server{handler, with_peers(), {"udp://:0"}};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient four{loopback(server.address().port)};
  CHECK(four.exchange("hello") == "welcome [::ffff:127.0.0.1]:" + std::to_string(four.address().port));
  CHECK(four.receive() == "goodbye");
  const DatagramClient six{loopback6(server.address().port)};
  if (!six.ok()) {
    skip("no IPv6 loopback here");
    return;
  }
  CHECK(six.exchange("hello") == "welcome " + six.address().to_string());
  CHECK(six.receive() == "goodbye");
}

TEST_CASE("a silent peer is forgotten, one that goes on is not") {
  RecordingHandler handler;
  handler.datagram = count_in_session;
  Options options = with_peers();
  options.session_timeout = 300ms;
  const TestServer server{handler, options, one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient silent{server.address()};
  const DatagramClient busy{server.address()};
  CHECK(silent.exchange("hello") == "1");
  int rounds = 0;
  while (handler.record().sessions_closed == 0) {
    REQUIRE(busy.exchange("still here") == std::to_string(++rounds));
    REQUIRE(busy.expect_silence(20ms));
  }
  CHECK(handler.record().sessions_opened == 2);
  CHECK(handler.record().reasons == std::vector{make_error_code(Error::idle_timeout)});
  CHECK(silent.exchange("back again") == "1");
}

TEST_CASE("beyond the limit peers are not heard, until one has left") {
  RecordingHandler handler;
  handler.datagram = [](Datagram& datagram) {
    datagram.reply(datagram.bytes());
    return to_text(datagram.bytes()) == "bye" ? Action::close : Action::none;
  };
  Options options = with_peers();
  options.sessions_max = 1;
  const TestServer server{handler, options, one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient first{server.address()};
  const DatagramClient second{server.address()};
  CHECK(first.exchange("hello") == "hello");
  REQUIRE(second.send("unheard"));
  CHECK(first.exchange("bye") == "bye");  // Comes after it on the same socket.
  CHECK(second.exchange("now?") == "now?");
  CHECK(server.engine().datagrams().dropped == 1);
  CHECK(server.engine().datagrams().received == 3);
}

TEST_CASE("other threads send through a session's handle, and close it") {
  RecordingHandler handler;
  SessionRef ref;
  handler.session_open = [&](Session& session) {
    ref = session.ref();
    return Action::none;
  };
  const TestServer server{handler, with_peers(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient client{server.address()};
  REQUIRE(client.send("hello"));
  REQUIRE(handler.wait([](const Record& record) { return record.datagrams == 1; }));
  ref.send("from another thread", [&](std::error_code error) { handler.note(error ? "lost" : "sent"); });
  CHECK(client.receive() == "from another thread");
  CHECK(handler.wait_noted("sent"));
  ref.post([](Session* session) { session->close(); });
  REQUIRE(handler.wait([](const Record& record) { return record.sessions_closed == 1; }));
  ref.send("too late", [&](std::error_code error) { handler.note(error == Error::closed ? "closed" : "?"); });
  CHECK(handler.wait_noted("closed"));
}

}  // namespace ringwire::test
