// A datagram socket sends what it has, then cancels, then closes; patience may end before.
#include <ringwire/error.hpp>

#include "lib/loop/datagram_socket.hpp"
#include "tests/loop/datagram_fixture.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cerrno>

namespace ringwire::test {
namespace {

using uring::Op;

TEST_CASE("a closing socket cancels its receive and closes in one chain", "[datagram]") {
  DatagramFixture at;
  at.loop.request_stop();
  at.lap();
  const auto cancels = at.take_all(Op::datagram_cancel);
  const auto closes = at.take_all(Op::datagram_close);
  REQUIRE(cancels.size() == 2);
  REQUIRE(closes.size() == 2);
  CHECK(cancels[0].sqe.flags == IOSQE_IO_HARDLINK);
  CHECK(cancels[0].sqe.fd == 20);
  CHECK(closes[0].sqe.fd == 20);
}

TEST_CASE("a receive that has ended needs no cancel", "[datagram]") {
  DatagramFixture at;
  at.kernel.complete(*at.recv, -ENOMEM);  // It pauses.
  at.lap();
  at.loop.request_stop();
  at.lap();
  CHECK(at.take_all(Op::datagram_cancel).size() == 1);
  CHECK(at.take_all(Op::datagram_close).size() == 2);
  CHECK(at.socket().resume_at() == 0);
}

TEST_CASE("what is queued leaves before the socket closes", "[datagram]") {
  DatagramFixture at;
  REQUIRE_FALSE(at.send("last"));
  at.loop.request_stop();
  at.lap();
  const auto sends = at.take_all(Op::datagram_send);
  REQUIRE(sends.size() == 1);
  CHECK(at.take_all(Op::datagram_close).size() == 1);  // The other one has nothing to send.
  CHECK_FALSE(at.send("one more"));
  at.kernel.complete(sends[0], 4);
  at.lap();
  const auto more = at.take_all(Op::datagram_send);
  REQUIRE(more.size() == 1);
  at.kernel.complete(more[0], 8);
  at.lap();
  CHECK(at.take_all(Op::datagram_close).size() == 1);
  CHECK(at.send("too late") == Error::closed);
  CHECK(at.notebook.events == Words{"last:sent", "one more:sent"});
}

TEST_CASE("sockets stay open for sending while a connection is left", "[datagram]") {
  LoopFixture at;  // Without datagrams, for the order of things: it ends when its connection has.
  CHECK(at.loop.datagrams().is_closed());
  DatagramFixture with;
  CHECK_FALSE(with.socket().wants_close(true));
  with.socket().begin_close();
  CHECK_FALSE(with.socket().wants_close(false));
  CHECK(with.socket().wants_close(true));
  with.loop.datagrams().find(1)->begin_close();
  with.loop.datagrams().give_up();
  while (with.socket().wants_close(false)) {
    REQUIRE(with.loop.datagrams().is_due(0, false));
    with.lap();
  }
  for (int round = 0; round < 5; ++round) {
    with.kernel.cancel_outstanding();
    with.lap();
  }
  CHECK(with.loop.datagrams().is_closed());
  with.running = false;
}

TEST_CASE("when patience ends what is queued is dropped, what is under way is cancelled", "[datagram]") {
  Options options = DatagramFixture::small();
  options.stop_timeout = std::chrono::milliseconds{50};
  // However what was under way comes back: it has not left, and is not tried again.
  for (const int result : {-ECANCELED, -EINTR, -EAGAIN, -ENOBUFS, -ENOMEM}) {
    DatagramFixture at{options};
    REQUIRE_FALSE(at.send("under way"));
    REQUIRE_FALSE(at.send("waits"));
    at.lap();
    const auto sends = at.take_all(Op::datagram_send);
    REQUIRE(sends.size() == 2);
    at.loop.request_stop();
    at.lap();
    at.kernel.complete(sends[1], -EAGAIN);  // It would be tried again, but the time is up.
    at.kernel.time += 100'000'000;
    at.lap();
    CHECK(at.send("too late") == Error::closed);
    CHECK(at.take_all(Op::datagram_send).empty());
    const auto closes = at.take_all(Op::datagram_close);
    CHECK(std::any_of(closes.begin(), closes.end(), [](const Request& each) { return each.sqe.fd == 20; }));
    at.kernel.complete(sends[0], result);
    at.lap();
    const std::string reason = make_error_code(Error::engine_stopped).message();
    CHECK(at.notebook.events == Words{"waits:" + reason, "under way:" + reason});
  }
}

TEST_CASE("a close that was cancelled is tried again, one that complains is done", "[datagram]") {
  DatagramFixture at;
  at.loop.request_stop();
  at.lap();
  for (const Request& cancel : at.take_all(Op::datagram_cancel)) at.kernel.complete(cancel, 1);
  const auto closes = at.take_all(Op::datagram_close);
  REQUIRE(closes.size() == 2);
  at.kernel.complete(closes[0], -ECANCELED);
  at.kernel.complete(closes[1], -EIO);
  at.lap();
  const auto again = at.take_all(Op::datagram_close);
  REQUIRE(again.size() == 1);
  CHECK(again[0].sqe.fd == 20);
}

TEST_CASE("a loop ends when its sockets are closed and nothing is lent", "[datagram]") {
  DatagramFixture at;
  at.stop();
  CHECK_FALSE(at.running);
  CHECK(at.loop.datagrams().is_closed());
}

TEST_CASE("a loop whose ring did not open closes its sockets all the same", "[datagram]") {
  ScriptKernel kernel;
  {
    kernel.open_ring_results = {-EMFILE};
    Notebook notebook;
    StopCounter owner;
    const base::Log log{LogLevel::off, nullptr};
    const Options options;
    loop::Loop loop{{kernel, notebook, options, log, owner}, 0, false};
    loop.add_datagram_socket(20, local(1000));
    CHECK(loop.open());
    Done told = [&](std::error_code error) { notebook.events.push_back(error.message()); };
    REQUIRE_FALSE(loop.datagrams().find(0)->queue({}, local(5), std::move(told)));
    loop.close();
    CHECK(notebook.events == Words{make_error_code(Error::closed).message()});
  }
  CHECK(kernel.closed == std::vector<int>{20});
  CHECK(kernel.maps_count() == 0);
}

}  // namespace
}  // namespace ringwire::test
