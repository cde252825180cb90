// One flush a lap: in order, bounded, and with the buffers first.
#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>
#include <cstdint>
#include <vector>

using ringwire::Action;
using ringwire::Conn;
using ringwire::test::LoopFixture;
using ringwire::test::Request;
using ringwire::test::ScriptKernel;
using ringwire::uring::Op;

TEST_CASE("writes of all events of a lap leave in one send per connection", "[flush]") {
  LoopFixture at;
  Conn* other = nullptr;
  at.notebook.open = [&](Conn& conn) {
    if (other == nullptr) other = &conn;
    return Action::none;
  };
  at.notebook.traffic = [&](Conn& conn) {
    conn.discard();
    other->write("+");
    return Action::none;
  };
  const Request first = at.connect(20);
  const Request second = at.connect(21);
  REQUIRE(at.kernel.receive(first, "x"));
  REQUIRE(at.kernel.receive(second, "x"));
  at.lap();
  const auto send = at.kernel.take(Op::send);
  REQUIRE(send);
  CHECK(send->sqe.fd == 20);
  CHECK(ScriptKernel::content(*send) == "++");
  CHECK_FALSE(at.kernel.take(Op::send));
}

TEST_CASE("buffers are back with the kernel before the next wait", "[flush]") {
  LoopFixture at{{.recv_buffers_count = 2, .recv_buffer_size = 64}};
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "a"));
  REQUIRE(at.kernel.receive(recv, "b"));
  CHECK(at.kernel.free_buffers() == 0);
  static_cast<void>(at.loop.lap());
  CHECK(at.kernel.free_buffers() == 2);
}

TEST_CASE("a slot is released in the lap its last operation ends", "[flush]") {
  LoopFixture at;
  const Request recv = at.connect(20);
  at.kernel.complete(recv, -ECONNRESET);
  at.lap();
  CHECK(at.loop.connections_count() == 1);
  at.kernel.complete(*at.kernel.take(Op::close), 0);
  static_cast<void>(at.loop.lap());
  CHECK(at.loop.connections_count() == 0);
  CHECK(at.loop.accepted_closed() == 1);
}

namespace {

using Waits = std::vector<std::int64_t>;

// A loop with the smallest queues, woken through an eventfd, and two connections whose receives end with
// bytes that are answered: four entries, all there are.
struct Crowded {
  Crowded() {
    at.notebook.traffic = [](Conn& conn) {
      conn.discard();
      conn.write("+");
      return Action::none;
    };
    event = at.kernel.take(Op::event).value();
    for (const int fd : {20, 21}) receives.push_back(at.connect(fd));
  }

  // In this lap the queue is filled.
  void fill() {
    for (const Request& recv : receives) REQUIRE(at.kernel.receive(recv, "x", false));
    static_cast<void>(at.loop.lap());
    at.kernel.waits.clear();
  }

  LoopFixture at{{.sq_entries = 4, .cq_entries = 8, .mask = "wake_ring"}};
  Request event{};
  std::vector<Request> receives;
};

}  // namespace

TEST_CASE("a read of the eventfd that found the queue full is armed in the next lap, which does not wait",
          "[flush]") {
  Crowded crowded;
  LoopFixture& at = crowded.at;
  at.kernel.complete(crowded.event, 8);
  at.kernel.enter_results = {0, -EBUSY};  // The kernel takes nothing when the flush asks for room.
  crowded.fill();
  CHECK_FALSE(at.kernel.take(Op::event));
  static_cast<void>(at.loop.lap());
  CHECK(at.kernel.waits.empty());
  static_cast<void>(at.loop.lap());  // Written in the lap before, submitted by this one's wait.
  CHECK(at.kernel.take(Op::event));
  CHECK(at.kernel.waits == Waits{ringwire::kernel::wait_forever});
}

TEST_CASE("an accept that found the queue full is armed in the next lap, which does not wait", "[flush]") {
  Crowded crowded;
  LoopFixture& at = crowded.at;
  crowded.fill();
  at.kernel.complete(*at.accept, -ECONNABORTED);
  at.kernel.enter_results = {-EBUSY, -EBUSY};
  static_cast<void>(at.loop.lap());
  CHECK_FALSE(at.kernel.take(Op::accept));
  at.kernel.waits.clear();
  static_cast<void>(at.loop.lap());
  CHECK(at.kernel.waits.empty());
  static_cast<void>(at.loop.lap());
  CHECK(at.kernel.take(Op::accept));
  CHECK(at.kernel.waits == Waits{ringwire::kernel::wait_forever});
}

TEST_CASE("while the kernel takes nothing a loop with something to arm does not sleep", "[flush]") {
  Crowded crowded;
  LoopFixture& at = crowded.at;
  crowded.fill();
  at.kernel.complete(*at.accept, -ECONNABORTED);
  at.kernel.enter_results.assign(20, -EAGAIN);
  for (int count = 0; count < 10; ++count) static_cast<void>(at.loop.lap());
  CHECK(at.kernel.waits.size() == 1);  // The first, before it knew.
  CHECK(at.kernel.submitted.empty());
  at.kernel.enter_results.clear();
  static_cast<void>(at.loop.lap());
  at.lap();
  CHECK(at.kernel.take(Op::accept));
}
