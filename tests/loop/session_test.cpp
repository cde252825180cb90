// The public face of a session, and handles from any thread.
#include "lib/loop/session.hpp"

#include <ringwire/error.hpp>
#include <ringwire/session.hpp>

#include "tests/loop/datagram_fixture.hpp"
#include "tests/support/catch.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

namespace ringwire::test {
namespace {

using loop::PeerKey;
using uring::Op;

// One session, with port 7, and what the test needs of it.
struct SessionFixture : DatagramFixture {
  SessionFixture() : DatagramFixture{with_sessions()} {
    notebook.session_open = [this](Session& opened) {
      session = &opened;
      ref = opened.ref();
      return Action::none;
    };
    arrive(7, "hello");
    lap();
    notebook.events.clear();
  }
  Done noting() {
    return [this](std::error_code error) { notebook.events.push_back(error ? error.message() : "sent"); };
  }

  Session* session = nullptr;
  SessionRef ref;
};

TEST_CASE("a peer's key keeps its address, of both families", "[datagram]") {
  CHECK(PeerKey::of(net::to_name(local(7)), 3).address() == local(7));
  Address six;
  six.family = Address::Family::ipv6;
  six.port = 9000;
  six.zone = 2;
  six.ip = {0xFE, 0x80, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
  CHECK(PeerKey::of(net::to_name(six), 3).address() == six);
  CHECK(PeerKey::of({}, 3).address() == Address{});
}

TEST_CASE("keys differ by address, port, zone, family and socket", "[datagram]") {
  const PeerKey key = PeerKey::of(net::to_name(local(7)), 3);
  CHECK(key == PeerKey::of(net::to_name(local(7)), 3));
  CHECK_FALSE(key == PeerKey::of(net::to_name(local(7)), 4));
  CHECK_FALSE(key == PeerKey::of(net::to_name(local(8)), 3));
  Address other = local(7);
  other.ip[3] = 2;
  CHECK_FALSE(key == PeerKey::of(net::to_name(other), 3));
  other.family = Address::Family::ipv6;
  const PeerKey six = PeerKey::of(net::to_name(other), 3);
  other.zone = 1;
  CHECK_FALSE(six == PeerKey::of(net::to_name(other), 3));
}

TEST_CASE("a session knows its peer, its socket and its loop, and sends to the peer", "[datagram]") {
  SessionFixture at;
  REQUIRE(at.session != nullptr);
  CHECK(at.session->remote_address() == local(7));
  CHECK(at.session->local_address() == local(1000));
  CHECK(at.session->loop() == at.loop.ref());
  CHECK(at.ref.loop() == at.loop.ref());
  CHECK_FALSE(at.session->send("one"));
  CHECK_FALSE(at.session->send(to_bytes("two")));
  CHECK(at.session->send(std::string(65'536, 'x')) == std::errc::message_size);
  at.lap();
  const auto sends = at.take_all(Op::datagram_send);
  REQUIRE(sends.size() == 2);
  CHECK(ScriptKernel::content(sends[0]) == "one");
  CHECK(ScriptKernel::content(sends[1]) == "two");
}

TEST_CASE("a context belongs to its session", "[datagram]") {
  SessionFixture at;
  auto counted = std::make_shared<int>(0);
  at.session->emplace_context<std::shared_ptr<int>>(counted);
  CHECK(at.session->context<std::shared_ptr<int>>()->get() == counted.get());
  CHECK(at.session->context<int>() == nullptr);
  at.notebook.session_close = [&](Session& session, std::error_code) {
    if (session.context<std::shared_ptr<int>>() != nullptr) at.notebook.events.emplace_back("context");
    return Action::none;
  };
  at.session->close();
  at.session->close();
  at.lap();
  CHECK(at.notebook.events == Words{"end 7", "context"});
  CHECK(counted.use_count() == 1);
}

TEST_CASE("a handle sends from any thread, and answers when the kernel has taken it", "[datagram]") {
  SessionFixture at;
  at.ref.send("later", at.noting());
  at.lap();
  const auto sends = at.take_all(Op::datagram_send);
  REQUIRE(sends.size() == 1);
  CHECK(ScriptKernel::content(sends[0]) == "later");
  CHECK(at.notebook.events.empty());
  at.kernel.complete(sends[0], 5);
  at.lap();
  CHECK(at.notebook.events == Words{"sent"});
}

TEST_CASE("a handle to a session that has ended is answered closed, also when its slot is used again",
          "[datagram]") {
  SessionFixture at;
  const SessionRef old = at.ref;
  old.post([](Session* session) {
    if (session != nullptr) session->close();
  });
  at.lap();
  REQUIRE(at.arrive(8, "next"));
  at.lap();
  CHECK_FALSE(at.ref == old);
  at.notebook.events.clear();
  old.send("to nobody", at.noting());
  old.post([&](Session* session) { at.notebook.events.emplace_back(session == nullptr ? "gone" : "there"); });
  at.lap();
  CHECK(at.notebook.events == Words{make_error_code(Error::closed).message(), "gone"});
  CHECK(at.take_all(Op::datagram_send).empty());
}

TEST_CASE("a handle answers at once when nobody will read its letter, or nothing could hold it",
          "[datagram]") {
  SessionFixture at;
  SessionRef{}.send("no loop", at.noting());
  SessionRef{}.post(
      [&](Session* session) { at.notebook.events.emplace_back(session == nullptr ? "gone" : ""); });
  at.ref.send(std::string(65'536, 'x'), at.noting());
  at.stop();
  at.loop.close();
  at.ref.send("late", at.noting());
  const std::string closed = make_error_code(Error::closed).message();
  const std::string too_long = std::make_error_code(std::errc::message_size).message();
  CHECK(at.notebook.events ==
        Words{closed, "gone", too_long, "end 7:" + make_error_code(Error::engine_stopped).message(), closed});
}

}  // namespace
}  // namespace ringwire::test
