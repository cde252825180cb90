// One flush a lap: in order, bounded, and with the buffers first.
#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

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
