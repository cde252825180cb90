// The receive: armed once, ended in many ways, and every buffer goes home.
#include "tests/conn/fixture.hpp"
#include "tests/support/catch.hpp"

using ringwire::test::ConnFixture;
using ringwire::uring::Op;

TEST_CASE("a new connection arms one multishot receive with a buffer group", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  REQUIRE(recv);
  CHECK(recv->sqe.fd == ConnFixture::fd);
  CHECK(recv->sqe.flags == IOSQE_BUFFER_SELECT);
  CHECK(recv->sqe.ioprio == IORING_RECV_MULTISHOT);
  CHECK(recv->token() == ringwire::uring::Token{Op::recv, 3, 7});
}

TEST_CASE("a receive is armed with the credit that all share, again when it is used up", "[recv]") {
  ConnFixture at;
  at.shared.recv_credit = 64;
  at.lap();
  const auto first = at.kernel.take(Op::recv);
  REQUIRE(first);
  CHECK(first->sqe.file_index == 64);
  REQUIRE(at.kernel.receive(*first, std::string(64, 'x'), false));
  at.step();
  at.conn->settle();
  at.lap();
  const auto second = at.kernel.take(Op::recv);
  REQUIRE(second);
  CHECK(second->sqe.file_index == 64);
  CHECK(at.peek() == std::string(64, 'x'));
}

TEST_CASE("received bytes are seen in the kernel's buffer without a copy", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  REQUIRE(at.kernel.receive(*recv, "hello"));
  at.step();
  CHECK(at.peek() == "hello");
  CHECK(at.pool.held_count() == 1);
  CHECK(at.conn->take_news().traffic);
  at.conn->settle();
  CHECK(at.pool.held_count() == 0);
  CHECK(at.peek() == "hello");
}

TEST_CASE("a receive that ends with data keeps the data and is armed again", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  REQUIRE(at.kernel.receive(*recv, "last words", false));
  at.step();
  CHECK(at.peek() == "last words");
  CHECK(at.conn->take_news().traffic);
  at.conn->settle();
  at.lap();
  CHECK(at.kernel.take(Op::recv));
}

TEST_CASE("a receive that found no buffer is armed again and then polls first", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.kernel.complete(*recv, -ENOBUFS);
  at.step();
  CHECK(at.conn->is_open());
  CHECK_FALSE(at.conn->take_news().traffic);
  at.lap();
  const auto again = at.kernel.take(Op::recv);
  REQUIRE(again);
  CHECK(again->sqe.ioprio == IORING_RECVSEND_POLL_FIRST);  // Once: behind bytes a multishot misses a reset.

  // Once only: the next receive may start with a buffer in hand.
  REQUIRE(at.kernel.receive(*again, "x", false));
  at.step();
  at.lap();
  const auto third = at.kernel.take(Op::recv);
  REQUIRE(third);
  CHECK(third->sqe.ioprio == IORING_RECV_MULTISHOT);
}

TEST_CASE("an interrupted receive is armed again", "[recv]") {
  for (const int result : {-EINTR, -EAGAIN}) {
    ConnFixture at;
    at.lap();
    const auto recv = at.kernel.take(Op::recv);
    at.kernel.complete(*recv, result);
    at.step();
    CHECK(at.conn->is_open());
    at.lap();
    const auto again = at.kernel.take(Op::recv);
    REQUIRE(again);
  }
}

TEST_CASE("the peer's FIN is news, and no receive is armed after it", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.kernel.complete(*recv, 0);
  at.step();
  const auto happened = at.conn->take_news();
  CHECK(happened.eof);
  CHECK_FALSE(happened.traffic);
  at.lap();
  CHECK_FALSE(at.kernel.take(Op::recv));
  CHECK(at.conn->is_open());
}

TEST_CASE("an end of stream that brings a buffer gives it back", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  const std::size_t before = at.kernel.free_buffers();
  at.kernel.complete(*recv, 0, IORING_CQE_F_BUFFER | (2U << IORING_CQE_BUFFER_SHIFT));
  at.step();
  at.pool.publish();
  CHECK(at.pool.held_count() == 0);
  CHECK(at.kernel.free_buffers() == before + 1);
}

TEST_CASE("a reset ends the connection with its errno and keeps what came before", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  REQUIRE(at.kernel.receive(*recv, "bye"));
  at.kernel.complete(*recv, -ECONNRESET);
  at.step();
  CHECK_FALSE(at.conn->is_open());
  CHECK(at.conn->reason() == std::errc::connection_reset);
  CHECK(at.conn->offers_traffic());
  CHECK(at.peek() == "bye");
}

TEST_CASE("bytes that came before a reset are kept, though a send met the reset first", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->write("unwanted");
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), -ECONNRESET);
  REQUIRE(at.kernel.receive(*recv, "bye"));
  at.step();
  CHECK_FALSE(at.conn->is_open());
  CHECK(at.conn->take_news().traffic);
  CHECK(at.conn->offers_traffic());
  CHECK(at.peek() == "bye");
}

TEST_CASE("a handler that closes after a reset is offered no more of what came before it", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->fail(std::make_error_code(std::errc::connection_reset));
  at.conn->close();
  REQUIRE(at.kernel.receive(*recv, "too late"));
  at.step();
  CHECK_FALSE(at.conn->take_news().traffic);
  CHECK(at.conn->reason() == std::errc::connection_reset);
}

TEST_CASE("several buffers of one lap are seen in one piece", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  REQUIRE(at.kernel.receive(*recv, "one "));
  REQUIRE(at.kernel.receive(*recv, "two "));
  REQUIRE(at.kernel.receive(*recv, "three"));
  at.step();
  CHECK(at.peek() == "one two three");
  CHECK(at.pool.held_count() == 0);
}

TEST_CASE("bytes that arrive while closing are dropped and their buffers go home", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->close();
  REQUIRE(at.kernel.receive(*recv, "too late"));
  at.step();
  CHECK(at.pool.held_count() == 0);
  CHECK(at.conn->inbound_size() == 0);
  CHECK_FALSE(at.conn->take_news().traffic);
}

TEST_CASE("a full inbound pauses the receive, and room resumes it", "[recv]") {
  ConnFixture at{{.inbound_limit = 8}};
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  REQUIRE(at.kernel.receive(*recv, "12345678"));
  at.step();
  at.conn->settle();
  at.lap();
  const auto pause = at.kernel.take(Op::pause);
  REQUIRE(pause);
  CHECK(pause->sqe.addr == recv->sqe.user_data);

  // What the receive still brings is kept; then it ends, and nothing is armed.
  REQUIRE(at.kernel.receive(*recv, "9"));
  at.kernel.complete(*pause, 0);
  at.kernel.complete(*recv, -ECANCELED);
  at.step();
  at.conn->settle();
  at.lap();
  CHECK(at.peek() == "123456789");
  CHECK_FALSE(at.kernel.take(Op::recv));

  CHECK(at.conn->discard(2) == 2);
  at.lap();
  const auto again = at.kernel.take(Op::recv);
  REQUIRE(again);
}

TEST_CASE("a handler that makes room in time is never paused", "[recv]") {
  ConnFixture at{{.inbound_limit = 4}};
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  REQUIRE(at.kernel.receive(*recv, "12345678"));
  at.step();
  at.conn->discard();
  at.conn->settle();
  at.lap();
  CHECK_FALSE(at.kernel.take(Op::pause));
}

TEST_CASE("a cancel that comes too late for the receive is harmless", "[recv]") {
  ConnFixture at{{.inbound_limit = 4}};
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  REQUIRE(at.kernel.receive(*recv, "1234"));
  at.step();
  at.conn->settle();
  at.lap();
  const auto pause = at.kernel.take(Op::pause);
  REQUIRE(pause);
  REQUIRE(at.kernel.receive(*recv, "5", false));
  at.kernel.complete(*pause, -ENOENT);
  at.step();
  at.conn->discard();
  at.conn->settle();
  at.lap();
  const auto again = at.kernel.take(Op::recv);
  REQUIRE(again);
}

TEST_CASE("a paused connection cancels its receive, keeps what still comes, and tells nothing", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->pause();
  CHECK(at.conn->is_paused());
  at.lap();
  const auto cancel = at.kernel.take(Op::pause);
  REQUIRE(cancel);
  CHECK(cancel->sqe.addr == recv->sqe.user_data);
  REQUIRE(at.kernel.receive(*recv, "late"));
  at.kernel.complete(*recv, 0);
  at.kernel.complete(*cancel, -ENOENT);
  at.step();
  const auto held_back = at.conn->take_news();
  CHECK_FALSE(held_back.traffic);
  CHECK_FALSE(held_back.eof);
  at.conn->settle();
  at.lap();
  CHECK_FALSE(at.kernel.take(Op::recv));
  CHECK(at.peek() == "late");

  at.conn->resume();
  CHECK_FALSE(at.conn->is_paused());
  const auto told = at.conn->take_news();
  CHECK(told.traffic);
  CHECK(told.eof);
}

TEST_CASE("resume makes news of what was held back in the next flush, and receives again", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->pause();
  REQUIRE(at.kernel.receive(*recv, "held"));
  at.step();
  CHECK_FALSE(at.conn->take_news().traffic);
  at.conn->settle();
  while (at.shared.news.pop_front() != nullptr) {
  }
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::pause), 0);
  at.kernel.complete(*recv, -ECANCELED);
  at.step();
  at.lap();

  at.conn->resume();
  CHECK(at.shared.news.empty());
  at.lap();
  CHECK(at.shared.news.pop_front() == at.conn.get());
  CHECK(at.conn->take_news().traffic);
  const auto again = at.kernel.take(Op::recv);
  CHECK(again);
}

TEST_CASE("resume offers what the handler had left, and tells nothing when there is nothing", "[recv]") {
  ConnFixture at;
  at.lap();
  REQUIRE(at.kernel.receive(*at.kernel.take(Op::recv), "left"));
  at.step();
  CHECK(at.conn->take_news().traffic);
  at.conn->settle();
  at.conn->pause();
  at.conn->resume();
  at.lap();
  CHECK(at.conn->take_news().traffic);

  ConnFixture empty;
  empty.conn->resume();  // It was not paused.
  empty.conn->pause();
  empty.conn->pause();
  empty.conn->resume();
  empty.lap();
  CHECK(empty.shared.news.empty());
  CHECK(empty.kernel.take(Op::recv));
}

TEST_CASE("a connection paused once more before the flush stays silent", "[recv]") {
  ConnFixture at;
  at.lap();
  at.conn->pause();
  REQUIRE(at.kernel.receive(*at.kernel.take(Op::recv), "held"));
  at.step();
  at.conn->settle();
  while (at.shared.news.pop_front() != nullptr) {
  }
  at.conn->resume();
  at.conn->pause();
  at.lap();
  CHECK(at.shared.news.empty());
  CHECK_FALSE(at.conn->take_news().traffic);
}

TEST_CASE("an end that came with the bytes waits, when their on_traffic paused", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  REQUIRE(at.kernel.receive(*recv, "last"));
  at.kernel.complete(*recv, 0);
  at.step();
  CHECK(at.conn->take_news().eof);
  at.conn->pause();  // In on_traffic.
  CHECK_FALSE(at.conn->claim_eof());
  at.conn->settle();
  at.conn->resume();
  at.lap();
  CHECK(at.conn->take_news().eof);
  CHECK(at.conn->claim_eof());
}

TEST_CASE("both ends of the stream behind it, a paused connection waits until its handler knows", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->pause();
  at.conn->shutdown_write();
  at.kernel.complete(*recv, 0);
  at.step();
  at.lap();
  at.lap();
  CHECK(at.conn->is_open());
  at.conn->resume();
  at.lap();
  CHECK(at.conn->is_open());
  CHECK(at.conn->take_news().eof);
  CHECK(at.conn->claim_eof());
  at.lap();
  CHECK_FALSE(at.conn->is_open());
}

TEST_CASE("a paused connection that closes receives again, to see the peer's FIN", "[recv]") {
  ConnFixture at;
  at.conn->pause();
  at.lap();
  CHECK_FALSE(at.kernel.take(Op::recv));
  at.conn->close();
  at.lap();
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  REQUIRE(recv);
  at.kernel.complete(*recv, 0);
  at.step();
  CHECK(at.conn->wants_close());
}

TEST_CASE("a reset ends a paused connection, too", "[recv]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->pause();
  at.kernel.complete(*recv, -ECONNRESET);
  at.step();
  CHECK_FALSE(at.conn->is_open());
  CHECK(at.conn->reason() == std::errc::connection_reset);
}

// A connection that may receive 128 bytes at a time, into buffers of 64 and of 256.
struct LargeFixture : ConnFixture {
  explicit LargeFixture(std::uint32_t credit = 128) {
    REQUIRE_FALSE(pools.of(true).open(ring, 2, 256));
    shared.recv_credit = credit;
  }

  // Arms the receive; which one is it?
  ringwire::test::Request arm() {
    lap();
    if (const auto large = kernel.take(Op::recv_large)) return *large;
    return kernel.take(Op::recv).value();
  }

  // So many bytes come, as the last of what this receive brings, and are used.
  void end(const ringwire::test::Request& request, std::size_t size) {
    REQUIRE(kernel.receive(request, std::string(size, 'x'), false));
    step();
    CHECK(conn->discard(SIZE_MAX) == size);
    conn->settle();
    pools.publish();
  }
};

TEST_CASE("who fills small buffers receives into large ones, until little comes again") {
  LargeFixture at;
  auto request = at.arm();
  CHECK(request.token().op == Op::recv);
  at.end(request, 63);
  request = at.arm();
  CHECK(request.token().op == Op::recv);
  at.end(request, 64);

  request = at.arm();
  CHECK(request.token().op == Op::recv_large);
  CHECK(request.sqe.buf_group == at.pools.of(true).bgid());
  CHECK(request.sqe.file_index == 256);  // One buffer, because that is more than the credit.
  at.end(request, 200);
  request = at.arm();
  CHECK(request.token().op == Op::recv_large);
  at.end(request, 64);
  request = at.arm();
  CHECK(request.token().op == Op::recv);
  CHECK(request.sqe.buf_group == at.pool.bgid());
}

TEST_CASE("when all large buffers are taken the small ones do, at once") {
  LargeFixture at;
  at.end(at.arm(), 64);
  const auto large = at.arm();
  REQUIRE(large.token().op == Op::recv_large);
  at.kernel.complete(large, -ENOBUFS);
  at.step();
  const auto small = at.arm();
  CHECK(small.token().op == Op::recv);
  CHECK((small.sqe.ioprio & IORING_RECV_MULTISHOT) != 0);
  CHECK(at.shared.metrics.recv_starved == 0);  // Nobody waits.
}

TEST_CASE("a pause cancels the receive into large buffers, too") {
  LargeFixture at;
  at.end(at.arm(), 64);
  const auto large = at.arm();
  at.conn->pause();
  at.lap();
  const auto pause = at.kernel.take(Op::pause);
  REQUIRE(pause);
  CHECK(pause->sqe.addr == large.token().pack());
  at.kernel.complete(large, -ECANCELED);
  at.kernel.complete(*pause, 0);
  at.step();
}

TEST_CASE("where a receive cannot be bounded nobody gets large buffers") {
  LargeFixture at{0};
  at.end(at.arm(), 64);
  CHECK(at.arm().token().op == Op::recv);
}
