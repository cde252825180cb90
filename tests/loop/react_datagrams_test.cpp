// What the handler is told of datagrams and of the sessions they open and end, and in which order.
#include <ringwire/error.hpp>

#include "tests/loop/datagram_fixture.hpp"
#include "tests/support/catch.hpp"

#include <chrono>
#include <string>

namespace ringwire::test {
namespace {

using uring::Op;

std::string ended(std::uint16_t port, Error reason) {
  return "end " + std::to_string(port) + ":" + make_error_code(reason).message();
}

TEST_CASE("without the option there are no sessions", "[datagram]") {
  DatagramFixture at;
  bool none = true;
  at.notebook.datagram = [&](Datagram& datagram) {
    none = none && datagram.session() == nullptr;
    return Action::close;
  };
  REQUIRE(at.arrive(7, "one"));
  at.lap();
  CHECK(at.notebook.events == Words{"datagram:one"});
  CHECK(none);
}

TEST_CASE("a peer's first datagram opens its session, all of them carry it", "[datagram]") {
  DatagramFixture at{DatagramFixture::with_sessions()};
  std::vector<Session*> seen;
  at.notebook.session_open = [&](Session& session) {
    seen.push_back(&session);
    return Action::none;
  };
  at.notebook.datagram = [&](Datagram& datagram) {
    seen.push_back(datagram.session());
    return Action::none;
  };
  REQUIRE(at.arrive(7, "one"));
  REQUIRE(at.arrive(7, "two"));
  at.lap();
  REQUIRE(at.arrive(8, "other"));
  at.lap();
  CHECK(at.notebook.events ==
        Words{"session 7", "datagram:one", "datagram:two", "session 8", "datagram:other"});
  REQUIRE(seen.size() == 5);
  CHECK((seen[0] == seen[1] && seen[1] == seen[2]));
  CHECK((seen[3] == seen[4] && seen[3] != seen[0]));
  CHECK(at.loop.metrics().sessions == 2);
}

TEST_CASE("of joined datagrams one may end the session, and the next opens another", "[datagram]") {
  Options options = DatagramFixture::with_trains();
  options.datagram_sessions = true;
  DatagramFixture at{options};
  at.notebook.datagram = [](Datagram& datagram) {
    return to_text(datagram.bytes()) == "bye" ? Action::close : Action::none;
  };
  REQUIRE(at.arrive_joined(7, "onebyetwo", 3));
  at.lap();
  CHECK(at.notebook.events ==
        Words{"session 7", "datagram:one", "datagram:bye", "end 7", "session 7", "datagram:two"});
}

TEST_CASE("a peer of two sockets has two sessions", "[datagram]") {
  DatagramFixture at{DatagramFixture::with_sessions()};
  at.take_second();
  at.arrive_at(1000, 7, "one");
  at.arrive_at(1001, 7, "two");
  CHECK(at.notebook.events == Words{"session 7", "datagram:one", "session 7", "datagram:two"});
}

TEST_CASE("a session that an event ends is told so before the next datagram, which opens another",
          "[datagram]") {
  DatagramFixture at{DatagramFixture::with_sessions()};
  at.notebook.datagram = [](Datagram& datagram) {
    if (to_text(datagram.bytes()) == "bye") datagram.session()->close();
    return Action::none;
  };
  REQUIRE(at.arrive(7, "bye"));
  REQUIRE(at.arrive(7, "again"));
  at.lap();
  CHECK(at.notebook.events == Words{"session 7", "datagram:bye", "end 7", "session 7", "datagram:again"});
}

TEST_CASE("Action::close closes the datagram's session, Action::shutdown stops the engine", "[datagram]") {
  DatagramFixture at{DatagramFixture::with_sessions()};
  at.notebook.datagram = [](Datagram&) { return Action::close; };
  REQUIRE(at.arrive(7, "one"));
  at.lap();
  CHECK(at.notebook.events == Words{"session 7", "datagram:one", "end 7"});
  at.notebook.session_close = [](Session&, std::error_code) { return Action::shutdown; };
  REQUIRE(at.arrive(7, "two"));
  at.lap();
  CHECK(at.owner.count == 1);
}

TEST_CASE("a peer that on_session_open refuses is not heard, and counted", "[datagram]") {
  DatagramFixture at{DatagramFixture::with_sessions()};
  at.notebook.session_open = [](Session&) { return Action::close; };
  REQUIRE(at.arrive(7, "one"));
  at.lap();
  CHECK(at.notebook.events == Words{"session 7", "end 7"});
  CHECK(at.loop.datagram_counts().dropped == 1);
  CHECK(at.loop.datagram_counts().received == 0);
  CHECK(at.kernel.free_buffers(1) == 2);
}

TEST_CASE("beyond the limit no session opens, and the datagram is dropped and counted", "[datagram]") {
  Options options = DatagramFixture::with_sessions();
  options.sessions_max = 1;
  DatagramFixture at{options};
  REQUIRE(at.arrive(7, "one"));
  REQUIRE(at.arrive(8, "two"));
  at.lap();
  REQUIRE(at.arrive(7, "three"));
  at.lap();
  CHECK(at.notebook.events == Words{"session 7", "datagram:one", "datagram:three"});
  CHECK(at.loop.datagram_counts().dropped == 1);
  CHECK(at.loop.datagram_counts().received == 2);
  CHECK(at.kernel.free_buffers(1) == 2);
}

TEST_CASE("what an event throws ends its session, and nothing else", "[datagram]") {
  DatagramFixture at{DatagramFixture::with_sessions()};
  at.notebook.session_open = [](Session& session) -> Action {
    if (session.remote_address().port == 8) throw 1;
    return Action::none;
  };
  at.notebook.datagram = [](Datagram& datagram) -> Action {
    if (datagram.remote_address().port == 7) throw 1;
    return Action::none;
  };
  at.notebook.session_close = [](Session&, std::error_code) -> Action { throw 1; };
  REQUIRE(at.arrive(7, "one"));
  REQUIRE(at.arrive(8, "two"));
  at.lap();
  REQUIRE(at.arrive(9, "three"));
  at.lap();
  CHECK(at.notebook.events == Words{"session 7", "datagram:one", ended(7, Error::handler_failed), "session 8",
                                    ended(8, Error::handler_failed), "session 9", "datagram:three"});
  CHECK(at.loop.metrics().handler_failures == 4);
  CHECK(at.loop.metrics().sessions == 1);
}

TEST_CASE("silence ends a session though nothing else happens", "[datagram]") {
  Options options = DatagramFixture::with_sessions();
  options.session_timeout = std::chrono::seconds{1};
  DatagramFixture at{options};
  REQUIRE(at.arrive(7, "one"));
  at.lap();
  at.kernel.time += 1'001'000'000;
  at.lap();
  CHECK(at.notebook.events == Words{"session 7", "datagram:one", ended(7, Error::idle_timeout)});
  CHECK(at.loop.metrics().sessions == 0);
}

TEST_CASE("one session may end another, and is told after it", "[datagram]") {
  DatagramFixture at{DatagramFixture::with_sessions()};
  Session* first = nullptr;
  at.notebook.session_open = [&](Session& session) {
    if (first == nullptr) first = &session;
    return Action::none;
  };
  at.notebook.session_close = [&](Session& session, std::error_code) {
    if (&session != first) first->close();
    return Action::none;
  };
  REQUIRE(at.arrive(7, "one"));
  at.lap();
  at.notebook.datagram = [](Datagram&) { return Action::close; };
  REQUIRE(at.arrive(8, "two"));
  at.lap();
  CHECK(at.notebook.events ==
        Words{"session 7", "datagram:one", "session 8", "datagram:two", "end 8", "end 7"});
}

TEST_CASE("a stopping loop ends its sessions when its last connection has ended, and lets them say goodbye",
          "[datagram]") {
  DatagramFixture at{DatagramFixture::with_sessions(), true};
  static_cast<void>(at.connect(40));
  at.notebook.drain = [](Conn&) { return Action::none; };
  at.notebook.session_close = [](Session& session, std::error_code) {
    static_cast<void>(session.send("goodbye"));
    return Action::none;
  };
  REQUIRE(at.arrive(7, "one"));
  at.lap();
  at.notebook.events.clear();
  at.loop.request_stop();
  at.lap();
  CHECK(at.notebook.events == Words{"drain"});
  at.kernel.time += 10'000'000'000;
  at.lap();
  at.kernel.cancel_outstanding();
  for (int round = 0; round < 4; ++round) at.lap();
  CHECK(at.notebook.events == Words{"drain", "close:" + make_error_code(Error::engine_stopped).message(),
                                    ended(7, Error::engine_stopped)});
  const auto sends = at.take_all(Op::datagram_send);
  REQUIRE(sends.size() == 1);
  CHECK(ScriptKernel::content(sends[0]) == "goodbye");
  at.stop();
  CHECK_FALSE(at.running);
}

}  // namespace
}  // namespace ringwire::test
