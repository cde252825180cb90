// A datagram socket sends what it has, then cancels, then closes; patience may end before.
#include <ringwire/error.hpp>

#include "lib/loop/datagram_socket.hpp"
#include "tests/loop/datagram_fixture.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

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
  CHECK(at.send("too late") == Error::closed);
  at.kernel.complete(sends[0], 4);
  at.lap();
  CHECK(at.take_all(Op::datagram_close).size() == 1);
  CHECK(at.notebook.events == Words{"last:sent"});
}

// A loop with ticks, two sockets and sessions, and no connection, that drains for 100 ms.
struct DrainingSockets : DatagramFixture {
  DrainingSockets() : DatagramFixture{wishes()}, began{kernel.time} {
    loop.plan_drain({began, began + 100'000'000});
    loop.request_stop();
    lap();
    notebook.events.clear();
  }
  static Options wishes() {
    Options options = with_sessions();
    options.ticker = true;
    return options;
  }
  void pass(kernel::Nanoseconds duration) {
    kernel.time += duration;
    lap();
  }

  kernel::Nanoseconds began;
};

TEST_CASE("while a loop drains datagrams are told and sent, sessions open, and ticks come", "[datagram]") {
  DrainingSockets at;
  at.pass(20'000'000);
  CHECK(at.notebook.events == Words{"tick"});
  REQUIRE(at.arrive(7, "late"));
  at.lap();
  CHECK(at.notebook.events == Words{"tick", "session 7", "datagram:late"});
  CHECK_FALSE(at.send("answer", 7));
  at.lap();
  CHECK(at.take_all(Op::datagram_send).size() == 1);
  CHECK(at.take_all(Op::datagram_close).empty());
}

TEST_CASE("a loop that drains sleeps until something happens", "[datagram]") {
  DrainingSockets at;
  at.kernel.waits.clear();
  at.lap();
  CHECK(at.kernel.waits.size() == 2);
}

TEST_CASE("at the deadline of a drain sessions end, sockets close, and no tick comes any more",
          "[datagram]") {
  DrainingSockets at;
  REQUIRE(at.arrive(7, "late"));
  at.lap();
  at.notebook.events.clear();
  at.pass(101'000'000);
  at.lap();
  CHECK(at.take_all(Op::datagram_close).size() == 2);
  CHECK(std::count(at.notebook.events.begin(), at.notebook.events.end(),
                   "end 7:" + make_error_code(Error::engine_stopped).message()) == 1);
  at.notebook.events.clear();
  at.stop();
  CHECK_FALSE(at.running);
  CHECK(at.notebook.events.empty());
}

TEST_CASE("a stop ends at once what a drain goes on with", "[datagram]") {
  DrainingSockets at;
  at.loop.plan_drain({at.kernel.time, at.kernel.time + 1'000'000'000, false});
  at.lap();
  REQUIRE(at.arrive(7, "too late"));
  at.pass(20'000'000);
  CHECK(at.notebook.events.empty());
  CHECK(at.take_all(Op::datagram_close).size() == 2);
}

TEST_CASE("another thread that sends without end does not hold up the stop", "[datagram]") {
  std::vector<std::error_code> answers;
  DatagramFixture at;
  const auto send = [&] {
    at.socket().ref().send_to("x", local(5), [&](std::error_code error) { answers.push_back(error); });
  };
  send();
  at.loop.request_stop();
  for (int round = 0; round < 10 && at.running; ++round) {
    send();
    at.lap();
    for (const Request& request : at.take_all(Op::datagram_send)) at.kernel.complete(request, 1);
    if (round > 0) at.kernel.cancel_outstanding();
  }
  CHECK_FALSE(at.running);  // Though its time is not up.
  REQUIRE(answers.size() > 2);
  CHECK(std::count(answers.begin(), answers.end(), std::error_code{}) == 2);  // Those of the first lap.
  CHECK(answers.back() == Error::closed);
}

TEST_CASE("sockets stay open for sending while a connection is left", "[datagram]") {
  DatagramFixture at{DatagramFixture::small(), true};
  at.notebook.drain = [](Conn&) { return Action::none; };
  at.notebook.close = [&](Conn&, std::error_code) {
    at.socket().ref().send_to("it has left", local(5));
    return Action::none;
  };
  const Request recv = at.connect(30);
  at.loop.request_stop();
  at.lap();
  CHECK_FALSE(at.send("still there"));
  at.lap();
  const auto sends = at.take_all(Op::datagram_send);
  REQUIRE(sends.size() == 1);
  at.kernel.complete(sends[0], 11);
  at.lap();
  CHECK(at.take_all(Op::datagram_close).empty());

  at.kernel.complete(recv, -ECONNRESET);
  at.lap();
  at.kernel.complete(at.kernel.take(Op::close).value(), 0);
  at.lap();
  at.lap();
  const auto last = at.take_all(Op::datagram_send);
  REQUIRE(last.size() == 1);
  CHECK(ScriptKernel::content(last[0]) == "it has left");
  CHECK(at.take_all(Op::datagram_close).size() == 1);  // The other one has nothing to send.
  at.kernel.complete(last[0], 11);
  at.lap();
  CHECK(at.take_all(Op::datagram_close).size() == 1);
}

TEST_CASE("a loop that has become alone closes its sockets without being woken", "[datagram]") {
  DatagramFixture at{DatagramFixture::small(), true};
  const Request recv = at.connect(30);
  at.notebook.drain = [](Conn&) { return Action::none; };
  at.loop.request_stop();
  at.lap();
  at.kernel.complete(recv, -ECONNRESET);
  at.lap();
  at.kernel.complete(at.kernel.take(Op::close).value(), 0);
  at.kernel.waits.clear();
  at.lap();
  CHECK(at.kernel.waits.size() == 1);  // The first of two laps took the end, the second did not sleep.
  at.lap();
  CHECK(at.take_all(Op::datagram_close).size() == 2);
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

TEST_CASE("what the end of a connection that is cut off sends leaves, however late the lap", "[datagram]") {
  Options options = DatagramFixture::small();
  options.stop_timeout = std::chrono::milliseconds{50};
  DatagramFixture at{options, true};
  at.notebook.drain = [](Conn&) { return Action::none; };
  at.notebook.close = [&](Conn&, std::error_code) {
    at.socket().ref().send_to("it has left", local(5));
    return Action::none;
  };
  const Request recv = at.connect(30);
  at.loop.request_stop();
  at.lap();
  at.kernel.time += 51'000'000;
  at.lap();
  at.kernel.complete(at.kernel.take(Op::cancel).value(), 1);
  at.kernel.complete(recv, -ECANCELED);
  at.kernel.complete(at.kernel.take(Op::close).value(), 0);
  REQUIRE(at.loop.lap());
  at.kernel.time += 100'000'000;
  at.lap();
  const auto last = at.take_all(Op::datagram_send);
  REQUIRE(last.size() == 1);
  CHECK(ScriptKernel::content(last[0]) == "it has left");
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
