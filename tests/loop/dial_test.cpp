// Connecting out: how it ends is told in any case.
#include <ringwire/connect.hpp>
#include <ringwire/error.hpp>

#include "tests/base/death.hpp"
#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>
#include <chrono>
#include <cstdint>

using ringwire::Error;
using ringwire::test::LoopFixture;
using ringwire::test::Words;
using ringwire::uring::Op;
using namespace std::chrono_literals;

namespace {

ringwire::Address loopback4(std::uint16_t port) {
  ringwire::Address address;
  address.family = ringwire::Address::Family::ipv4;
  address.port = port;
  address.ip = {127, 0, 0, 1};
  return address;
}

}  // namespace

TEST_CASE("a connect that succeeds opens a connection, then tells", "[dial]") {
  LoopFixture at;
  std::vector<std::error_code> told;
  REQUIRE_FALSE(at.loop.ref().connect("tcp://127.0.0.1:9", [&](std::error_code error) {
    CHECK(at.notebook.events == Words{"open"});
    told.push_back(error);
  }));
  at.lap();
  const auto connect = at.kernel.take(Op::connect);
  REQUIRE(connect);
  at.kernel.complete(*connect, 0);
  at.lap();
  CHECK(told == std::vector<std::error_code>{{}});
  CHECK(at.loop.connections_count() == 1);
  CHECK(at.kernel.take(Op::recv));
}

TEST_CASE("a refused connect closes its descriptor and tells why", "[dial]") {
  LoopFixture at;
  std::error_code told;
  REQUIRE_FALSE(at.loop.ref().connect("tcp://127.0.0.1:9", [&](std::error_code error) { told = error; }));
  at.lap();
  const auto connect = at.kernel.take(Op::connect);
  at.kernel.complete(*connect, -ECONNREFUSED);
  at.lap();
  CHECK(told == std::errc::connection_refused);
  CHECK(at.kernel.closed == std::vector<int>{connect->sqe.fd});
  CHECK(at.notebook.events.empty());
}

TEST_CASE("without a descriptor the answer is the errno", "[dial]") {
  LoopFixture at;
  at.kernel.open_socket_results = {-EMFILE};
  std::error_code told;
  REQUIRE_FALSE(at.loop.ref().connect("tcp://127.0.0.1:9", [&](std::error_code error) { told = error; }));
  at.lap();
  CHECK(told == std::errc::too_many_files_open);
}

TEST_CASE("a bad address is answered at once", "[dial]") {
  LoopFixture at;
  CHECK(at.loop.ref().connect("howdy") == Error::invalid_address);
}

TEST_CASE("stopping cancels a connect under way, and tells", "[dial]") {
  LoopFixture at;
  std::error_code told;
  REQUIRE_FALSE(at.loop.ref().connect("tcp://127.0.0.1:9", [&](std::error_code error) { told = error; }));
  at.lap();
  const auto connect = at.kernel.take(Op::connect);
  at.loop.request_stop();
  at.lap();
  const auto cancel = at.kernel.take(Op::connect_cancel);
  REQUIRE(cancel);
  CHECK(cancel->sqe.addr == connect->sqe.user_data);
  at.kernel.complete(*cancel, 0);
  at.kernel.complete(*connect, -ECANCELED);
  at.lap();
  CHECK(told == Error::engine_stopped);
  CHECK(at.kernel.closed == std::vector<int>{connect->sqe.fd});
}

TEST_CASE("a connect that found no room before the stop is cancelled all the same, and tells", "[dial]") {
  ringwire::Options options;
  options.sq_entries = 4;
  LoopFixture at{options};
  std::vector<std::error_code> told;
  at.kernel.enter_results.assign(3, -EBUSY);
  for (int count = 0; count < 10; ++count) {
    REQUIRE_FALSE(
        at.loop.ref().connect("tcp://127.0.0.1:9", [&](std::error_code error) { told.push_back(error); }));
  }
  REQUIRE(at.loop.lap());  // Four are written; for the others there is no room.
  at.loop.request_stop();
  at.kernel.enter_results.clear();
  for (int round = 0; round < 10; ++round) at.lap();
  std::size_t connects = 0;
  std::size_t cancels = 0;
  while (at.kernel.take(Op::connect)) ++connects;
  while (at.kernel.take(Op::connect_cancel)) ++cancels;
  CHECK(connects == 10);
  CHECK(cancels == 10);
  at.stop();
  CHECK(told == std::vector<std::error_code>(10, Error::engine_stopped));
}

TEST_CASE("a connect asked for while stopping is refused", "[dial]") {
  LoopFixture at;
  at.connect(20);
  at.notebook.drain = [](ringwire::Conn&) { return ringwire::Action::none; };
  at.loop.request_stop();
  at.lap();
  std::error_code told;
  REQUIRE_FALSE(at.loop.ref().connect("tcp://127.0.0.1:9", [&](std::error_code error) { told = error; }));
  at.lap();
  CHECK(told == Error::engine_stopped);
}

namespace {

// How a connect ended.
struct Told {
  int times = 0;
  ringwire::Conn* conn = nullptr;
  std::error_code error;

  ringwire::Connected callback() {
    return [this](ringwire::Conn* connection, std::error_code reason) {
      ++times;
      conn = connection;
      error = reason;
    };
  }
};

}  // namespace

TEST_CASE("the callback is given the connection", "[dial]") {
  LoopFixture at;
  Told told;
  const auto dial = at.loop.ref().connect("tcp://127.0.0.1:9", {}, told.callback());
  REQUIRE_FALSE(dial.error());
  at.lap();
  const auto connect = at.kernel.take(Op::connect);
  at.kernel.complete(*connect, 0);
  at.lap();
  CHECK(told.times == 1);
  CHECK_FALSE(told.error);
  REQUIRE(told.conn != nullptr);
  CHECK(told.conn->fd() == connect->sqe.fd);
}

TEST_CASE("a connect whose time is over is cancelled and says timed_out", "[dial]") {
  LoopFixture at;
  Told told;
  REQUIRE_FALSE(at.loop.ref().connect("tcp://127.0.0.1:9", {.timeout = 50ms}, told.callback()).error());
  at.lap();
  const auto connect = at.kernel.take(Op::connect);
  at.kernel.time += 49'000'000;
  at.lap();
  CHECK_FALSE(at.kernel.take(Op::connect_cancel));
  at.kernel.time += 2'000'000;
  at.lap();
  const auto cancel = at.kernel.take(Op::connect_cancel);
  REQUIRE(cancel);
  CHECK(cancel->sqe.addr == connect->sqe.user_data);
  CHECK(told.times == 0);
  at.kernel.complete(*cancel, 0);
  at.kernel.complete(*connect, -ECANCELED);
  at.lap();
  CHECK(told.times == 1);
  CHECK(told.error == std::errc::timed_out);
  CHECK(at.kernel.closed == std::vector<int>{connect->sqe.fd});
}

TEST_CASE("a connect that succeeds in the very moment its time is over is a connection", "[dial]") {
  LoopFixture at;
  Told told;
  REQUIRE_FALSE(at.loop.ref().connect("tcp://127.0.0.1:9", {.timeout = 5ms}, told.callback()).error());
  at.lap();
  const auto connect = at.kernel.take(Op::connect);
  at.kernel.time += 10'000'000;
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::connect_cancel), -ENOENT);
  at.kernel.complete(*connect, 0);
  at.lap();
  CHECK(told.conn != nullptr);
  CHECK(at.loop.connections_count() == 1);
}

TEST_CASE("a cancelled connect becomes no connection, even when it succeeded", "[dial]") {
  for (const int result : {-ECANCELED, 0}) {
    LoopFixture at;
    Told told;
    const auto dial = at.loop.ref().connect("tcp://127.0.0.1:9", {}, told.callback());
    at.lap();
    const auto connect = at.kernel.take(Op::connect);
    REQUIRE_FALSE(dial.cancel());
    REQUIRE_FALSE(dial.cancel());
    at.lap();
    const auto cancel = at.kernel.take(Op::connect_cancel);
    REQUIRE(cancel);
    CHECK_FALSE(at.kernel.take(Op::connect_cancel));
    at.kernel.complete(*cancel, result == 0 ? -ENOENT : 0);
    at.kernel.complete(*connect, result);
    at.lap();
    CHECK(told.times == 1);
    CHECK(told.error == std::errc::operation_canceled);
    CHECK(at.kernel.closed == std::vector<int>{connect->sqe.fd});
    CHECK(at.notebook.events.empty());
    REQUIRE_FALSE(dial.cancel());  // Long over: nothing happens.
    at.lap();
    CHECK(told.times == 1);
  }
}

TEST_CASE("the addresses of a name are tried in order until one answers", "[dial]") {
  LoopFixture at;
  Told told;
  at.loop.dial({1, {loopback4(1), loopback4(2), loopback4(3)}, 0, told.callback()});
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::connect), -ECONNREFUSED);
  at.lap();
  const auto second = at.kernel.take(Op::connect);
  REQUIRE(second);
  CHECK(told.times == 0);
  at.kernel.complete(*second, 0);
  at.lap();
  CHECK(told.conn != nullptr);
  CHECK_FALSE(at.kernel.take(Op::connect));
}

TEST_CASE("when no address answers, the last one's reason is told", "[dial]") {
  LoopFixture at;
  Told told;
  at.loop.dial({1, {loopback4(1), loopback4(2)}, 0, told.callback()});
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::connect), -ECONNREFUSED);
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::connect), -ENETUNREACH);
  at.lap();
  CHECK(told.times == 1);
  CHECK(told.error == std::errc::network_unreachable);
}

TEST_CASE("a timeout ends the attempt under way and tries no further address", "[dial]") {
  LoopFixture at;
  Told told;
  at.loop.dial({1, {loopback4(1), loopback4(2)}, 5'000'000, told.callback()});
  at.lap();
  const auto connect = at.kernel.take(Op::connect);
  at.kernel.time += 10'000'000;
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::connect_cancel), 0);
  at.kernel.complete(*connect, -ECANCELED);
  at.lap();
  CHECK(told.error == std::errc::timed_out);
  CHECK_FALSE(at.kernel.take(Op::connect));
}

TEST_CASE("a negative timeout is the caller's mistake", "[dial]") {
  LoopFixture at;
  const auto connect = [&] {
    static_cast<void>(at.loop.ref().connect("tcp://127.0.0.1:9", {.timeout = -1ms}));
  };
  CHECK_THAT(ringwire::test::death_of(connect), ringwire::test::contains("connect timeout -1 ms"));
}
