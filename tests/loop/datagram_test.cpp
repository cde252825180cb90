// The public face of datagrams, and handles from any thread.
#include <ringwire/datagram.hpp>
#include <ringwire/error.hpp>

#include "tests/loop/datagram_fixture.hpp"
#include "tests/support/catch.hpp"

#include <string>
#include <system_error>
#include <vector>

namespace ringwire::test {
namespace {

using uring::Op;

TEST_CASE("a datagram knows its sender, its socket and its size, and is answered through it", "[datagram]") {
  DatagramFixture at;
  SocketRef kept;
  at.notebook.datagram = [&](Datagram& datagram) {
    CHECK(datagram.remote_address() == local(7));
    CHECK(datagram.local_address() == local(1000));
    CHECK(datagram.size() == 4);
    CHECK_FALSE(datagram.is_truncated());
    CHECK_FALSE(datagram.reply(datagram.bytes()));
    CHECK_FALSE(datagram.reply("text"));
    CHECK_FALSE(datagram.send_to(to_bytes("away"), local(8)));
    kept = datagram.socket();
    return Action::none;
  };
  REQUIRE(at.arrive(7, "ping"));
  at.lap();
  const auto sends = at.take_all(Op::datagram_send);
  REQUIRE(sends.size() == 3);
  CHECK(ScriptKernel::content(sends[0]) == "ping");
  CHECK(ScriptKernel::content(sends[1]) == "text");
  CHECK(ScriptKernel::content(sends[2]) == "away");
  CHECK(kept == at.socket().ref());
  CHECK(kept.loop() == at.loop.ref());
}

TEST_CASE("a handle sends a copy, and answers once when it has left", "[datagram]") {
  DatagramFixture at;
  {
    std::string text = "copied";
    at.socket().ref().send_to(to_bytes(text), local(5),
                              [&](std::error_code error) { at.notebook.events.push_back(error.message()); });
    text = "gone..";
  }
  at.lap();
  const auto sends = at.take_all(Op::datagram_send);
  REQUIRE(sends.size() == 1);
  CHECK(ScriptKernel::content(sends[0]) == "copied");
  CHECK(at.notebook.events.empty());
  at.kernel.complete(sends[0], 6);
  at.lap();
  CHECK(at.notebook.events == Words{std::error_code{}.message()});
}

TEST_CASE("a handle is answered why nothing was queued", "[datagram]") {
  DatagramFixture at;
  std::vector<std::error_code> answers;
  const auto note = [&](std::error_code error) { answers.push_back(error); };
  at.socket().ref().send_to("nobody", Address{}, note);
  SocketRef{at.loop.ref(), 9, 1}.send_to("no such socket", local(5), note);
  SocketRef{}.send_to("no loop", local(5), note);
  at.socket().ref().send_to("nobody asks", Address{});
  at.lap();
  REQUIRE(answers.size() == 3);
  CHECK(answers[0] == Error::closed);  // On the calling thread, so it was first.
  CHECK(answers[1] == std::errc::destination_address_required);
  CHECK(answers[2] == Error::closed);
}

TEST_CASE("what no datagram can hold is refused on the calling thread, and never waits for the loop",
          "[datagram]") {
  std::vector<std::error_code> answers;
  DatagramFixture at;
  const std::string longest(loop::DatagramSocket::datagram_size_most, 'x');
  const auto note = [&](std::error_code error) { answers.push_back(error); };
  at.socket().ref().send_to(longest + "x", local(5), note);
  at.socket().ref().send_to(longest + "x", local(5));
  REQUIRE(answers.size() == 1);
  CHECK(answers[0] == std::errc::message_size);
  at.socket().ref().send_to(longest, local(5), note);
  at.lap();
  CHECK(at.take_all(Op::datagram_send).size() == 1);
}

TEST_CASE("a handle to a loop that has ended answers at once", "[datagram]") {
  SocketRef kept;
  {
    DatagramFixture at;
    kept = at.socket().ref();
  }
  std::error_code answer;
  kept.send_to("anybody?", local(5), [&](std::error_code error) { answer = error; });
  CHECK(answer == Error::closed);
}

}  // namespace
}  // namespace ringwire::test
