// Handles: they reach the living, and never the successor of the dead.
#include <ringwire/error.hpp>

#include "tests/base/death.hpp"
#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <stdexcept>
#include <vector>

using ringwire::Action;
using ringwire::Conn;
using ringwire::ConnRef;
using ringwire::Error;
using ringwire::test::LoopFixture;
using ringwire::test::Request;
using ringwire::test::ScriptKernel;
using ringwire::test::Words;
using ringwire::uring::Op;

namespace {

// A loop that keeps the handle of the last connection opened.
struct WithRef {
  explicit WithRef(const ringwire::Options& options = {}) : at{options} {
    at.notebook.open = [this](Conn& conn) {
      ref = conn.ref();
      return Action::none;
    };
  }

  LoopFixture at;
  ConnRef ref;
};

}  // namespace

TEST_CASE("a write by handle is told when the kernel has taken the last byte", "[refs]") {
  WithRef with;
  with.at.connect(20);
  std::vector<std::error_code> told;
  with.ref.write("hello", [&](std::error_code error) { told.push_back(error); });
  with.at.lap();
  const auto send = with.at.kernel.take(Op::send);
  REQUIRE(send);
  CHECK(ScriptKernel::content(*send) == "hello");
  CHECK(told.empty());
  with.at.kernel.complete(*send, 5);
  with.at.lap();
  CHECK(told == std::vector<std::error_code>{{}});
}

TEST_CASE("a write whose connection dies first is told closed, once", "[refs]") {
  WithRef with;
  const Request recv = with.at.connect(20);
  std::vector<std::error_code> told;
  with.ref.write("never", [&](std::error_code error) { told.push_back(error); });
  with.at.lap();
  with.at.kernel.complete(recv, -ECONNRESET);
  with.at.lap();
  with.at.kernel.cancel_outstanding();
  with.at.lap();
  CHECK(told == std::vector<std::error_code>{Error::closed});
}

TEST_CASE("a write beyond the outbound limit is told no_buffer_space", "[refs]") {
  WithRef with{{.outbound_high_mark = 4, .outbound_low_mark = 2, .outbound_limit = 4}};
  with.at.connect(20);
  std::error_code told;
  with.ref.write("too much", [&](std::error_code error) { told = error; });
  with.at.lap();
  CHECK(told == std::errc::no_buffer_space);
}

TEST_CASE("a write after the half close is told closed: trying again would not help", "[refs]") {
  WithRef with;
  with.at.connect(20);
  std::error_code told;
  with.ref.post([](Conn* conn) { conn->shutdown_write(); });
  with.ref.write("late", [&](std::error_code error) { told = error; });
  with.at.lap();
  CHECK(told == Error::closed);
}

TEST_CASE("a stale handle answers closed and never reaches the slot's next owner", "[refs]") {
  WithRef with;
  const Request recv = with.at.connect(20);
  const ConnRef stale = with.ref;
  with.at.kernel.complete(recv, -ECONNRESET);
  with.at.lap();
  with.at.kernel.complete(*with.at.kernel.take(Op::close), 0);
  with.at.lap();
  with.at.connect(21);
  CHECK_FALSE(stale == with.ref);

  std::vector<std::error_code> told;
  const auto note = [&](std::error_code error) { told.push_back(error); };
  stale.write("lost", note);
  stale.wake(note);
  stale.close(note);
  bool was_null = false;
  stale.post([&](Conn* conn) { was_null = conn == nullptr; });
  with.at.notebook.events.clear();
  with.at.lap();
  CHECK(told == std::vector<std::error_code>(3, Error::closed));
  CHECK(was_null);
  CHECK(with.at.notebook.events.empty());
  CHECK_FALSE(with.at.kernel.take(Op::send));
}

TEST_CASE("wake without data is one on_traffic, told before the callback", "[refs]") {
  WithRef with;
  with.at.connect(20);
  Words order;
  with.at.notebook.traffic = [&](Conn&) {
    order.emplace_back("traffic");
    return Action::none;
  };
  with.ref.wake([&](std::error_code) { order.emplace_back("done"); });
  with.at.lap();
  CHECK(order == Words{"traffic", "done"});
}

TEST_CASE("close by handle is told after on_close", "[refs]") {
  WithRef with;
  const Request recv = with.at.connect(20);
  Words order;
  with.at.notebook.close = [&](Conn&, std::error_code) {
    order.emplace_back("close");
    return Action::none;
  };
  with.ref.close([&](std::error_code) { order.emplace_back("done"); });
  with.at.lap();
  with.at.kernel.complete(recv, 0);
  with.at.lap();
  with.at.kernel.complete(*with.at.kernel.take(Op::close), 0);
  with.at.lap();
  CHECK(order == Words{"close", "done"});
}

TEST_CASE("a task gets the connection, on its loop", "[refs]") {
  WithRef with;
  with.at.connect(20);
  int fd = 0;
  with.ref.post([&](Conn* conn) { fd = conn->fd(); });
  with.at.lap();
  CHECK(fd == 20);
}

TEST_CASE("a handle to nothing answers closed on the spot", "[refs]") {
  std::error_code told;
  ConnRef{}.write("x", [&](std::error_code error) { told = error; });
  CHECK(told == Error::closed);
  CHECK(ringwire::LoopRef{}.post([] {}) == Error::closed);
}

TEST_CASE("a task that throws takes nothing else down", "[refs]") {
  LoopFixture at;
  bool ran = false;
  REQUIRE_FALSE(at.loop.ref().post([] { throw 1; }));
  REQUIRE_FALSE(at.loop.ref().post([&] { ran = true; }));
  at.lap();
  CHECK(ran);
}

TEST_CASE("tasks that post tasks run in the same lap, but not for ever", "[refs]") {
  int runs = 0;
  std::function<void()> again;  // Outlives the loop, which runs it when it ends.
  LoopFixture at;
  again = [&] {
    ++runs;
    REQUIRE_FALSE(at.loop.ref().post([&] { again(); }));
  };
  REQUIRE_FALSE(at.loop.ref().post([&] { again(); }));
  static_cast<void>(at.loop.lap());
  CHECK(runs == static_cast<int>(ringwire::loop::Loop::mail_rounds_max));
  again = [] {};
}

TEST_CASE("what is told at the loop's end may throw, and the others are told all the same", "[refs]") {
  WithRef with;
  with.at.connect(20);
  const ringwire::LoopRef loop = with.at.loop.ref();
  with.at.stop();
  std::vector<std::error_code> told;
  const auto throws = [&](std::error_code error) {
    told.push_back(error);
    throw std::runtime_error{"on purpose"};
  };
  with.ref.close(throws);
  CHECK_FALSE(loop.connect("tcp://127.0.0.1:9", throws));
  with.ref.post([&](Conn* conn) {
    CHECK(conn == nullptr);
    told.emplace_back();
    throw 5;
  });
  with.ref.write("never", [&](std::error_code error) { told.push_back(error); });
  with.at.loop.close();
  CHECK(told == std::vector<std::error_code>{Error::closed, Error::closed, {}, Error::closed});
}

TEST_CASE("posting an empty task is the caller's mistake, found at once", "[refs]") {
  WithRef with;
  with.at.connect(20);
  const ringwire::LoopRef loop = with.at.loop.ref();
  const auto posted = ringwire::test::death_of([&] { static_cast<void>(loop.post(nullptr)); });
  CHECK(posted.find("an empty task") != std::string::npos);
  const auto sent = ringwire::test::death_of([&] { with.ref.post(nullptr); });
  CHECK(sent.find("an empty task") != std::string::npos);
}
