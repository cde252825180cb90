// Closing: nothing is lost that can be kept, and nothing is released that is lent.
#include <ringwire/error.hpp>

#include "tests/conn/fixture.hpp"
#include "tests/support/catch.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <system_error>

using namespace std::chrono_literals;
using ringwire::Error;
using ringwire::Written;
using ringwire::test::ConnFixture;
using ringwire::uring::Op;

TEST_CASE("close with a pending receive sends FIN at once and waits for the peer's", "[close]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->close();
  at.lap();
  REQUIRE(at.kernel.shut_down.size() == 1);
  CHECK(at.kernel.shut_down.front() == std::pair{ConnFixture::fd, int{SHUT_WR}});
  CHECK_FALSE(at.kernel.take(Op::close));

  at.kernel.complete(*recv, 0);
  at.step();
  at.lap();
  const auto close = at.kernel.take(Op::close);
  REQUIRE(close);
  CHECK_FALSE(at.kernel.take(Op::cancel));
  at.kernel.complete(*close, 0);
  at.step();
  CHECK(at.conn->is_closed());
  CHECK_FALSE(at.conn->reason());
}

TEST_CASE("close sends what is queued before the FIN", "[close]") {
  ConnFixture at;
  at.lap();
  at.conn->write("goodbye");
  at.conn->close();
  at.lap();
  const auto send = at.kernel.take(Op::send);
  REQUIRE(send);
  CHECK(at.kernel.shut_down.empty());
  at.kernel.complete(*send, 3);
  at.step();
  at.lap();
  CHECK(at.kernel.shut_down.empty());
  at.kernel.complete(*at.kernel.take(Op::send), 4);
  at.step();
  at.lap();
  CHECK(at.kernel.shut_down.size() == 1);
}

TEST_CASE("when the peer's FIN came first, ours is followed by the close", "[close]") {
  ConnFixture at;
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::recv), 0);
  at.step();
  at.conn->close();
  CHECK(at.conn->reason() == Error::end_of_stream);
  at.lap();
  at.lap();
  const auto close = at.kernel.take(Op::close);
  REQUIRE(close);
  at.kernel.complete(*close, 0);
  at.step();
  CHECK(at.conn->is_closed());
}

TEST_CASE("an abort cancels what is armed, in one chain with the close, and resets", "[close]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->write("lost");
  at.lap();
  const auto send = at.kernel.take(Op::send);
  at.conn->abort();
  CHECK(at.kernel.options_set.back() == std::pair{ConnFixture::fd, SO_LINGER});
  at.lap();
  const auto cancel = at.kernel.take(Op::cancel);
  const auto close = at.kernel.take(Op::close);
  REQUIRE(cancel);
  REQUIRE(close);
  CHECK(cancel->sqe.flags == IOSQE_IO_HARDLINK);
  CHECK(cancel->sqe.fd == ConnFixture::fd);
  CHECK(at.kernel.shut_down.empty());

  // Whatever the order of the answers: closed only when the last is in.
  at.kernel.complete(*close, 0);
  at.step();
  CHECK_FALSE(at.conn->is_closed());
  at.kernel.complete(*send, -ECANCELED);
  at.step();
  CHECK_FALSE(at.conn->is_closed());
  at.kernel.complete(*cancel, 2);
  at.step();
  CHECK_FALSE(at.conn->is_closed());
  at.kernel.complete(*recv, -ECANCELED);
  at.step();
  CHECK(at.conn->is_closed());
  CHECK_FALSE(at.conn->reason());
  CHECK(at.conn->outbound_size() == 4);
}

TEST_CASE("a cancel that finds nothing does not keep the close from happening", "[close]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->abort();
  at.kernel.complete(*recv, -ECONNRESET);
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::cancel), -ENOENT);
  at.kernel.complete(*at.kernel.take(Op::close), 0);
  at.step();
  CHECK(at.conn->is_closed());
}

TEST_CASE("a close that was cancelled before it began is armed again", "[close]") {
  ConnFixture at;
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::recv), -ETIMEDOUT);
  at.step();
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::close), -ECANCELED);
  at.step();
  CHECK_FALSE(at.conn->is_closed());
  at.lap();
  const auto again = at.kernel.take(Op::close);
  REQUIRE(again);
  at.kernel.complete(*again, 0);
  at.step();
  CHECK(at.conn->is_closed());
  CHECK(at.conn->reason() == std::errc::timed_out);
}

TEST_CASE("closing twice is closing once, and the first reason stands", "[close]") {
  ConnFixture at;
  at.lap();
  at.conn->begin_close(Error::idle_timeout);
  at.conn->close();
  at.conn->begin_close({});
  CHECK(at.conn->reason() == Error::idle_timeout);
  at.conn->fail(std::make_error_code(std::errc::connection_reset));
  CHECK(at.conn->reason() == Error::idle_timeout);
}

TEST_CASE("a reset while our last bytes are flushed is the reason", "[close]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->write("never read");
  at.conn->close();
  at.lap();
  at.kernel.complete(*recv, -ECONNRESET);
  at.step();
  CHECK(at.conn->reason() == std::errc::connection_reset);
}

TEST_CASE("writes are refused once closing has begun", "[close]") {
  ConnFixture at;
  at.conn->close();
  CHECK(at.conn->write("no") == Written::refused);
  CHECK(at.conn->outbound_size() == 0);
}

TEST_CASE("a peer that does not let us flush is reset when the close timeout ends", "[close]") {
  ConnFixture at{{.close_timeout = 100ms}};
  at.lap();
  at.conn->write("stuck");
  at.lap();
  at.conn->close();
  CHECK(at.conn->deadline() == at.kernel.time + 100'000'000);
  at.conn->on_time(at.kernel.time + 99'999'999);
  CHECK_FALSE(at.conn->wants_close());
  at.conn->on_time(at.kernel.time + 100'000'000);
  CHECK(at.conn->wants_close());
  CHECK(at.conn->reason() == Error::close_timeout);
  CHECK(at.kernel.options_set.back().second == SO_LINGER);
}

TEST_CASE("a peer that never answers our FIN is closed without a reset when time is up", "[close]") {
  ConnFixture at{{.close_timeout = 100ms}};
  at.lap();
  at.conn->close();
  at.lap();
  at.conn->on_time(at.kernel.time + 100'000'000);
  CHECK(at.conn->wants_close());
  CHECK_FALSE(at.conn->reason());
  CHECK(at.kernel.options_set.empty());
}

TEST_CASE("half closing sends FIN after what is queued and goes on receiving", "[close]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->write("last");
  at.conn->shutdown_write();
  CHECK(at.conn->write("more") == Written::refused);
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 4);
  at.step();
  at.lap();
  REQUIRE(at.kernel.shut_down.size() == 1);
  CHECK(at.conn->is_open());
  REQUIRE(at.kernel.receive(*recv, "answer"));
  at.step();
  CHECK(at.peek() == "answer");
  at.conn->settle();
}

TEST_CASE("close after a half close waits for the peer's FIN only", "[close]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->shutdown_write();
  at.lap();
  at.conn->close();
  at.lap();
  CHECK(at.kernel.shut_down.size() == 1);
  CHECK_FALSE(at.conn->wants_close());
  at.kernel.complete(*recv, 0);
  at.step();
  CHECK(at.conn->wants_close());
}

TEST_CASE("when both FINs have passed the connection closes though nobody asked", "[close]") {
  for (const bool peer_first : {true, false}) {
    ConnFixture at;
    at.lap();
    const auto recv = at.kernel.take(Op::recv);
    if (peer_first) {
      at.kernel.complete(*recv, 0);
      at.step();
      CHECK(at.conn->take_news().eof);
      at.conn->shutdown_write();
    } else {
      at.conn->shutdown_write();
      at.lap();
      at.kernel.complete(*recv, 0);
      at.step();
      at.lap();
      CHECK(at.conn->is_open());  // The handler does not know yet.
      CHECK(at.conn->take_news().eof);
      CHECK(at.conn->claim_eof());
    }
    at.lap();
    CHECK_FALSE(at.conn->is_open());
    CHECK(at.conn->reason() == Error::end_of_stream);
  }
}

TEST_CASE("bytes that never leave replace a calm reason, the end of the stream among them", "[close]") {
  for (const bool after_eof : {true, false}) {
    ConnFixture at;
    at.lap();
    const auto recv = at.kernel.take(Op::recv);
    at.conn->write("too late");
    at.lap();
    const auto send = at.kernel.take(Op::send);
    if (after_eof) {
      at.kernel.complete(*recv, 0);
      at.step();
    }
    at.conn->close();
    CHECK(at.conn->reason() == (after_eof ? make_error_code(Error::end_of_stream) : std::error_code{}));
    at.kernel.complete(*send, -EPIPE);
    at.step();
    CHECK(at.conn->reason() == std::errc::connection_reset);
  }
}

TEST_CASE("a reason that is not calm stands, whatever becomes of the bytes", "[close]") {
  ConnFixture at;
  at.lap();
  at.conn->write("too late");
  at.lap();
  at.conn->begin_close(Error::idle_timeout);
  at.kernel.complete(*at.kernel.take(Op::send), -EPIPE);
  at.step();
  CHECK(at.conn->reason() == Error::idle_timeout);
}

TEST_CASE("an end without a reason of its own leaves the reason as it is", "[close]") {
  ConnFixture at;
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::recv), 0);
  at.step();
  at.conn->write("given up");
  at.conn->close();
  at.conn->abort();
  CHECK(at.conn->reason() == Error::end_of_stream);
}
