// Stopping: everybody is told, nobody stays for ever, nothing stays lent.
#include <ringwire/error.hpp>

#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using ringwire::Action;
using ringwire::Conn;
using ringwire::Error;
using ringwire::test::LoopFixture;
using ringwire::test::Words;
using ringwire::uring::Op;

namespace {

// A loop with an eventfd that has taken over descriptor 20, the only one it will get, and so begins to stop.
struct Stopping {
  explicit Stopping(std::function<Action(Conn&)> drain = nullptr) {
    kernel.wake_result = -EINVAL;
    notebook.drain = std::move(drain);
    REQUIRE_FALSE(loop.open());
    kernel.post(loop.ring_fd(), {Op::handoff, 0, 0}, 20);
    kernel.post(loop.ring_fd(), {Op::handoff_end, 0, 0}, 1);
    for (int lap = 0; lap < 3; ++lap) CHECK(loop.lap());
  }

  ringwire::test::ScriptKernel kernel;
  ringwire::test::Notebook notebook;
  ringwire::test::StopCounter owner;
  ringwire::base::Log log{ringwire::LogLevel::off, nullptr};
  ringwire::Options options;
  ringwire::loop::Loop loop{{kernel, notebook, options, log, owner}, 0, true};
};

constexpr ringwire::kernel::Nanoseconds msec = 1'000'000;

// A loop with so many connections, from descriptor 20 on, whose handler lets them stay, and which is asked to
// stop: all told within `spread`, all gone after `deadline`.
struct Draining : LoopFixture {
  Draining(int connections, ringwire::kernel::Nanoseconds spread, ringwire::kernel::Nanoseconds deadline)
      : began{kernel.time} {
    notebook.drain = [](Conn&) { return Action::none; };
    for (int fd = 20; fd < 20 + connections; ++fd) receives.push_back(connect(fd));
    loop.plan_drain({began + spread, began + deadline});
    loop.request_stop();
    lap();
  }

  // How many were told when so much time has passed since the beginning.
  std::ptrdiff_t told_after(ringwire::kernel::Nanoseconds passed) {
    kernel.time = began + passed;
    lap();
    return count("drain");
  }
  [[nodiscard]] std::ptrdiff_t count(const std::string& word) const {
    return std::count(notebook.events.begin(), notebook.events.end(), word);
  }

  std::vector<ringwire::test::Request> receives;
  ringwire::kernel::Nanoseconds began;
};

}  // namespace

TEST_CASE("stopping drains each connection and flushes what it writes", "[stop]") {
  LoopFixture at;
  at.notebook.drain = [](Conn& conn) {
    conn.write("bye");
    return Action::close;
  };
  at.connect(20);
  at.loop.request_stop();
  at.lap();
  const auto send = at.kernel.take(Op::send);
  REQUIRE(send);
  CHECK(ringwire::test::ScriptKernel::content(*send) == "bye");
}

TEST_CASE("who stays beyond the stop timeout is reset with engine_stopped", "[stop]") {
  LoopFixture at{{.stop_timeout = 100ms}};
  at.notebook.drain = [](Conn&) { return Action::none; };
  at.connect(20);
  at.loop.request_stop();
  at.lap();
  CHECK_FALSE(at.kernel.take(Op::close));
  at.kernel.time += 101'000'000;
  at.lap();
  CHECK(at.kernel.take(Op::cancel));
  CHECK(at.kernel.take(Op::close));
  CHECK(at.kernel.options_set.back() == std::pair{20, int{SO_LINGER}});
  at.stop();
  CHECK(at.notebook.events.back() == "close:" + make_error_code(Error::engine_stopped).message());
}

TEST_CASE("who was cut off is told no more of what still comes", "[stop]") {
  LoopFixture at{{.stop_timeout = 100ms}};
  at.notebook.drain = [](Conn&) { return Action::none; };
  const auto recv = at.connect(20);
  at.loop.request_stop();
  at.lap();
  at.kernel.time += 101'000'000;
  at.lap();
  at.notebook.events.clear();
  REQUIRE(at.kernel.receive(recv, "too late"));
  at.lap();
  CHECK(at.notebook.events.empty());
}

TEST_CASE("a stopped loop owes and is owed nothing", "[stop]") {
  LoopFixture at;
  for (int fd = 20; fd < 30; ++fd) at.connect(fd);
  at.stop();
  CHECK_FALSE(at.running);
  CHECK(at.loop.connections_count() == 0);
  CHECK(at.kernel.cancel_outstanding() == 0);
  at.loop.close();
  CHECK(at.kernel.rings_count() == 0);
  CHECK(at.kernel.maps_count() == 0);
}

TEST_CASE("a post to an ended loop is answered closed", "[stop]") {
  LoopFixture at;
  const auto ref = at.loop.ref();
  at.stop();
  at.loop.close();
  CHECK(ref.post([] {}) == Error::closed);
  CHECK(ref.connect("tcp://127.0.0.1:9") == Error::closed);
}

TEST_CASE("after the last connection left, a loop with an eventfd does not wait again", "[stop]") {
  Stopping at;
  at.kernel.complete(*at.kernel.take(Op::recv), 0);
  for (int lap = 0; lap < 2; ++lap) CHECK(at.loop.lap());
  at.kernel.complete(*at.kernel.take(Op::close), 0);
  CHECK(at.loop.lap());  // Released.
  at.kernel.waits.clear();
  CHECK(at.loop.lap());
  CHECK(at.kernel.waits.empty());  // Nothing but a cancel of its own would end that wait.
  CHECK(at.loop.lap());
  CHECK(at.kernel.take(Op::cancel_all));
  at.kernel.cancel_outstanding();
  CHECK_FALSE(at.loop.lap());
  at.loop.close();
}

TEST_CASE("a loop that drains is woken by every letter, also through an eventfd", "[stop]") {
  Stopping at{[](Conn&) { return Action::none; }};
  CHECK(at.notebook.events == Words{"open", "drain"});
  for (int letter = 0; letter < 3; ++letter) {
    const auto read = at.kernel.take(Op::event);
    REQUIRE(read);  // Else nobody would hear the bell.
    at.kernel.complete(*read, 8);
    for (int lap = 0; lap < 2; ++lap) CHECK(at.loop.lap());
  }
  bool running = true;
  for (int round = 0; round < 10 && running; ++round) {
    at.kernel.time += 10'000'000'000;
    at.kernel.cancel_outstanding();
    running = at.loop.lap();
  }
  CHECK_FALSE(running);
  at.loop.close();
}

TEST_CASE("a drain tells its connections one after the other, evenly", "[stop]") {
  Draining at{4, 400 * msec, 10'000 * msec};
  CHECK(at.told_after(0) == 1);
  CHECK(at.told_after(99 * msec) == 1);
  CHECK(at.told_after(101 * msec) == 2);
  CHECK(at.told_after(199 * msec) == 2);
  CHECK(at.told_after(201 * msec) == 3);
  CHECK(at.told_after(299 * msec) == 3);
  CHECK(at.told_after(301 * msec) == 4);
  CHECK(at.told_after(1'000 * msec) == 4);
}

TEST_CASE("a connection whose turn has not come is served as before", "[stop]") {
  Draining at{2, 400 * msec, 10'000 * msec};
  REQUIRE(at.kernel.receive(at.receives[1], "still here"));
  at.lap();
  CHECK(at.notebook.events.back() == "traffic:still here");
  CHECK(at.count("drain") == 1);
}

TEST_CASE("the turns of those who left are shared by those who stay", "[stop]") {
  Draining at{5, 400 * msec, 10'000 * msec};
  at.kernel.complete(at.receives[3], -ECONNRESET);
  at.kernel.complete(at.receives[4], -ECONNRESET);
  at.lap();
  while (const auto close = at.kernel.take(Op::close)) at.kernel.complete(*close, 0);
  at.lap();
  CHECK(at.loop.connections_count() == 3);
  CHECK(at.told_after(79 * msec) == 1);
  CHECK(at.told_after(81 * msec) == 2);
  CHECK(at.told_after(239 * msec) == 2);  // Two were left for 320 ms.
  CHECK(at.told_after(241 * msec) == 3);
  CHECK(at.loop.drained().closed == 2);
}

TEST_CASE("who comes in during a drain is told at once, and takes nobody's turn", "[stop]") {
  Draining at{2, 400 * msec, 10'000 * msec};
  at.kernel.complete(*at.accept, 30, IORING_CQE_F_MORE);
  CHECK(at.told_after(10 * msec) == 2);
  CHECK(at.told_after(199 * msec) == 2);
  CHECK(at.told_after(201 * msec) == 3);
  at.stop();
  CHECK(at.count("drain") == 3);
}

TEST_CASE("a shorter plan hastens a drain, a longer one does not delay it", "[stop]") {
  Draining at{3, 300 * msec, 10'000 * msec};
  at.loop.plan_drain({at.began + 9'000 * msec, at.began + 90'000 * msec});
  CHECK(at.told_after(101 * msec) == 2);
  at.loop.plan_drain({at.kernel.time, at.kernel.time + 50 * msec});
  CHECK(at.told_after(101 * msec) == 3);
  CHECK_FALSE(at.kernel.take(Op::close));
  CHECK(at.told_after(152 * msec) == 3);
  CHECK(at.kernel.take(Op::close));
}

TEST_CASE("a lap that comes too late tells everybody before it cuts them off", "[stop]") {
  Draining at{3, 100 * msec, 100 * msec};
  CHECK(at.told_after(500 * msec) == 3);
  CHECK(at.kernel.take(Op::close));
  at.stop();
  CHECK(at.count("close:" + make_error_code(Error::engine_stopped).message()) == 3);
  CHECK(at.loop.drained().cut_off == 3);
  CHECK(at.loop.drained().closed == 0);
}

TEST_CASE("who has left before the deadline was not cut off", "[stop]") {
  Draining at{2, 0, 100 * msec};
  CHECK(at.count("drain") == 2);
  at.kernel.complete(at.receives[0], -ECONNRESET);
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::close), 0);
  at.lap();
  at.stop();
  CHECK(at.loop.drained().closed == 1);
  CHECK(at.loop.drained().cut_off == 1);
}

TEST_CASE("of connections that ended before the stop nobody counts what became", "[stop]") {
  LoopFixture at;
  const auto recv = at.connect(20);
  at.kernel.complete(recv, -ECONNRESET);
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::close), 0);
  at.lap();
  at.stop();
  CHECK(at.loop.drained().closed + at.loop.drained().cut_off == 0);
}
