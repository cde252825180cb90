// Stopping: everybody is told, nobody stays for ever, nothing stays lent.
#include <ringwire/error.hpp>

#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <chrono>
#include <functional>
#include <utility>

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
