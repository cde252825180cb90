// What the clock does to a connection: each timeout alone, what moves it, and the first of several.
#include <ringwire/error.hpp>

#include "tests/base/death.hpp"
#include "tests/conn/fixture.hpp"
#include "tests/support/catch.hpp"

#include <chrono>
#include <cstddef>

using ringwire::Error;
using ringwire::Options;
using ringwire::test::ConnFixture;
using ringwire::test::contains;
using ringwire::test::death_of;
using ringwire::uring::Op;
using namespace std::chrono_literals;

namespace {

constexpr ringwire::kernel::Nanoseconds ms = 1'000'000;

// The time of the fixture's birth, at which every clock starts.
ringwire::kernel::Nanoseconds born(const ConnFixture& at) {
  return at.kernel.time;
}

void pass(ConnFixture& at, std::uint64_t milliseconds) {
  at.shared.now += milliseconds * ms;
}

}  // namespace

TEST_CASE("an idle connection is closed, an active one is not", "[timeouts]") {
  ConnFixture at{{.idle_timeout = 50ms}};
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  CHECK(at.conn->deadline() == at.kernel.time + 50'000'000);
  at.shared.now += 30'000'000;
  REQUIRE(at.kernel.receive(*recv, "still here"));
  at.step();
  at.conn->on_time(at.kernel.time + 50'000'000);
  CHECK(at.conn->is_open());
  at.conn->on_time(at.shared.now + 50'000'000);
  CHECK_FALSE(at.conn->is_open());
  CHECK(at.conn->reason() == Error::idle_timeout);
  at.conn->settle();
}

TEST_CASE("without timeouts there is no deadline, and no memory for them", "[timeouts]") {
  ConnFixture at;
  CHECK(at.conn->deadline() == 0);
  at.conn->on_time(born(at) + 1'000'000 * ms);
  CHECK(at.conn->is_open());
}

TEST_CASE("a read timeout counts from the last byte, and is no reset", "[timeouts]") {
  ConnFixture at{{.read_timeout = 50ms}};
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  CHECK(at.conn->deadline() == born(at) + 50 * ms);
  pass(at, 30);
  REQUIRE(at.kernel.receive(*recv, "still here"));
  at.step();
  at.conn->settle();
  CHECK(at.conn->deadline() == born(at) + 80 * ms);
  at.conn->on_time(born(at) + 79 * ms);
  CHECK(at.conn->is_open());
  at.conn->on_time(born(at) + 80 * ms);
  CHECK_FALSE(at.conn->is_open());
  CHECK(at.conn->reason() == Error::read_timeout);
  CHECK_FALSE(at.conn->wants_close());  // It flushes, and waits for the peer's FIN.
}

TEST_CASE("sending does not feed a read timeout", "[timeouts]") {
  ConnFixture at{{.read_timeout = 50ms}};
  at.conn->write("ping");
  at.lap();
  pass(at, 30);
  at.kernel.complete(*at.kernel.take(Op::send), 4);
  at.step();
  CHECK(at.conn->deadline() == born(at) + 50 * ms);
}

TEST_CASE("time in which we do not receive is no read timeout: paused, full, after the end", "[timeouts]") {
  ConnFixture paused{{.read_timeout = 50ms}};
  paused.conn->pause();
  CHECK(paused.conn->deadline() == 0);
  pass(paused, 200);
  paused.conn->resume();
  CHECK(paused.conn->deadline() == paused.shared.now + 50 * ms);

  ConnFixture full{{.read_timeout = 50ms, .inbound_limit = 4}};
  full.lap();
  REQUIRE(full.kernel.receive(*full.kernel.take(Op::recv), "12345"));
  full.step();
  full.conn->settle();
  CHECK(full.conn->deadline() == 0);
  pass(full, 200);
  CHECK(full.conn->discard() == 5);
  CHECK(full.conn->deadline() == full.shared.now + 50 * ms);

  ConnFixture ended{{.read_timeout = 50ms}};
  ended.lap();
  ended.kernel.complete(*ended.kernel.take(Op::recv), 0);
  ended.step();
  CHECK(ended.conn->deadline() == 0);
}

TEST_CASE("a write timeout counts from the first byte that waits, then from the last one taken",
          "[timeouts]") {
  ConnFixture at{{.write_timeout = 50ms}};
  at.lap();
  CHECK(at.conn->deadline() == 0);
  pass(at, 200);
  at.conn->write("hello world");
  const auto begun = at.shared.now;
  CHECK(at.conn->deadline() == begun + 50 * ms);
  at.lap();
  const auto send = at.kernel.take(Op::send);
  CHECK(send->sqe.op_flags == MSG_NOSIGNAL);  // In parts, each of which tells.
  pass(at, 30);
  at.conn->write("!");  // More to wait for is no progress.
  CHECK(at.conn->deadline() == begun + 50 * ms);
  at.kernel.complete(*send, 6);
  at.step();
  CHECK(at.conn->deadline() == begun + 80 * ms);
  at.conn->on_time(begun + 80 * ms);
  CHECK(at.conn->reason() == Error::write_timeout);
  CHECK(at.kernel.options_set == std::vector<std::pair<int, int>>{{ConnFixture::fd, SO_LINGER}});
  CHECK(at.conn->wants_close());
  CHECK_FALSE(at.conn->offers_traffic());
}

TEST_CASE("a write timeout ends with the last byte taken", "[timeouts]") {
  ConnFixture at{{.write_timeout = 50ms}};
  at.conn->write("hello");
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 5);
  at.step();
  CHECK(at.conn->deadline() == 0);
}

TEST_CASE("a lifetime counts from the birth, whatever moves, and delivers what was written", "[timeouts]") {
  ConnFixture at{{.lifetime = 100ms}};
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  pass(at, 90);
  REQUIRE(at.kernel.receive(*recv, "busy"));
  at.step();
  at.conn->settle();
  CHECK(at.conn->deadline() == born(at) + 100 * ms);
  at.conn->write("goodbye");
  at.conn->on_time(born(at) + 100 * ms);
  CHECK_FALSE(at.conn->is_open());
  CHECK(at.conn->reason() == Error::lifetime_ended);
  CHECK(at.conn->outbound_size() == 7);
  CHECK_FALSE(at.conn->wants_close());
}

TEST_CASE("of several timeouts the first is the deadline", "[timeouts]") {
  ConnFixture at{{.idle_timeout = 40ms, .read_timeout = 30ms, .write_timeout = 20ms, .lifetime = 25ms}};
  CHECK(at.conn->deadline() == born(at) + 25 * ms);
  at.conn->write("x");
  CHECK(at.conn->deadline() == born(at) + 20 * ms);
  at.conn->set_write_timeout(0ms);
  at.conn->set_lifetime(0ms);
  CHECK(at.conn->deadline() == born(at) + 30 * ms);
  at.conn->set_read_timeout(0ms);
  CHECK(at.conn->deadline() == born(at) + 40 * ms);
  at.conn->set_idle_timeout(0ms);
  CHECK(at.conn->deadline() == 0);
}

TEST_CASE("timeouts of its own replace the options', counting from now", "[timeouts]") {
  ConnFixture at{{.read_timeout = 100ms}};
  pass(at, 70);
  at.conn->set_read_timeout(50ms);
  CHECK(at.conn->deadline() == born(at) + 120 * ms);
  at.conn->set_read_timeout(0ms);
  at.conn->write("x");
  pass(at, 70);
  at.conn->set_write_timeout(50ms);
  CHECK(at.conn->deadline() == born(at) + 190 * ms);
  at.conn->set_lifetime(150ms);
  CHECK(at.conn->deadline() == born(at) + 150 * ms);
}

TEST_CASE("a connection that is closing has its close timeout only", "[timeouts]") {
  ConnFixture at{{.read_timeout = 10ms, .write_timeout = 10ms, .lifetime = 10ms, .close_timeout = 500ms}};
  at.conn->write("x");
  at.conn->close();
  CHECK(at.conn->deadline() == born(at) + 500 * ms);
  at.conn->on_time(born(at) + 10 * ms);
  CHECK_FALSE(at.conn->reason());
}

TEST_CASE("a negative timeout is the caller's mistake", "[timeouts]") {
  CHECK_THAT(death_of([] { ConnFixture{}.conn->set_read_timeout(-1ms); }), contains("read timeout -1 ms"));
  CHECK_THAT(death_of([] { ConnFixture{}.conn->set_write_timeout(-1ms); }), contains("write timeout -1 ms"));
  CHECK_THAT(death_of([] { ConnFixture{}.conn->set_lifetime(-1ms); }), contains("lifetime -1 ms"));
}
