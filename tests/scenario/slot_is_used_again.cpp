// A connection ended and another took its slot: a handle to the first never reaches the second.
//
// Leaves to others: stale completions inside the loop (tests/loop).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

namespace ringwire::test {

TEST_CASE("every request through a stale handle answers closed, and the successor sees nothing") {
  RecordingHandler handler;
  TestServer server{handler};
  Client first{server.address()};
  const ConnRef stale = handler.first_ref();
  first.close();
  REQUIRE(handler.wait_closed(1));
  Client second{server.address()};
  REQUIRE(handler.wait_opened(2));
  CHECK_FALSE(handler.record().refs[1] == stale);

  const auto note = [&](std::error_code error) { handler.note(error == Error::closed ? "closed" : "wrong"); };
  stale.write("not for you", note);
  stale.wake(note);
  stale.close(note);
  stale.post([&](Conn* conn) { handler.note(conn == nullptr ? "nobody" : "wrong"); });
  REQUIRE(handler.wait_noted("nobody"));
  CHECK(handler.wait_noted("closed", 3));
  CHECK(handler.record().count("wrong") == 0);
  CHECK(handler.record().traffics == 0);

  // The successor is open and has received nothing.
  handler.record().refs[1].write("for you");
  CHECK(second.receive_exactly(7) == "for you");
  CHECK(handler.record().closed == 1);
}

TEST_CASE("stale handles stay stale while a slot is used five hundred times") {
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler};
  const std::size_t rounds = scaled(500, 100);
  for (std::size_t round = 1; round <= rounds; ++round) {
    Client client{server.address()};
    REQUIRE(client.exchange("x") == "x");
    client.close();
    REQUIRE(handler.wait_closed(round));
  }
  Client alive{server.address()};
  REQUIRE(alive.exchange("y") == "y");
  const Record record = handler.record();
  for (std::size_t index = 0; index < rounds; ++index) {
    record.refs[index].write("ghost",
                             [&](std::error_code error) { handler.note(error ? "closed" : "wrong"); });
  }
  CHECK(handler.wait_noted("closed", rounds));
  CHECK(handler.record().count("wrong") == 0);
  CHECK(alive.exchange("z") == "z");
}

TEST_CASE("a handle that names nothing answers closed") {
  std::vector<std::error_code> answers;
  const auto note = [&](std::error_code error) { answers.push_back(error); };
  const ConnRef nothing;
  nothing.write("x", note);
  nothing.wake(note);
  nothing.close(note);
  bool called = false;
  bool with_nobody = false;
  nothing.post([&](Conn* conn) {
    called = true;
    with_nobody = conn == nullptr;
  });
  REQUIRE(answers.size() == 3);
  for (const std::error_code& answer : answers) CHECK(answer == Error::closed);
  CHECK(called == with_nobody);
  CHECK(LoopRef{}.post([] {}) == Error::closed);
  CHECK(LoopRef{}.connect("tcp://127.0.0.1:1") == Error::closed);
  CHECK_FALSE(LoopRef{}.is_current());
}

TEST_CASE("a handle whose engine has ended answers closed on the calling thread") {
  ConnRef ref;
  LoopRef loop;
  {
    RecordingHandler handler;
    TestServer server{handler};
    const Client client{server.address()};
    ref = handler.first_ref();
    loop = server.engine().loop(0);
    CHECK(ref.loop() == loop);
    CHECK_FALSE(server.stop());
  }
  std::vector<std::error_code> answers;
  const auto note = [&](std::error_code error) { answers.push_back(error); };
  ref.write("x", note);
  ref.wake(note);
  ref.close(note);
  REQUIRE(answers.size() == 3);
  for (const std::error_code& answer : answers) CHECK(answer == Error::closed);
  CHECK(loop.post([] {}) == Error::closed);
  CHECK(loop.connect("tcp://127.0.0.1:1") == Error::closed);
}

}  // namespace ringwire::test
