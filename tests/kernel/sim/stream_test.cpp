// What the ends of a simulated connection get to see, and in which order.
#include "lib/kernel/sim/stream.hpp"

#include <ringwire/bytes.hpp>

#include "tests/support/catch.hpp"

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

namespace ringwire::kernel::sim {
namespace {

constexpr std::size_t everything = 1000;

int send(Stream& stream, unsigned side, std::string_view text) {
  return stream.send(side, to_bytes(text));
}

// Bytes received, or the errno as "-104".
std::string recv(Stream& stream, unsigned side, std::size_t size = 100) {
  std::array<std::byte, 100> target;
  const int result = stream.recv(side, std::span{target}.first(size));
  if (result < 0) return std::to_string(result);
  return std::string{to_text(std::span{target}.first(static_cast<std::size_t>(result)))};
}

std::string text_of(int error) {
  return std::to_string(-error);
}

TEST_CASE("bytes are received once they have arrived, not while they are on the way", "[stream]") {
  Stream stream{100};
  CHECK(send(stream, 0, "hello") == 5);
  CHECK(stream.flight(0) == 5);
  CHECK_FALSE(stream.can_recv(1));
  CHECK(recv(stream, 1) == text_of(EAGAIN));
  stream.deliver(0, 2, true);
  CHECK(stream.arrived(1) == 2);
  CHECK(recv(stream, 1) == "he");
  stream.deliver(0, everything, true);
  CHECK(recv(stream, 1, 1) == "l");
  CHECK(recv(stream, 1) == "lo");
  CHECK_FALSE(stream.in_flight(0));
}

TEST_CASE("a direction holds what it can, on the way and arrived together", "[stream]") {
  Stream stream{4};
  CHECK(send(stream, 0, "abcdef") == 4);
  CHECK_FALSE(stream.can_send(0));
  CHECK(send(stream, 0, "ef") == -EAGAIN);
  stream.deliver(0, everything, false);
  CHECK_FALSE(stream.can_send(0));
  CHECK(recv(stream, 1, 1) == "a");
  CHECK(stream.can_send(0));
  CHECK(send(stream, 0, "ef") == 1);
  CHECK(send(stream, 1, "wxyz") == 4);  // The other direction has room of its own.
}

TEST_CASE("the FIN comes behind every byte, and both ways end by themselves", "[stream]") {
  Stream stream{100};
  CHECK(send(stream, 0, "last") == 4);
  CHECK(stream.shut_write(0) == 0);
  CHECK(send(stream, 0, "more") == -EPIPE);
  stream.deliver(0, 2, true);
  CHECK_FALSE(stream.ended(1));
  stream.deliver(0, everything, false);
  CHECK(stream.in_flight(0));  // The FIN itself.
  CHECK(recv(stream, 1) == "last");
  CHECK(recv(stream, 1) == text_of(EAGAIN));
  stream.deliver(0, 0, false);
  CHECK(stream.ended(1));
  CHECK(recv(stream, 1).empty());
  CHECK(recv(stream, 1).empty());
  CHECK_FALSE(stream.in_flight(0));
  CHECK(send(stream, 1, "answer") == 6);
}

TEST_CASE("a FIN may arrive with the last byte, and does not hide it", "[stream]") {
  Stream stream{100};
  CHECK(send(stream, 0, "x") == 1);
  CHECK(stream.shut_write(0) == 0);
  stream.deliver(0, everything, true);
  CHECK_FALSE(stream.ended(1));
  CHECK(recv(stream, 1) == "x");
  CHECK(stream.ended(1));
}

TEST_CASE("a reset is told once, to the send or the receive, then sends get EPIPE and receives the end",
          "[stream]") {
  for (const bool send_first : {true, false}) {
    Stream stream{100};
    stream.close(0, true);
    stream.deliver(0, 0, false);
    CHECK(stream.is_reset(1));
    CHECK(stream.can_recv(1));
    CHECK(stream.can_send(1));
    if (send_first) {
      CHECK(send(stream, 1, "x") == -ECONNRESET);
    } else {
      CHECK(recv(stream, 1) == text_of(ECONNRESET));
    }
    CHECK(send(stream, 1, "x") == -EPIPE);
    CHECK(recv(stream, 1).empty());
    CHECK(stream.shut_write(1) == -ENOTCONN);
  }
}

TEST_CASE("bytes that arrived before a reset are received before its error; those on the way are lost",
          "[stream]") {
  Stream stream{100};
  CHECK(send(stream, 0, "arrived, lost") == 13);
  stream.deliver(0, 7, false);
  stream.close(0, true);
  CHECK(stream.flight(0) == 0);
  stream.deliver(0, everything, true);
  CHECK(recv(stream, 1) == "arrived");
  CHECK(recv(stream, 1) == text_of(ECONNRESET));
}

TEST_CASE("a reset behind a FIN is EPIPE, as the end had been told", "[stream]") {
  Stream stream{100};
  CHECK(stream.shut_write(0) == 0);
  stream.deliver(0, 0, true);
  stream.close(0, true);
  stream.deliver(0, 0, true);
  CHECK(recv(stream, 1).empty());
  CHECK(send(stream, 1, "x") == -EPIPE);
}

TEST_CASE("closing with bytes unread resets; with all read it sends FIN", "[stream]") {
  for (const bool reads : {true, false}) {
    Stream stream{100};
    CHECK(send(stream, 0, "question") == 8);
    stream.deliver(0, everything, false);
    if (reads) CHECK(recv(stream, 1) == "question");
    CHECK(send(stream, 1, "answer") == 6);
    stream.close(1, false);
    CHECK(stream.is_closed(1));
    CHECK(stream.is_reset(1) != reads);
    stream.deliver(1, everything, true);
    CHECK(recv(stream, 0) == (reads ? "answer" : text_of(ECONNRESET)));
    CHECK(stream.ended(0) == reads);
  }
}

TEST_CASE("bytes for an end that has closed are answered by a reset, a FIN is not", "[stream]") {
  Stream stream{100};
  stream.close(1, false);
  stream.deliver(1, 0, true);
  CHECK(recv(stream, 0).empty());
  CHECK(send(stream, 0, "anybody?") == 8);
  stream.deliver(0, 3, false);
  CHECK(stream.is_reset(0));
  CHECK(stream.flight(0) == 0);
  CHECK(send(stream, 0, "x") == -EPIPE);  // The end had been told before.

  Stream quiet{100};
  quiet.close(1, false);
  CHECK(quiet.shut_write(0) == 0);
  quiet.deliver(0, 0, true);
  CHECK_FALSE(quiet.is_reset(0));
}

TEST_CASE("nothing reaches a socket that is reset, and it takes nothing to the network", "[stream]") {
  Stream stream{100};
  CHECK(send(stream, 0, "to the dead") == 11);
  CHECK(send(stream, 1, "from the dead") == 13);
  stream.close(1, true);
  CHECK_FALSE(stream.in_flight(0));
  stream.deliver(0, everything, true);
  CHECK(stream.flight(0) == 11);
  CHECK(stream.flight(1) == 0);

  Stream both{100};  // Two resets at the same time: each meets a dead socket.
  both.close(0, true);
  both.close(1, true);
  CHECK_FALSE(both.in_flight(0));
  CHECK_FALSE(both.in_flight(1));
}

TEST_CASE("when the network breaks both ends find the error, who was told already does not", "[stream]") {
  Stream stream{100};
  CHECK(send(stream, 0, "lost") == 4);
  stream.fail(ETIMEDOUT, 1);
  CHECK(stream.hurt);
  CHECK_FALSE(stream.in_flight(0));
  CHECK(recv(stream, 0) == text_of(ETIMEDOUT));
  CHECK(recv(stream, 0).empty());
  CHECK(recv(stream, 1).empty());
  CHECK(send(stream, 1, "x") == -EPIPE);
}

TEST_CASE("a second failure finds nothing left to break", "[stream]") {
  Stream stream{100};
  stream.fail(ETIMEDOUT);
  stream.fail(EHOSTUNREACH);
  CHECK(recv(stream, 0) == text_of(ETIMEDOUT));
  CHECK(recv(stream, 0).empty());
}

}  // namespace
}  // namespace ringwire::kernel::sim
