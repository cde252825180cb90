// What a loop's datagram sockets share: buffers, counts, and nothing when there is no socket.
#include "lib/loop/datagrams.hpp"

#include "tests/loop/datagram_fixture.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>

namespace ringwire::test {
namespace {

using uring::Op;

TEST_CASE("a loop without datagram sockets has no buffers for them", "[datagram]") {
  LoopFixture at;
  CHECK(at.kernel.maps_count() == 2);
  CHECK(at.loop.datagrams().find(0) == nullptr);
  CHECK(at.loop.datagrams().is_closed());
  CHECK_FALSE(at.loop.datagrams().is_due(0));
}

TEST_CASE("buffers hold what comes before a datagram, and the longest one", "[datagram]") {
  const DatagramFixture at;
  CHECK(at.kernel.maps_count() == 3);
  REQUIRE(at.kernel.free_buffers(1) == 2);
  CHECK(at.kernel.buffer_size(1) == uring::received_head_size + at.options.datagram_size_max);
}

TEST_CASE("where the kernel joins datagrams each buffer holds the longest it may hand over", "[datagram]") {
  const DatagramFixture at{DatagramFixture::with_trains()};
  CHECK(at.kernel.buffer_size(1) == uring::received_head_size + uring::joined_size_most);
  CHECK(at.loop.features().has(uring::Feature::udp_gro));

  Options masked = DatagramFixture::with_trains();
  masked.mask = "udp_gro";
  const DatagramFixture without{masked};
  CHECK(without.kernel.buffer_size(1) == uring::received_head_size + masked.datagram_size_max);
  CHECK_FALSE(without.loop.features().has(uring::Feature::udp_gro));
}

TEST_CASE("joined datagrams are told one by one, cut to the limit, and counted so", "[datagram]") {
  DatagramFixture at{DatagramFixture::with_trains()};
  REQUIRE(at.arrive_joined(7, "abcdefghij", 4));
  REQUIRE(at.arrive_joined(7, "a long onea second", 10));
  at.lap();
  CHECK(at.notebook.events == Words{"datagram:abcd", "datagram:efgh", "datagram:ij",
                                    "datagram:a long o of 10", "datagram:a second"});
  CHECK(at.loop.datagram_counts().received == 5);
  CHECK(at.loop.datagram_counts().receives == 2);
  CHECK(at.loop.datagram_counts().truncated == 1);
  CHECK(at.kernel.free_buffers(1) == 2);
}

TEST_CASE("a kernel without memory for the buffers is an error of the start", "[datagram]") {
  ScriptKernel kernel;
  Notebook notebook;
  StopCounter owner;
  const base::Log log{LogLevel::off, nullptr};
  const Options options;
  loop::Loop loop{{kernel, notebook, options, log, owner}, 0, false};
  loop.add_datagram_socket(20, local(1000));
  kernel.register_results = {0, 0, -ENOMEM};  // The ring's descriptor, the connections' buffers, ours.
  CHECK(loop.open());
}

TEST_CASE("a datagram that was read is counted, a cut one twice", "[datagram]") {
  DatagramFixture at;
  REQUIRE(at.arrive(7, "whole"));
  REQUIRE(at.arrive(7, "longer than eight"));
  at.lap();
  CHECK(at.loop.datagram_counts().received == 2);
  CHECK(at.loop.datagram_counts().truncated == 1);
}

TEST_CASE("when the first of several pauses ends, the loop wakes", "[datagram]") {
  DatagramFixture at;
  const auto second = at.kernel.take(Op::datagram_recv);
  REQUIRE(second);
  CHECK(at.loop.datagrams().first_resume() == UINT64_MAX);
  at.kernel.complete(*second, -ENOMEM);
  at.lap();
  const auto first = at.loop.datagrams().first_resume();
  at.kernel.time += 5'000'000;
  at.kernel.complete(*at.recv, -ENOMEM);
  at.lap();
  CHECK(at.loop.datagrams().first_resume() == first);
}

TEST_CASE("an exception from on_datagram costs no buffer, and the next datagram comes", "[datagram]") {
  DatagramFixture at;
  at.notebook.datagram = [](Datagram&) -> Action { throw 1; };
  REQUIRE(at.arrive(7, "one"));
  REQUIRE(at.arrive(7, "two"));
  at.lap();
  CHECK(at.notebook.events == Words{"datagram:one", "datagram:two"});
  CHECK(at.kernel.free_buffers(1) == 2);
}

TEST_CASE("Action::shutdown from on_datagram is passed on, Action::close means nothing", "[datagram]") {
  DatagramFixture at;
  at.notebook.datagram = [](Datagram&) { return Action::close; };
  REQUIRE(at.arrive(7, "one"));
  at.lap();
  CHECK(at.owner.count == 0);
  at.notebook.datagram = [](Datagram&) { return Action::shutdown; };
  REQUIRE(at.arrive(7, "two"));
  at.lap();
  CHECK(at.owner.count == 1);
}

}  // namespace
}  // namespace ringwire::test
