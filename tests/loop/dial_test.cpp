// Connecting out: how it ends is told in any case.
#include <ringwire/error.hpp>

#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

using ringwire::Error;
using ringwire::test::LoopFixture;
using ringwire::test::Words;
using ringwire::uring::Op;

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
