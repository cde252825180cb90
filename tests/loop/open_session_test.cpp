// Sessions that we open: a socket of their own, which ends with them.
#include <ringwire/error.hpp>
#include <ringwire/loop_ref.hpp>

#include "tests/loop/datagram_fixture.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>
#include <string>

namespace ringwire::test {
namespace {

using uring::Op;

// A loop without addresses, and one session with port 53.
struct Caller : LoopFixture {
  explicit Caller(const Options& given = DatagramFixture::small()) : LoopFixture{given} {
    kernel.own_name = net::to_name(local(4000));
  }
  SessionOpened noting() {
    return [this](Session* opened, std::error_code error) {
      session = opened;
      notebook.events.push_back(error ? error.message() : "opened");
    };
  }
  void call() {
    REQUIRE_FALSE(loop.ref().open_session("udp://127.0.0.1:53", noting()));
    lap();
    recv = kernel.take(Op::datagram_recv);
    notebook.events.clear();
  }
  bool answer(std::string_view bytes) {
    const kernel::SocketName name = net::to_name(local(53));
    io_uring_recvmsg_out head{};
    head.namelen = name.size;
    head.payloadlen = static_cast<std::uint32_t>(bytes.size());
    std::string content(uring::received_head_size, '\0');
    std::memcpy(content.data(), &head, sizeof head);
    std::memcpy(content.data() + sizeof head, &name.storage, name.size);
    return kernel.receive(*recv, content + std::string{bytes}, true);
  }
  static std::string ended(const std::error_code& reason) { return "end 53:" + reason.message(); }

  Session* session = nullptr;
  std::optional<Request> recv;
};

TEST_CASE("a session is opened on a connected socket, is told, then answered", "[datagram]") {
  Caller at;
  CHECK(at.kernel.maps_count() == 2);
  REQUIRE_FALSE(at.loop.ref().open_session("udp://127.0.0.1:53", at.noting()));
  at.lap();
  CHECK(at.notebook.events == Words{"session 53", "opened"});
  REQUIRE(at.kernel.connected.size() == 1);
  CHECK(net::to_address(at.kernel.connected[0]) == local(53));
  CHECK(at.session->local_address() == local(4000));
  CHECK(at.session->remote_address() == local(53));
  CHECK(at.kernel.maps_count() == 3);  // Buffers for datagrams, which the loop had not before.
  CHECK(at.kernel.take(Op::datagram_recv));
}

TEST_CASE("what it sends has no name, what comes carries the session", "[datagram]") {
  Caller at;
  at.call();
  REQUIRE(at.recv);
  CHECK_FALSE(at.session->send("query"));
  at.lap();
  const auto send = at.kernel.take(Op::datagram_send);
  REQUIRE(send);
  CHECK(ScriptKernel::content(*send) == "query");
  CHECK(reinterpret_cast<const msghdr*>(send->sqe.addr)->msg_name == nullptr);
  bool same = false;
  at.notebook.datagram = [&](Datagram& datagram) {
    same = datagram.session() == at.session;
    return Action::none;
  };
  REQUIRE(at.answer("answer"));
  at.lap();
  CHECK(at.notebook.events == Words{"datagram:answer"});
  CHECK(same);
}

TEST_CASE("closing sends what is queued, tells, and closes the socket", "[datagram]") {
  Caller at;
  at.call();
  at.notebook.session_close = [](Session& session, std::error_code) {
    static_cast<void>(session.send("last"));
    return Action::none;
  };
  const SessionRef ref = at.session->ref();
  CHECK_FALSE(at.session->send("first"));
  at.session->close();
  at.lap();
  CHECK(at.notebook.events == Words{"end 53"});
  const auto first = at.kernel.take(Op::datagram_send);
  const auto last = at.kernel.take(Op::datagram_send);
  REQUIRE(last);
  CHECK(ScriptKernel::content(*last) == "last");
  CHECK_FALSE(at.kernel.take(Op::datagram_close));
  at.kernel.complete(*first, 5);
  at.kernel.complete(*last, 4);
  at.lap();
  const auto cancel = at.kernel.take(Op::datagram_cancel);
  const auto close = at.kernel.take(Op::datagram_close);
  REQUIRE(close);
  at.kernel.complete(*cancel, 1);
  at.kernel.complete(*at.recv, -ECANCELED);
  at.kernel.complete(*close, 0);
  at.lap();
  CHECK(at.loop.datagrams().is_closed());
  ref.send("late", [&](std::error_code error) { at.notebook.events.push_back(error.message()); });
  at.lap();
  CHECK(at.notebook.events.back() == make_error_code(Error::closed).message());
}

TEST_CASE("a peer that is not there ends the session, whoever is told of it first", "[datagram]") {
  for (const bool by_send : {true, false}) {
    Caller at;
    at.call();
    if (by_send) {
      CHECK_FALSE(at.session->send("anybody?"));
      at.lap();
      at.kernel.complete(*at.kernel.take(Op::datagram_send), -ECONNREFUSED);
    } else {
      at.kernel.complete(*at.recv, -ECONNREFUSED);
    }
    at.lap();
    CHECK(at.notebook.events == Words{Caller::ended(std::make_error_code(std::errc::connection_refused))});
    CHECK(at.kernel.take(Op::datagram_close));
  }
}

TEST_CASE("a receive without memory pauses, and one whose descriptor is gone ends the session",
          "[datagram]") {
  Caller at;
  at.call();
  at.kernel.complete(*at.recv, -ENOMEM);
  at.lap();
  CHECK(at.notebook.events.empty());
  at.kernel.time += loop::Pause::length_min;
  at.lap();
  at.recv = at.kernel.take(Op::datagram_recv);
  REQUIRE(at.recv);
  at.kernel.complete(*at.recv, -EBADF);
  at.lap();
  CHECK(at.notebook.events == Words{Caller::ended(std::make_error_code(std::errc::bad_file_descriptor))});
}

TEST_CASE("a slot is used again under another name", "[datagram]") {
  Caller at;
  at.call();
  Session* const first = at.session;
  at.kernel.complete(*at.recv, -ECONNREFUSED);
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::datagram_close), 0);
  at.lap();
  CHECK(at.loop.datagrams().is_closed());
  at.call();
  CHECK(at.session == first);  // The memory is the same …
  REQUIRE(at.recv);
  CHECK(uring::Token::unpack(at.recv->sqe.user_data).generation == 2);  // … the name is not.
}

TEST_CASE("what goes wrong is answered, and no socket stays", "[datagram]") {
  Caller at;
  at.kernel.open_socket_results = {-EMFILE};
  REQUIRE_FALSE(at.loop.ref().open_session("udp://127.0.0.1:53", at.noting()));
  at.lap();
  at.kernel.connect_results = {-ENETUNREACH};
  REQUIRE_FALSE(at.loop.ref().open_session("udp://127.0.0.1:53", at.noting()));
  at.lap();
  at.kernel.register_results = {-ENOMEM};  // Buffers.
  REQUIRE_FALSE(at.loop.ref().open_session("udp://127.0.0.1:53", at.noting()));
  at.lap();
  REQUIRE(at.notebook.events.size() == 3);
  CHECK(at.notebook.events[0] == std::make_error_code(std::errc::too_many_files_open).message());
  CHECK(at.notebook.events[1] == std::make_error_code(std::errc::network_unreachable).message());
  CHECK(at.notebook.events[2] == make_error_code(Error::memlock_too_small).message());
  CHECK(at.kernel.closed.size() == 2);
  CHECK(at.loop.datagrams().is_closed());
}

TEST_CASE("beyond the limit the answer is EAGAIN, and the socket is closed", "[datagram]") {
  Options options = DatagramFixture::small();
  options.sessions_max = 1;
  Caller at{options};
  at.call();
  REQUIRE_FALSE(at.loop.ref().open_session("udp://127.0.0.1:53", at.noting()));
  at.lap();
  CHECK(at.notebook.events ==
        Words{std::make_error_code(std::errc::resource_unavailable_try_again).message()});
  CHECK(at.kernel.take(Op::datagram_close));
}

TEST_CASE("a bad address is answered at once, a loop that stops or has ended in its way", "[datagram]") {
  Caller at;
  CHECK(at.loop.ref().open_session("howdy") == Error::invalid_address);
  CHECK(at.loop.ref().open_session("tcp://127.0.0.1:53") == Error::unsupported_protocol);
  CHECK(LoopRef{}.open_session("udp://127.0.0.1:53") == Error::closed);
  at.call();
  at.loop.request_stop();
  REQUIRE_FALSE(at.loop.ref().open_session("udp://127.0.0.1:53", at.noting()));
  at.lap();
  CHECK(at.notebook.events == Words{make_error_code(Error::engine_stopped).message(),
                                    Caller::ended(make_error_code(Error::engine_stopped))});
  at.stop();
  CHECK_FALSE(at.running);
  at.loop.close();
  CHECK(at.loop.ref().open_session("udp://127.0.0.1:53", at.noting()) == Error::closed);
}

}  // namespace
}  // namespace ringwire::test
