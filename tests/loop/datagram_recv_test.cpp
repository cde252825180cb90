// Receiving datagrams survives whatever recvmsg(2) can answer.
#include "lib/loop/datagram_socket.hpp"

#include "tests/loop/datagram_fixture.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>

namespace ringwire::test {
namespace {

using loop::Pause;
using uring::Op;

TEST_CASE("each socket has a receive, with room for a name, from a group of its own", "[datagram]") {
  DatagramFixture at;
  REQUIRE_FALSE(at.opened);
  REQUIRE(at.recv);
  CHECK(at.recv->sqe.fd == 20);
  CHECK(at.recv->sqe.opcode == IORING_OP_RECVMSG);
  CHECK(at.recv->sqe.buf_group == 1);
  CHECK(at.kernel.take(Op::datagram_recv)->sqe.fd == 21);
}

TEST_CASE("datagrams are told in order, whole or cut, and their buffers are back within the lap",
          "[datagram]") {
  DatagramFixture at;
  REQUIRE(at.arrive(7, "one"));
  REQUIRE(at.arrive(7, "twenty bytes or more"));
  CHECK(at.kernel.free_buffers(1) == 0);
  at.lap();
  CHECK(at.notebook.events == Words{"datagram:one", "datagram:twenty b of 20"});
  CHECK(at.kernel.free_buffers(1) == 2);
  CHECK_FALSE(at.kernel.take(Op::datagram_recv)->sqe.fd == 20);  // The first goes on.
}

TEST_CASE("a receive that ends with a datagram keeps it and is armed again", "[datagram]") {
  DatagramFixture at;
  REQUIRE(at.arrive(7, "", false));  // One of no bytes does that.
  at.lap();
  CHECK(at.notebook.events == Words{"datagram:"});
  CHECK(at.take_all(Op::datagram_recv).size() == 2);
}

TEST_CASE("a receive that ends because of the moment is armed again in the same lap", "[datagram]") {
  for (const int result : {-ENOBUFS, -ECANCELED, -EAGAIN, -EINTR}) {
    DatagramFixture at;
    static_cast<void>(at.take_all(Op::datagram_recv));
    at.kernel.complete(*at.recv, result);
    at.lap();
    CHECK(at.take_all(Op::datagram_recv).size() == 1);
    CHECK(at.notebook.events.empty());
  }
}

TEST_CASE("a receive that fails pauses, does not spin, and goes on", "[datagram]") {
  for (const int result : {-ENOMEM, -ECONNREFUSED, -EINVAL, -EOPNOTSUPP, -ENETDOWN}) {
    DatagramFixture at;
    static_cast<void>(at.take_all(Op::datagram_recv));
    at.kernel.complete(*at.recv, result);
    at.kernel.waits.clear();
    at.lap();
    CHECK(at.take_all(Op::datagram_recv).empty());
    REQUIRE_FALSE(at.kernel.waits.empty());
    CHECK(at.kernel.waits.back() == static_cast<std::int64_t>(Pause::length_min));
    at.kernel.time += Pause::length_min;
    at.lap();
    CHECK(at.take_all(Op::datagram_recv).size() == 1);
    CHECK(DatagramFixture::logged.empty());  // Weather.
  }
}

TEST_CASE("a receive whose descriptor is not the socket any more is given up, and said once", "[datagram]") {
  for (const int result : {-EBADF, -ENOTSOCK}) {
    DatagramFixture at;
    static_cast<void>(at.take_all(Op::datagram_recv));
    at.kernel.complete(*at.recv, result);
    at.lap();
    at.kernel.time += 10 * Pause::length_max;
    at.kernel.waits.clear();
    at.lap();
    CHECK(at.take_all(Op::datagram_recv).empty());
    CHECK(at.kernel.waits.size() == 2);  // It sleeps.
    REQUIRE(DatagramFixture::logged.size() == 1);
    CHECK_THAT(DatagramFixture::logged[0], contains("127.0.0.1:1000 stopped"));
    at.stop();
    CHECK_FALSE(at.running);
  }
}

TEST_CASE("pauses double up to a tenth of a second, and shrink after a datagram", "[datagram]") {
  DatagramFixture at;
  static_cast<void>(at.take_all(Op::datagram_recv));
  std::vector<kernel::Nanoseconds> pauses;
  const auto fail = [&] {
    at.kernel.complete(*at.recv, -ENOMEM);
    at.lap();
    pauses.push_back((at.socket().resume_at() - at.kernel.time) / 1'000'000);
    at.kernel.time = at.socket().resume_at();
    at.lap();
    at.recv = at.kernel.take(Op::datagram_recv);
    REQUIRE(at.recv);
  };
  for (int round = 0; round < 6; ++round) fail();
  REQUIRE(at.arrive(7, "well"));
  at.lap();
  fail();
  CHECK(pauses == std::vector<kernel::Nanoseconds>{10, 20, 40, 80, 100, 100, 10});
}

TEST_CASE("what arrives while the socket closes is dropped, and its buffer goes home", "[datagram]") {
  DatagramFixture at;
  REQUIRE_FALSE(at.send("keeps it open"));
  at.lap();
  at.loop.request_stop();
  at.lap();
  REQUIRE(at.arrive(7, "late"));
  REQUIRE(at.arrive(7, "later", false));
  at.lap();
  CHECK(at.notebook.events.empty());
  CHECK(at.kernel.free_buffers(1) == 2);
  CHECK(at.take_all(Op::datagram_recv).size() == 1);  // Of the second socket, at the beginning.
}

}  // namespace
}  // namespace ringwire::test
