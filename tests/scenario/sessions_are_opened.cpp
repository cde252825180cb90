// Sessions that we open with peers elsewhere: questions and answers, nobody there, nobody who answers.
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/datagram_client.hpp"
#include "tests/support/server.hpp"

#include <chrono>

namespace ringwire::test {
namespace {

using namespace std::chrono_literals;

std::string udp_url(const Address& address) {
  return "udp://" + address.to_string();
}

// Asks `address` from each of 20 sessions, 50 times.
void ask(const Address& address, const Options& options) {
  constexpr std::size_t sessions = 20;
  RecordingHandler handler;
  handler.session_open = [](Session& session) {
    session.emplace_context<int>(0);
    session.send("0");
    return Action::none;
  };
  handler.datagram = [&](Datagram& datagram) {
    int& count = *datagram.session()->context<int>();
    if (to_text(datagram.bytes()) != std::to_string(count)) handler.note("wrong answer");
    if (++count == 50) return Action::close;
    datagram.session()->send(std::to_string(count));
    return Action::none;
  };
  ringwire::Client asker{handler, options};
  REQUIRE_FALSE(asker.start());
  for (std::size_t count = 0; count < sessions; ++count) {
    REQUIRE_FALSE(asker.engine().open_session(udp_url(address)));
  }
  CHECK(handler.wait([](const Record& record) { return record.sessions_closed == sessions; }));
  asker.stop();
  CHECK(handler.record().datagrams == 50 * sessions);
  CHECK(handler.record().count("wrong answer") == 0);
  CHECK(handler.record().reasons == std::vector<std::error_code>(sessions));
}

}  // namespace

TEST_CASE("a thousand questions are answered, each in its session, on one loop and on two", "[features]") {
  RecordingHandler handler;
  handler.datagram = echo_datagram;
  const TestServer server{handler, quiet(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  Options options = quiet();
  for (const std::size_t loops : {1U, 2U}) {
    options.loops = loops;
    ask(server.address(), options);
  }
}

TEST_CASE("a session is opened beside listeners, and hears nobody but its peer") {
  RecordingHandler handler;
  DatagramClient peer{Address{}};
  DatagramClient stranger{Address{}};
  Address own;
  handler.datagram = [&](Datagram& datagram) {
    handler.note(std::string{to_text(datagram.bytes())});
    return Action::none;
  };
  const TestServer server{handler, quiet(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  REQUIRE_FALSE(server.engine().open_session(udp_url(peer.address()), [&](Session* session, std::error_code) {
    if (session == nullptr) return;
    own = session->local_address();
    handler.note("opened");
    session->send("hello");
  }));
  REQUIRE(handler.wait_noted("opened"));
  CHECK(peer.receive() == "hello");
  stranger.set_server(own);
  peer.set_server(own);
  REQUIRE(stranger.send("from a stranger"));
  REQUIRE(peer.send("from the peer"));
  CHECK(handler.wait_noted("from the peer"));
  CHECK(handler.record().count("from a stranger") == 0);
}

TEST_CASE("a peer that is not there ends the session with its refusal", "[features]") {
  RecordingHandler handler;
  Address nobody;
  {
    const DatagramClient gone{Address{}};
    nobody = gone.address();
  }
  handler.session_open = [](Session& session) {
    session.send("anybody?");
    return Action::none;
  };
  ringwire::Client asker{handler, quiet()};
  REQUIRE_FALSE(asker.start());
  REQUIRE_FALSE(asker.engine().open_session(udp_url(nobody)));
  REQUIRE(handler.wait([](const Record& record) { return record.sessions_closed == 1; }));
  REQUIRE(handler.record().reasons.size() == 1);
  CHECK(handler.record().reasons[0] == std::errc::connection_refused);
}

TEST_CASE("a peer that does not answer in time ends the session") {
  RecordingHandler handler;
  const DatagramClient silent{Address{}};
  handler.session_open = [](Session& session) {
    session.set_timeout(50ms);
    session.send("well?");
    return Action::none;
  };
  ringwire::Client asker{handler, quiet()};
  REQUIRE_FALSE(asker.start());
  REQUIRE_FALSE(asker.engine().open_session(udp_url(silent.address())));
  CHECK(silent.receive() == "well?");
  REQUIRE(handler.wait([](const Record& record) { return record.sessions_closed == 1; }));
  CHECK(handler.record().reasons == std::vector{make_error_code(Error::idle_timeout)});
}

TEST_CASE("two engines talk session to session, and a stop tells both kinds") {
  RecordingHandler there;
  Options options = quiet();
  options.datagram_sessions = true;
  there.datagram = echo_datagram;
  TestServer server{there, options, one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  RecordingHandler here;
  here.datagram = [&](Datagram& datagram) {
    here.note(std::string{to_text(datagram.bytes())});
    return Action::none;
  };
  here.session_close = [](Session& session, std::error_code) {
    session.send("goodbye");
    return Action::none;
  };
  ringwire::Client client{here, quiet()};
  REQUIRE_FALSE(client.start());
  REQUIRE_FALSE(client.engine().open_session(
      udp_url(server.address()), [](Session* session, std::error_code) { session->send("hello"); }));
  CHECK(here.wait_noted("hello"));
  client.stop();
  CHECK(here.record().reasons == std::vector{make_error_code(Error::engine_stopped)});
  CHECK(there.wait([](const Record& record) { return record.datagrams == 2; }));
  CHECK_FALSE(server.stop());
  CHECK(there.record().reasons == std::vector{make_error_code(Error::engine_stopped)});
}

}  // namespace ringwire::test
