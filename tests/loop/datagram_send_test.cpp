// Sending datagrams: bounded, in one batch, each told what became of it.
#include <ringwire/error.hpp>

#include "lib/kernel/sim/datagrams.hpp"
#include "lib/loop/datagram_socket.hpp"
#include "tests/loop/datagram_fixture.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>
#include <utility>

namespace ringwire::test {
namespace {

using loop::DatagramSocket;
using uring::Op;

std::string target(const Request& request) {
  const auto* message = reinterpret_cast<const msghdr*>(static_cast<std::uintptr_t>(request.sqe.addr));
  kernel::SocketName name;
  name.size = message->msg_namelen;
  std::memcpy(&name.storage, message->msg_name, name.size);
  return net::to_address(name).to_string();
}

TEST_CASE("everything queued in a lap leaves with it, in order, each to its own address", "[datagram]") {
  DatagramFixture at;
  REQUIRE_FALSE(at.send("one", 5));
  REQUIRE_FALSE(at.send("", 6));
  REQUIRE_FALSE(at.send("three", 7));
  at.lap();
  const auto sends = at.take_all(Op::datagram_send);
  REQUIRE(sends.size() == 3);
  CHECK(ScriptKernel::content(sends[0]) == "one");
  CHECK(ScriptKernel::content(sends[1]).empty());
  CHECK(ScriptKernel::content(sends[2]) == "three");
  CHECK(target(sends[0]) == "127.0.0.1:5");
  CHECK(target(sends[2]) == "127.0.0.1:7");
  for (const Request& send : sends) {
    CHECK(send.sqe.opcode == IORING_OP_SENDMSG);
    CHECK(send.sqe.fd == 20);
    CHECK(send.sqe.flags == 0);  // Not linked: one that fails does not stop the others.
  }
  at.kernel.complete(sends[2], 5);
  at.kernel.complete(sends[0], 3);
  at.kernel.complete(sends[1], 0);
  at.lap();
  CHECK(at.notebook.events == Words{"three:sent", "one:sent", ":sent"});
  CHECK(at.loop.datagram_counts().sent == 3);
}

TEST_CASE("a datagram the kernel refuses is told so, counted, and stops no other", "[datagram]") {
  DatagramFixture at;
  REQUIRE_FALSE(at.send("bad"));
  REQUIRE_FALSE(at.send("good"));
  at.lap();
  const auto sends = at.take_all(Op::datagram_send);
  REQUIRE(sends.size() == 2);
  at.kernel.complete(sends[0], -ENETUNREACH);
  at.kernel.complete(sends[1], 4);
  at.lap();
  CHECK(at.notebook.events ==
        Words{"bad:" + std::make_error_code(std::errc::network_unreachable).message(), "good:sent"});
  CHECK(at.loop.datagram_counts().failed == 1);
  CHECK(at.loop.datagram_counts().sent == 1);
}

TEST_CASE("a datagram for which there is no room just now is tried three times", "[datagram]") {
  for (const int result : {-ENOBUFS, -EAGAIN, -ENOMEM, -EINTR, -ECANCELED}) {
    DatagramFixture at;
    REQUIRE_FALSE(at.send("x"));
    for (std::uint32_t round = 0; round < DatagramSocket::tries_max; ++round) {
      at.lap();
      const auto sends = at.take_all(Op::datagram_send);
      REQUIRE(sends.size() == 1);
      CHECK(at.notebook.events.empty());
      at.kernel.complete(sends[0], result);
    }
    at.lap();
    CHECK(at.take_all(Op::datagram_send).empty());
    REQUIRE(at.notebook.events.size() == 1);
    CHECK(at.notebook.events[0] == "x:" + std::error_code{-result, std::system_category()}.message());
  }
}

TEST_CASE("the kernel is given so many at once, the others when those are back", "[datagram]") {
  Options options = DatagramFixture::small();
  options.cq_entries = 2048;
  DatagramFixture at{options};
  for (std::size_t count = 0; count < DatagramSocket::in_flight_max + 10; ++count) {
    REQUIRE_FALSE(at.send("x"));
  }
  at.lap();
  const auto sends = at.take_all(Op::datagram_send);
  CHECK(sends.size() == DatagramSocket::in_flight_max);
  for (const Request& send : sends) at.kernel.complete(send, 1);
  at.lap();
  CHECK(at.take_all(Op::datagram_send).size() == 10);
}

TEST_CASE("what the ring has no room for goes out in the next lap, which does not wait", "[datagram]") {
  Options options = DatagramFixture::small();
  options.sq_entries = 4;
  options.cq_entries = 8;
  DatagramFixture at{options};
  for (int count = 0; count < 6; ++count) REQUIRE_FALSE(at.send("x"));
  at.kernel.enter_results = {0, -EBUSY, -EBUSY};
  at.kernel.waits.clear();
  at.lap();
  CHECK(at.kernel.waits.size() <= 1);
  at.lap();
  at.lap();
  CHECK(at.take_all(Op::datagram_send).size() == 6);
}

// What leaves in this lap: for each request its bytes, cut where the kernel is told to.
Words leaving(DatagramFixture& at, std::vector<Request>& sends) {
  at.lap();
  sends = at.take_all(Op::datagram_send);
  Words all;
  for (const Request& send : sends) {
    const auto* message = reinterpret_cast<const msghdr*>(static_cast<std::uintptr_t>(send.sqe.addr));
    const std::size_t size = kernel::sim::segment_size_of(*message);
    std::string text = ScriptKernel::content(send);
    for (std::size_t place = size; size != 0 && place < text.size(); place += size + 1)
      text.insert(place, "|");
    all.push_back(target(send).substr(10) + " " + text);
  }
  return all;
}

TEST_CASE("what is of one size and for one peer leaves in one request, the last may be shorter",
          "[datagram]") {
  DatagramFixture at{DatagramFixture::with_trains()};
  for (const char* text : {"abc", "def", "gh", "ij", "klm", "", "n"}) REQUIRE_FALSE(at.send(text));
  std::vector<Request> sends;
  CHECK(leaving(at, sends) == Words{"5 abc|def|gh", "5 ij", "5 klm", "5 ", "5 n"});
  at.kernel.complete(sends[0], 8);
  at.kernel.complete(sends[1], 2);
  at.lap();
  CHECK(at.notebook.events == Words{"abc:sent", "def:sent", "gh:sent", "ij:sent"});
  CHECK(at.loop.datagram_counts().sent == 4);
  CHECK(at.loop.datagram_counts().sends == 2);
}

TEST_CASE("datagrams for others in between do not part a train, and each peer's stay in order",
          "[datagram]") {
  DatagramFixture at{DatagramFixture::with_trains()};
  for (const char* text : {"a1", "a2", "a3"}) {
    REQUIRE_FALSE(at.send(text, 5));
    REQUIRE_FALSE(at.send(text, 6));
  }
  REQUIRE_FALSE(at.send("longer", 6));
  REQUIRE_FALSE(at.send("a4", 6));
  std::vector<Request> sends;
  CHECK(leaving(at, sends) == Words{"5 a1|a2|a3", "6 a1|a2|a3", "6 longer|a4"});
}

TEST_CASE("no more than sixteen for others are passed over to make a train", "[datagram]") {
  for (const std::size_t others : {DatagramSocket::reach - 1, DatagramSocket::reach}) {
    DatagramFixture at{DatagramFixture::with_trains()};
    REQUIRE_FALSE(at.send("a", 5));
    for (std::size_t count = 0; count < others; ++count) {
      REQUIRE_FALSE(at.send("x", static_cast<std::uint16_t>(100 + count)));
    }
    REQUIRE_FALSE(at.send("b", 5));
    std::vector<Request> sends;
    const Words all = leaving(at, sends);
    CHECK(all.size() == (others < DatagramSocket::reach ? others + 1 : others + 2));
    CHECK(all.front() == (others < DatagramSocket::reach ? "5 a|b" : "5 a"));
  }
}

TEST_CASE("no more leave together than the option says, and none without the feature", "[datagram]") {
  Options options = DatagramFixture::with_trains();
  options.datagram_train_max = 2;
  std::vector<Request> sends;
  {
    DatagramFixture at{options};
    for (const char* text : {"a", "b", "c"}) REQUIRE_FALSE(at.send(text));
    CHECK(leaving(at, sends) == Words{"5 a|b", "5 c"});
    CHECK(at.loop.features().has(uring::Feature::udp_segment));
  }
  options.mask = "udp_segment";
  DatagramFixture at{options};
  for (const char* text : {"a", "b", "c"}) REQUIRE_FALSE(at.send(text));
  CHECK(leaving(at, sends) == Words{"5 a", "5 b", "5 c"});
  CHECK_FALSE(at.loop.features().has(uring::Feature::udp_segment));
}

TEST_CASE("a refused train leaves again one by one, and none of that size is made any more", "[datagram]") {
  for (const int result : {-EINVAL, -EMSGSIZE, -EOPNOTSUPP}) {
    DatagramFixture at{DatagramFixture::with_trains()};
    for (const char* text : {"abc", "def", "x"}) REQUIRE_FALSE(at.send(text));
    std::vector<Request> sends;
    REQUIRE(leaving(at, sends) == Words{"5 abc|def|x"});
    at.kernel.complete(sends[0], result);
    CHECK(leaving(at, sends) == Words{"5 abc", "5 def", "5 x"});
    CHECK(at.notebook.events.empty());
    at.kernel.complete(sends[0], 3);
    at.kernel.complete(sends[1], -EMSGSIZE);
    at.kernel.complete(sends[2], 1);
    at.lap();
    CHECK(at.notebook.events ==
          Words{"abc:sent", "def:" + std::make_error_code(std::errc::message_size).message(), "x:sent"});
    for (const char* text : {"longer", "longer", "abc", "def", "xy", "yz"}) REQUIRE_FALSE(at.send(text));
    CHECK(leaving(at, sends) == Words{"5 longer", "5 longer", "5 abc", "5 def", "5 xy|yz"});
  }
}

TEST_CASE("where the device cannot cut, every datagram leaves by itself from then on", "[datagram]") {
  DatagramFixture at{DatagramFixture::with_trains()};
  for (const char* text : {"abc", "def"}) REQUIRE_FALSE(at.send(text));
  std::vector<Request> sends;
  REQUIRE(leaving(at, sends) == Words{"5 abc|def"});
  at.kernel.complete(sends[0], -EIO);
  CHECK(leaving(at, sends) == Words{"5 abc", "5 def"});
  for (const char* text : {"a", "b"}) REQUIRE_FALSE(at.send(text));
  CHECK(leaving(at, sends) == Words{"5 a", "5 b"});
}

TEST_CASE("a train for which there is no room just now is tried three times, in its order", "[datagram]") {
  DatagramFixture at{DatagramFixture::with_trains()};
  for (const char* text : {"a", "b", "c"}) REQUIRE_FALSE(at.send(text));
  std::vector<Request> sends;
  for (std::uint32_t round = 0; round < DatagramSocket::tries_max; ++round) {
    REQUIRE(leaving(at, sends) == Words{"5 a|b|c"});
    at.kernel.complete(sends[0], -ENOBUFS);
  }
  CHECK(leaving(at, sends).empty());
  const std::string why = ":" + std::make_error_code(std::errc::no_buffer_space).message();
  CHECK(at.notebook.events == Words{"a" + why, "b" + why, "c" + why});
  CHECK(at.loop.datagram_counts().failed == 3);
}

TEST_CASE("a train that is cancelled by the end tells each of its datagrams", "[datagram]") {
  DatagramFixture at{DatagramFixture::with_trains()};
  for (const char* text : {"a", "b"}) REQUIRE_FALSE(at.send(text));
  at.lap();
  at.stop();
  CHECK_FALSE(at.running);
  const std::string why = ":" + make_error_code(Error::engine_stopped).message();
  CHECK(at.notebook.events == Words{"a" + why, "b" + why});
}

TEST_CASE("a ring that is torn down takes its trains with it", "[datagram]") {
  DatagramFixture at{DatagramFixture::with_trains()};
  for (const char* text : {"a", "b"}) REQUIRE_FALSE(at.send(text));
  at.lap();
  REQUIRE(at.take_all(Op::datagram_send).size() == 1);
  at.loop.close();
  at.running = false;
  CHECK(at.notebook.events.empty());
}

TEST_CASE("beyond the limit nothing is taken, and the callback is left to the caller", "[datagram]") {
  Options options = DatagramFixture::small();
  options.datagram_outbound_limit = 2 * (DatagramSocket::envelope_size + 10);
  DatagramFixture at{options};
  REQUIRE_FALSE(at.send("0123456789"));
  REQUIRE_FALSE(at.send("0123456789"));
  Done done = [&](std::error_code) { at.notebook.events.emplace_back("called"); };
  CHECK(at.socket().queue({}, local(5), std::move(done)) == std::errc::no_buffer_space);
  REQUIRE(done);  // NOLINT(bugprone-use-after-move): that is what is tested.
  at.lap();
  for (const Request& send : at.take_all(Op::datagram_send)) at.kernel.complete(send, 10);
  at.lap();
  CHECK_FALSE(at.socket().queue({}, local(5), std::move(done)));
}

TEST_CASE("without a limit a loop keeps 65,536 datagrams", "[datagram]") {
  Options options = DatagramFixture::small();
  options.datagram_outbound_limit = 0;
  DatagramFixture at{options};
  std::size_t taken = 0;
  while (taken <= loop::Datagrams::outgoing_max && !at.socket().queue({}, local(5), nullptr)) ++taken;
  CHECK(taken == loop::Datagrams::outgoing_max);
  CHECK(at.socket().queue({}, local(5), nullptr) == std::errc::no_buffer_space);
}

TEST_CASE("what no kernel would take is refused at once", "[datagram]") {
  DatagramFixture at;
  const std::string longest(DatagramSocket::datagram_size_most + 1, 'x');
  CHECK(at.send(longest) == std::errc::message_size);
  CHECK(at.socket().queue({}, Address{}, nullptr) == std::errc::destination_address_required);
  Address six = local(5);
  six.family = Address::Family::ipv6;
  CHECK(at.socket().queue({}, six, nullptr) == std::errc::address_family_not_supported);
  at.lap();
  CHECK(at.take_all(Op::datagram_send).empty());
}

}  // namespace
}  // namespace ringwire::test
