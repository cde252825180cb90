// Completions find their connection, or nobody.
#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

using ringwire::test::LoopFixture;
using ringwire::test::Request;
using ringwire::test::Words;
using ringwire::uring::Op;

TEST_CASE("a stale completion after slot reuse reaches nobody, and its buffer goes home", "[dispatch]") {
  LoopFixture at{{.recv_buffers_count = 2, .recv_buffer_size = 64}};
  const Request old = at.connect(20);
  at.kernel.complete(old, -ECONNRESET);
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::close), 0);
  at.lap();
  CHECK(at.loop.connections_count() == 0);

  const Request recv = at.connect(21);
  CHECK(recv.token().slot == old.token().slot);
  CHECK(recv.token().generation != old.token().generation);

  // A kernel bug, or ours: the receive of the dead connection answers once more, with a buffer.
  REQUIRE(at.kernel.receive(old, "for the dead"));
  at.kernel.post(at.loop.ring_fd(), {Op::send, old.token().generation, old.token().slot}, 5,
                 IORING_CQE_F_MORE);
  at.lap();
  CHECK(at.notebook.events.back() == "open");
  CHECK(at.kernel.free_buffers() == 2);
}

TEST_CASE("a stale receive into a large buffer reaches nobody either, and its buffer goes home",
          "[dispatch]") {
  LoopFixture at{{.recv_buffer_size = 64, .large_recv_buffers_count = 2, .large_recv_buffer_size = 128}};
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, std::string(64, 'x'), false));
  at.lap();
  at.lap();
  const auto large = at.kernel.take(Op::recv_large);
  REQUIRE(large);
  at.kernel.complete(*large, -ECONNRESET);
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::close), 0);
  at.lap();
  CHECK(at.loop.connections_count() == 0);
  REQUIRE(at.kernel.receive(*large, "for the dead"));
  CHECK(at.kernel.free_buffers(large->sqe.buf_group) == 1);
  at.lap();
  CHECK(at.kernel.free_buffers(large->sqe.buf_group) == 2);
}

TEST_CASE("each connection gets its own bytes", "[dispatch]") {
  LoopFixture at;
  const Request first = at.connect(20);
  const Request second = at.connect(21);
  REQUIRE(at.kernel.receive(second, "two"));
  REQUIRE(at.kernel.receive(first, "one"));
  at.lap();
  CHECK(at.notebook.events == Words{"open", "open", "traffic:two", "traffic:one"});
}

TEST_CASE("a signal asks the owner to stop, and is watched again", "[dispatch]") {
  LoopFixture at{{}, false, 77};
  const auto read = at.kernel.take(Op::signal);
  REQUIRE(read);
  CHECK(read->sqe.fd == 77);
  at.kernel.complete(*read, 128);
  at.lap();
  CHECK(at.owner.count == 1);
  CHECK(at.kernel.take(Op::signal));
}

TEST_CASE("a second signal is heard while the loop drains", "[dispatch]") {
  LoopFixture at{{}, false, 77};
  at.notebook.drain = [](ringwire::Conn&) { return ringwire::Action::none; };
  at.connect(20);
  at.loop.request_stop();
  at.lap();
  for (int count = 1; count <= 2; ++count) {
    const auto read = at.kernel.take(Op::signal);
    REQUIRE(read);
    at.kernel.complete(*read, 128);
    at.lap();
    CHECK(at.owner.count == count);
  }
}
