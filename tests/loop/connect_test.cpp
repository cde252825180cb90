// What any thread may ask of a loop that opens connections, and what it is told when there is no loop.
#include <ringwire/connect.hpp>
#include <ringwire/error.hpp>

#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>
#include <optional>

using ringwire::Conn;
using ringwire::Error;
using ringwire::LoopRef;
using ringwire::test::LoopFixture;
using ringwire::uring::Op;

TEST_CASE("a handle that names no loop connects nothing, and there is nothing to cancel", "[connect]") {
  const LoopRef nobody;
  const auto dial = nobody.connect("tcp://127.0.0.1:9", {}, [](Conn*, std::error_code) { FAIL("called"); });
  CHECK(dial.error() == Error::closed);
  CHECK(dial.cancel() == Error::closed);
  CHECK(nobody.enroll(0) == Error::closed);
}

TEST_CASE("a bad address is the answer, and the callback is not called", "[connect]") {
  LoopFixture at;
  const auto dial = at.loop.ref().connect("tcp://", {}, [](Conn*, std::error_code) { FAIL("called"); });
  CHECK(dial.error() == Error::invalid_address);
  CHECK(dial.cancel() == Error::closed);
}

TEST_CASE("a full mailbox is the answer, and the callback is not called", "[connect]") {
  ringwire::Options options;
  options.mailbox_max = 1;
  LoopFixture at{options};
  REQUIRE_FALSE(at.loop.ref().post([] {}));
  const auto dial =
      at.loop.ref().connect("tcp://127.0.0.1:9", {}, [](Conn*, std::error_code) { FAIL("called"); });
  CHECK(dial.error() == std::errc::resource_unavailable_try_again);
}

TEST_CASE("a connect that waits in the mailbox when the loop ends is told so", "[connect]") {
  std::optional<std::error_code> told;
  {
    LoopFixture at;
    at.stop();
    REQUIRE_FALSE(at.running);
    REQUIRE_FALSE(at.loop.ref()
                      .connect("tcp://127.0.0.1:9", {},
                               [&](Conn* conn, std::error_code error) {
                                 CHECK(conn == nullptr);
                                 told = error;
                               })
                      .error());
    at.loop.close();
  }
  CHECK(told == std::error_code{Error::closed});
}

TEST_CASE("two connects of one loop are cancelled each for itself", "[connect]") {
  LoopFixture at;
  std::error_code first;
  std::error_code second;
  const auto one =
      at.loop.ref().connect("tcp://127.0.0.1:9", {}, [&](Conn*, std::error_code e) { first = e; });
  const auto two =
      at.loop.ref().connect("tcp://127.0.0.1:9", {}, [&](Conn*, std::error_code e) { second = e; });
  at.lap();
  const auto connect_one = at.kernel.take(Op::connect);
  const auto connect_two = at.kernel.take(Op::connect);
  REQUIRE_FALSE(two.cancel());
  at.lap();
  const auto cancel = at.kernel.take(Op::connect_cancel);
  REQUIRE(cancel);
  CHECK(cancel->sqe.addr == connect_two->sqe.user_data);
  CHECK_FALSE(at.kernel.take(Op::connect_cancel));
  at.kernel.complete(*cancel, 0);
  at.kernel.complete(*connect_two, -ECANCELED);
  at.kernel.complete(*connect_one, -ECONNREFUSED);
  at.lap();
  CHECK(first == std::errc::connection_refused);
  CHECK(second == std::errc::operation_canceled);
}
