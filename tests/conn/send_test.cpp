// The send: one at a time, short or whole, and what is told when it is done.
#include "tests/conn/fixture.hpp"
#include "tests/support/catch.hpp"

#include <array>
#include <cerrno>
#include <chrono>

using ringwire::Done;
using ringwire::Written;
using ringwire::test::ConnFixture;
using ringwire::test::ScriptKernel;
using ringwire::uring::Op;
using namespace std::chrono_literals;

namespace {

// Answers the receive that every connection has armed, so that only sends are left to look at.
void ignore_recv(ConnFixture& at) {
  at.lap();
  static_cast<void>(at.kernel.take(Op::recv));
}

}  // namespace

TEST_CASE("everything written in a lap leaves in one send", "[send]") {
  ConnFixture at;
  ignore_recv(at);
  at.conn->write("one ");
  at.conn->write("two");
  at.lap();
  const auto send = at.kernel.take(Op::send);
  REQUIRE(send);
  CHECK(ScriptKernel::content(*send) == "one two");
  CHECK(send->sqe.op_flags == (MSG_WAITALL | MSG_NOSIGNAL));
  CHECK_FALSE(at.kernel.take(Op::send));
  at.kernel.complete(*send, 7);
  at.step();
  CHECK(at.conn->outbound_size() == 0);
}

TEST_CASE("with an idle timeout a send tells of every part, and a part doubts no end of stream", "[send]") {
  ConnFixture at{{.idle_timeout = 50ms}};
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->write("hello world");
  at.lap();
  const auto send = at.kernel.take(Op::send);
  REQUIRE(send);
  CHECK(send->sqe.op_flags == MSG_NOSIGNAL);
  at.shared.now += 40'000'000;
  at.kernel.complete(*send, 6);
  at.kernel.complete(*recv, 0);
  at.step();
  CHECK(at.conn->deadline() == at.shared.now + 50'000'000);
  CHECK(at.conn->take_news().eof);
}

TEST_CASE("a second send waits for the first", "[send]") {
  ConnFixture at;
  ignore_recv(at);
  at.conn->write("first");
  at.lap();
  const auto first = at.kernel.take(Op::send);
  at.conn->write("second");
  at.lap();
  CHECK_FALSE(at.kernel.take(Op::send));
  at.kernel.complete(*first, 5);
  at.step();
  at.lap();
  const auto second = at.kernel.take(Op::send);
  REQUIRE(second);
  CHECK(ScriptKernel::content(*second) == "second");
}

TEST_CASE("a short send is continued where it stopped", "[send]") {
  ConnFixture at;
  ignore_recv(at);
  at.conn->write("hello world");
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 6);
  at.step();
  CHECK(at.conn->outbound_size() == 5);
  at.lap();
  const auto rest = at.kernel.take(Op::send);
  REQUIRE(rest);
  CHECK(ScriptKernel::content(*rest) == "world");
}

TEST_CASE("an interrupted send is repeated", "[send]") {
  for (const int result : {-EINTR, -EAGAIN}) {
    ConnFixture at;
    ignore_recv(at);
    at.conn->write("x");
    at.lap();
    at.kernel.complete(*at.kernel.take(Op::send), result);
    at.step();
    at.lap();
    CHECK(at.kernel.take(Op::send));
    CHECK(at.conn->is_open());
  }
}

TEST_CASE("more than one chunk leaves as one message", "[send]") {
  ConnFixture at;
  ignore_recv(at);
  std::string big(200'000, 'a');
  for (std::size_t index = 0; index < big.size(); index += 997) big[index] = 'b';
  at.conn->write(big);
  at.lap();
  const auto send = at.kernel.take(Op::send);
  REQUIRE(send);
  CHECK(send->sqe.opcode == IORING_OP_SENDMSG);
  const std::string sent = ScriptKernel::content(*send);
  CHECK(big.starts_with(sent));
  at.kernel.complete(*send, 70'000);
  at.step();
  at.lap();
  const auto rest = at.kernel.take(Op::send);
  REQUIRE(rest);
  CHECK(std::string_view{big}.substr(70'000).starts_with(ScriptKernel::content(*rest)));
}

TEST_CASE("bytes under way stay where they are while more is written", "[send]") {
  ConnFixture at;
  ignore_recv(at);
  at.conn->write("stay");
  at.lap();
  const auto send = at.kernel.take(Op::send);
  for (int round = 0; round < 100; ++round) at.conn->write(std::string(1'000, 'x'));
  CHECK(ScriptKernel::content(*send) == "stay");
}

TEST_CASE("a peer that resets while a send is pending ends the connection once", "[send]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->write("unwanted");
  at.lap();
  const auto send = at.kernel.take(Op::send);
  at.kernel.complete(*recv, -ECONNRESET);
  at.kernel.complete(*send, -EPIPE);
  at.step();
  CHECK(at.conn->reason() == std::errc::connection_reset);
  CHECK(at.conn->outbound_size() == 8);
  at.lap();
  const auto close = at.kernel.take(Op::close);
  REQUIRE(close);
  CHECK_FALSE(at.kernel.take(Op::cancel));
  CHECK_FALSE(at.kernel.take(Op::close));
  at.kernel.complete(*close, 0);
  at.step();
  CHECK(at.conn->is_closed());
}

TEST_CASE("a write callback fires when its last byte is taken, in order", "[send]") {
  ConnFixture at;
  ignore_recv(at);
  std::string told;
  at.conn->write("aaaa");
  at.conn->notify_sent([&](std::error_code) { told += 'a'; });
  at.conn->write("bb");
  at.conn->notify_sent([&](std::error_code) { told += 'b'; });
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 5);
  at.step();
  while (auto done = at.conn->take_done(false)) (*done)({});
  CHECK(told == "a");
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 1);
  at.step();
  while (auto done = at.conn->take_done(false)) (*done)({});
  CHECK(told == "ab");
}

TEST_CASE("falling to the low mark after going above the high one is news, once", "[send]") {
  ConnFixture at{{.outbound_high_mark = 10, .outbound_low_mark = 4}};
  ignore_recv(at);
  CHECK(at.conn->write("0123456789") == Written::queued);
  CHECK(at.conn->write("a") == Written::above_high_mark);
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 6);
  at.step();
  CHECK_FALSE(at.conn->take_news().writable);
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 1);
  at.step();
  CHECK(at.conn->take_news().writable);
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 4);
  at.step();
  CHECK_FALSE(at.conn->take_news().writable);
}

TEST_CASE("a send into a connection the peer has reset is a reset, whichever errno says so", "[send]") {
  for (const int result : {-ECONNRESET, -EPIPE}) {
    ConnFixture at;
    ignore_recv(at);
    at.conn->write("too late");
    at.lap();
    at.kernel.complete(*at.kernel.take(Op::send), result);
    at.step();
    CHECK(at.conn->reason() == std::errc::connection_reset);
  }
}

namespace {

// A connection whose send of "hello world" ended after "hello " in the lap in which the receive ended.
struct HalfSent {
  explicit HalfSent(bool send_first) {
    at.lap();
    const auto recv = at.kernel.take(Op::recv);
    at.conn->write("hello world");
    at.lap();
    const auto send = at.kernel.take(Op::send);
    if (send_first) at.kernel.complete(*send, 6);
    at.kernel.complete(*recv, 0);
    if (!send_first) at.kernel.complete(*send, 6);
    at.step();
    at.lap();
  }

  // Completes the send that is armed, and answers whether on_eof is due.
  bool is_eof_told_after(int result) {
    at.kernel.complete(at.kernel.take(Op::send).value(), result);
    at.step();
    const bool told = at.conn->take_news().eof;
    at.lap();
    return told;
  }

  ConnFixture at;
};

}  // namespace

TEST_CASE("an end that comes with a short send is told when the next send has completed in full", "[send]") {
  for (const bool send_first : {true, false}) {
    HalfSent half{send_first};
    CHECK_FALSE(half.at.conn->take_news().eof);
    CHECK_FALSE(half.is_eof_told_after(2));  // Short again: still no answer.
    CHECK(half.is_eof_told_after(3));
    CHECK(half.at.conn->is_open());
    CHECK_FALSE(half.at.kernel.take(Op::recv));  // The receive has ended, whatever the end is called.
  }
}

TEST_CASE("an end that comes with a short send is a reset when the next send says so", "[send]") {
  for (const bool send_first : {true, false}) {
    for (const int result : {-EPIPE, -ECONNRESET}) {
      HalfSent half{send_first};
      CHECK_FALSE(half.is_eof_told_after(result));
      CHECK_FALSE(half.at.conn->is_open());
      CHECK(half.at.conn->reason() == std::errc::connection_reset);
    }
  }
}

TEST_CASE("a send that was only interrupted says nothing about the end", "[send]") {
  for (const bool send_first : {true, false}) {
    HalfSent half{send_first};
    for (const int result : {-EINTR, -EAGAIN, -ECANCELED}) CHECK_FALSE(half.is_eof_told_after(result));
    CHECK(half.is_eof_told_after(5));
  }
}

TEST_CASE("an end is told at once when the last send was whole, also with more under way", "[send]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->write("whole");
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 5);
  at.step();
  at.conn->write("under way");
  at.lap();
  at.kernel.complete(*recv, 0);
  at.step();
  CHECK(at.conn->take_news().eof);
}

TEST_CASE("a handler that refilled the queue claims no room, and is told once it has drained", "[send]") {
  ConnFixture at{{.outbound_high_mark = 10, .outbound_low_mark = 4}};
  ignore_recv(at);
  at.conn->write("0123456789a");
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 11);
  at.step();
  REQUIRE(at.conn->take_news().writable);
  at.conn->write("01234");  // Above the low mark, below the high one.
  CHECK_FALSE(at.conn->claim_writable());
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 5);
  at.step();
  CHECK(at.conn->take_news().writable);
  CHECK(at.conn->claim_writable());
}
