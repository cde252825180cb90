// What a loop counts, one number after the other, and when others see it.
#include "lib/loop/metrics.hpp"

#include <ringwire/error.hpp>

#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <bit>
#include <cerrno>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ringwire::loop {
namespace {

using test::LoopFixture;
using test::Request;
using uring::Op;
using namespace std::chrono_literals;

// Answers the close of a connection that has come to its end.
void finish_close(LoopFixture& at) {
  at.lap();
  for (const Op op : {Op::recv, Op::cancel, Op::close}) {
    const std::optional<Request> request = at.kernel.take(op);
    if (request) at.kernel.complete(*request, op == Op::recv ? -ECANCELED : 0);
  }
  at.lap();
}

// ---- the numbers themselves

TEST_CASE("every number is read as it was tallied") {
  MetricWords words;
  for (std::size_t index = 0; index < words.size(); ++index) words[index] = 1000 + index;
  auto given = std::bit_cast<LoopMetrics>(words);
  CHECK(std::bit_cast<MetricWords>(read_metrics(given)) == words);
  base::tally(given.sends);
  base::tally(given.sent_bytes, 41);
  base::set_tally(given.connections, 7);
  const LoopMetrics read = read_metrics(given);
  CHECK(read.sends == std::bit_cast<LoopMetrics>(words).sends + 1);
  CHECK(read.sent_bytes == std::bit_cast<LoopMetrics>(words).sent_bytes + 41);
  CHECK(read.connections == 7);
}

TEST_CASE("a lap stands in the first bucket whose bound it does not pass") {
  const std::vector<std::pair<std::uint64_t, std::size_t>> laps{
      {0, 0},
      {1, 0},
      {1024, 0},
      {1025, 1},
      {2048, 1},
      {2049, 2},
      {4096, 2},
      {4097, 3},
      {1024 << 20, 20},
      {(1024 << 20) + 1, 21},
      {60'000'000'000, 21},
  };
  for (const auto& [time, bucket] : laps) {
    INFO(time);
    LapTimes times;
    add_lap(times, time);
    CHECK(times.counts[bucket] == 1);
    CHECK(times.nanoseconds == time);
    if (bucket + 1 < LapTimes::buckets_count) CHECK(time <= LapTimes::bound(bucket));
    if (bucket > 0) CHECK(time > LapTimes::bound(bucket - 1));
  }
}

TEST_CASE("each reason of a close has its number, and the total has all of them") {
  CloseCounts closes;
  const auto count = [&](std::error_code reason) { ++count_of(closes, reason); };
  count({});
  count(Error::end_of_stream);
  count(std::make_error_code(std::errc::connection_reset));
  count({ETIMEDOUT, std::system_category()});
  for (const Error error : {Error::idle_timeout, Error::read_timeout, Error::write_timeout,
                            Error::lifetime_ended, Error::close_timeout}) {
    count(error);
  }
  count(Error::outbound_limit);
  count(Error::handler_failed);
  count(Error::engine_stopped);
  count(std::make_error_code(std::errc::not_enough_memory));
  CHECK(closes.ours == 1);
  CHECK(closes.peer == 1);
  CHECK(closes.network == 2);
  CHECK(closes.timeout == 5);
  CHECK(closes.outbound_limit == 1);
  CHECK(closes.handler_failed == 1);
  CHECK(closes.engine_stopped == 1);
  CHECK(closes.other == 1);
  CHECK(closes.total() == 13);
}

// ---- connections

TEST_CASE("an accepted connection is counted before on_open, and open until on_close has returned") {
  LoopFixture at;
  std::vector<LoopMetrics> seen;
  const auto look = [&] { seen.push_back(at.loop.metrics()); };
  at.notebook.open = [&](Conn&) { return look(), Action::none; };
  at.notebook.close = [&](Conn&, std::error_code) { return look(), Action::none; };
  const Request recv = at.connect(20);
  at.kernel.complete(recv, -ECONNRESET);
  finish_close(at);
  look();
  REQUIRE(seen.size() == 3);
  CHECK(seen[0].accepted == 1);
  CHECK(seen[0].connected == 0);
  CHECK(seen[0].connections == 1);
  CHECK(seen[1].connections == 1);
  CHECK(seen[1].closes.total() == 0);
  CHECK(seen[2].connections == 0);
  CHECK(seen[2].closes.network == 1);
  CHECK(seen[2].closes.total() == 1);
}

TEST_CASE("a connection handed over by the balancer counts as accepted") {
  LoopFixture at{{}, true};
  at.kernel.post(at.loop.ring_fd(), {Op::handoff, 0, 0}, 20);
  at.kernel.post(at.loop.ring_fd(), {Op::handoff_end, 0, 0}, 1);
  at.lap();
  CHECK(at.loop.metrics().accepted == 1);
}

TEST_CASE("a connect that succeeds and one that fails are told apart, and neither is an accept") {
  LoopFixture at;
  for (const int result : {0, -ECONNREFUSED}) {
    REQUIRE_FALSE(at.loop.ref().connect("tcp://127.0.0.1:9"));
    at.lap();
    at.kernel.complete(*at.kernel.take(Op::connect), result);
    at.lap();
  }
  const LoopMetrics metrics = at.loop.metrics();
  CHECK(metrics.connected == 1);
  CHECK(metrics.connects_failed == 1);
  CHECK(metrics.accepted == 0);
}

TEST_CASE("a client beyond the most is refused, and not accepted") {
  LoopFixture at{{.connections_max = 1}};
  at.connect(20);
  at.kernel.complete(*at.accept, 21, IORING_CQE_F_MORE);
  at.lap();
  CHECK(at.loop.metrics().refused == 1);
  CHECK(at.loop.metrics().accepted == 1);
}

TEST_CASE("a pause of the accept is counted when it begins") {
  LoopFixture at;
  at.kernel.complete(*at.accept, -EMFILE);
  at.lap();
  at.lap();
  CHECK(at.loop.metrics().accept_pauses == 1);
}

TEST_CASE("a listener that closes does not pause, and counts none") {
  LoopFixture at;
  at.loop.request_stop();
  at.lap();
  at.kernel.complete(*at.accept, -EMFILE);
  at.lap();
  CHECK(at.loop.metrics().accept_pauses == 0);
}

// ---- bytes

TEST_CASE("received bytes count as they come, also when nobody reads them") {
  LoopFixture at;
  at.notebook.traffic = [](Conn&) { return Action::none; };
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "hello"));
  REQUIRE(at.kernel.receive(recv, "you"));
  at.lap();
  CHECK(at.loop.metrics().received_bytes == 8);
}

TEST_CASE("sent bytes are those the kernel took; a send that took a part is short") {
  LoopFixture at;
  at.notebook.traffic = [](Conn& conn) { return conn.write(conn.next()), Action::none; };
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "hello"));
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 2);
  at.lap();
  CHECK(at.loop.metrics().sent_bytes == 2);
  CHECK(at.loop.metrics().sends == 1);
  CHECK(at.loop.metrics().short_sends == 1);
  at.kernel.complete(*at.kernel.take(Op::send), 3);
  at.lap();
  CHECK(at.loop.metrics().sent_bytes == 5);
  CHECK(at.loop.metrics().sends == 2);
  CHECK(at.loop.metrics().short_sends == 1);
}

TEST_CASE("a send that failed has sent nothing") {
  LoopFixture at;
  at.notebook.traffic = [](Conn& conn) { return conn.write(conn.next()), Action::none; };
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "hello"));
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), -ECONNRESET);
  at.lap();
  CHECK(at.loop.metrics().sends == 0);
  CHECK(at.loop.metrics().sent_bytes == 0);
}

TEST_CASE("a receive that finds no buffer is counted as starved") {
  LoopFixture at{{.recv_buffers_count = 2, .recv_buffer_size = 64}};
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "a"));
  REQUIRE(at.kernel.receive(recv, "b"));
  REQUIRE_FALSE(at.kernel.receive(recv, "c"));
  at.lap();
  CHECK(at.loop.metrics().recv_starved == 1);
}

TEST_CASE("buffers that a handler keeps are not free, until they come home") {
  LoopFixture at{{.recv_buffers_count = 4, .recv_buffer_size = 64}};
  CHECK(at.loop.metrics().recv_buffers_free == 4);
  Buffer kept;
  at.notebook.traffic = [&](Conn& conn) { return kept = conn.take(), Action::none; };
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "a quarter of the buffer, or more"));
  at.lap();
  CHECK(at.loop.metrics().recv_buffers_free == 3);
  kept = {};
  at.lap();
  CHECK(at.loop.metrics().recv_buffers_free == 4);
}

// ---- laps

TEST_CASE("laps, enters and completions are counted, and an enter once it has returned") {
  LoopFixture at;
  const LoopMetrics before = at.loop.metrics();
  const std::size_t enters = at.kernel.enters;
  for (int count = 0; count < 3; ++count) at.kernel.post(at.loop.ring_fd(), {Op::wake, 0, 0}, 0);
  static_cast<void>(at.loop.lap());
  const LoopMetrics after = at.loop.metrics();
  CHECK(after.laps == before.laps + 1);
  CHECK(after.enters == before.enters + (at.kernel.enters - enters));
  CHECK(after.completions == before.completions + 3);
  CHECK(after.full_laps == before.full_laps);
}

TEST_CASE("a lap whose completions do not end is full") {
  LoopFixture at{{.cq_entries = 8192}};
  for (std::size_t count = 0; count <= Loop::completions_max; ++count) {
    at.kernel.post(at.loop.ring_fd(), {Op::wake, 0, 0}, 0);
  }
  static_cast<void>(at.loop.lap());
  CHECK(at.loop.metrics().full_laps == 1);
  CHECK(at.loop.metrics().completions >= Loop::completions_max);
  static_cast<void>(at.loop.lap());
  CHECK(at.loop.metrics().full_laps == 1);
}

TEST_CASE("a submit that finds completions outside the queue counts an overflow") {
  LoopFixture at{{.sq_entries = 4, .cq_entries = 8}};
  for (int count = 0; count < 9; ++count) at.kernel.post(at.loop.ring_fd(), {Op::wake, 0, 0}, 0);
  static_cast<void>(at.loop.lap());
  CHECK(at.loop.metrics().cq_overflows == 0);
  static_cast<void>(at.loop.lap());
  CHECK(at.loop.metrics().cq_overflows == 1);
  at.lap();
  CHECK(at.loop.metrics().cq_overflows == 1);
}

TEST_CASE("a lap is as long as its handlers, and neither the wait before it nor the time after it counts") {
  LoopFixture at;
  at.notebook.traffic = [&](Conn& conn) {
    at.kernel.time += 3'000'000;
    return static_cast<void>(conn.next()), Action::none;
  };
  const Request recv = at.connect(20);
  const LoopMetrics before = at.loop.metrics();
  REQUIRE(at.kernel.receive(recv, "hello"));
  at.kernel.time += 500'000'000;
  at.lap();
  at.kernel.time += 500'000'000;
  const LoopMetrics after = at.loop.metrics();
  CHECK(after.lap_times.nanoseconds == before.lap_times.nanoseconds + 3'000'000);
  const std::size_t bucket = 12;  // Up to 4.2 ms.
  CHECK(after.lap_times.counts[bucket] == before.lap_times.counts[bucket] + 1);
  std::uint64_t laps = 0;
  for (const std::uint64_t count : after.lap_times.counts) laps += count;
  CHECK(laps == after.laps);
}

// ---- user code, other threads

TEST_CASE("what leaves an event, a task or a callback is counted as a failure of the handler") {
  LoopFixture at;
  at.notebook.open = [](Conn&) -> Action { throw std::runtime_error{"an event"}; };
  at.connect(20);
  CHECK(at.loop.metrics().handler_failures == 1);
  REQUIRE_FALSE(at.loop.ref().post([] { throw std::runtime_error{"a task"}; }));
  at.lap();
  CHECK(at.loop.metrics().handler_failures == 2);
}

TEST_CASE("posts and scheduled tasks that wait are seen before the loop has moved") {
  LoopFixture at;
  REQUIRE_FALSE(at.loop.ref().post([] {}));
  REQUIRE_FALSE(at.loop.ref().post([] {}));
  const TimerRef timer = at.loop.ref().schedule(1s, [] {});
  CHECK(at.loop.metrics().mailbox_letters == 2);
  CHECK(at.loop.metrics().timers == 1);
  at.lap();
  CHECK(at.loop.metrics().mailbox_letters == 0);
  CHECK(at.loop.metrics().timers == 1);
  timer.cancel();
  at.lap();
  CHECK(at.loop.metrics().timers == 0);
}

TEST_CASE("a loop that waits has shown all it has done") {
  LoopFixture at;
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "hello"));
  static_cast<void>(at.loop.lap());  // The next begins with the wait.
  CHECK(at.loop.metrics().received_bytes == 5);
}

TEST_CASE("what fails while a loop closes is counted in the end") {
  LoopFixture at;
  at.stop();
  REQUIRE_FALSE(at.loop.ref().post([] {}));
  struct Throws {
    void operator()(Conn*) const { throw std::runtime_error{"a post to nobody"}; }
  };
  ConnRef{at.loop.ref(), 0, 1}.post(Throws{});
  const std::uint64_t before = at.loop.metrics().handler_failures;
  at.loop.close();
  CHECK(at.loop.metrics().handler_failures == before + 1);
}

}  // namespace
}  // namespace ringwire::loop
