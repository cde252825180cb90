// Opening datagram sockets: on the real loopback, and against a kernel that fails at each step.
#include "lib/net/datagrams.hpp"

#include <ringwire/error.hpp>

#include "lib/kernel/linux.hpp"
#include "tests/net/fake_kernel.hpp"
#include "tests/support/catch.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <set>
#include <string>

namespace ringwire::net {
namespace {

using ringwire::test::contains;
using test::endpoint_of;
using test::FakeKernel;

// Sockets on the real kernel, closed at the end.
struct Sockets {
  Sockets(const std::string& url, std::size_t count) {
    error = open_datagram_sockets(kernel, endpoint_of(url), {}, count, fds, bound);
  }
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;
  ~Sockets() {
    for (const int fd : fds) kernel.close(fd);
  }

  kernel::Linux kernel;
  std::vector<int> fds;
  Address bound;
  std::error_code error;
};

kernel::SocketName fake_name(std::uint16_t port) {
  Address address;
  address.family = Address::Family::ipv4;
  address.port = port;
  return to_name(address);
}

TEST_CASE("a socket is connected to its peer, from a port of its own") {
  const Sockets peer{"udp4://127.0.0.1:0", 1};
  REQUIRE_FALSE(peer.error);
  kernel::Linux kernel;
  Address local;
  const int fd = connect_datagram_socket(kernel, peer.bound, {}, local);
  REQUIRE(fd >= 0);
  CHECK(local.port != 0);
  CHECK(local.ip == peer.bound.ip);
  kernel::SocketName name;
  CHECK(kernel.peer_name(fd, name) == 0);
  CHECK(to_address(name) == peer.bound);
  kernel.close(fd);
}

TEST_CASE("whatever fails, no connected socket stays open") {
  for (const char* step : {"socket", "option", "connect", "local_name"}) {
    FakeKernel kernel;
    kernel.faults[step] = -ENOBUFS;
    Options options;
    options.socket_recv_buffer_size = 4096;
    Address local;
    CHECK(connect_datagram_socket(kernel, to_address(fake_name(5)), options, local) == -ENOBUFS);
    CHECK(kernel.open.empty());
  }
}

TEST_CASE("a real socket may cut and join datagrams, and no socket may not") {
  const Sockets at{"udp4://127.0.0.1:0", 1};
  REQUIRE_FALSE(at.error);
  kernel::Linux kernel;
  CHECK(may_segment(kernel, at.fds[0]));
  CHECK(join_received(kernel, at.fds[0]));
  CHECK_FALSE(may_segment(kernel, -1));
  CHECK_FALSE(join_received(kernel, -1));
}

TEST_CASE("each loop gets a socket, all on the port the kernel chose") {
  const Sockets opened{"udp4://127.0.0.1:0", 3};
  REQUIRE_FALSE(opened.error);
  CHECK(opened.fds.size() == 3);
  CHECK(opened.bound.port != 0);
  kernel::Linux kernel;
  for (const int fd : opened.fds) {
    kernel::SocketName name;
    REQUIRE(kernel.local_name(fd, name) == 0);
    CHECK(to_address(name) == opened.bound);
  }
}

TEST_CASE("an address that is taken is in use, also by sockets that share theirs") {
  for (const std::size_t count : {1U, 2U}) {
    const Sockets first{"udp4://127.0.0.1:0", count};
    REQUIRE_FALSE(first.error);
    for (const std::size_t more : {1U, 2U}) {
      const Sockets second{"udp4://" + first.bound.to_string(), more};
      CHECK(second.error == std::errc::address_in_use);
      CHECK_THAT(explain(second.error), contains(first.bound.to_string()));
      CHECK(second.fds.empty());
    }
  }
}

TEST_CASE("one socket does not share its port") {
  FakeKernel kernel;
  kernel.name = fake_name(5);
  std::vector<int> fds;
  Address bound;
  REQUIRE_FALSE(open_datagram_sockets(kernel, endpoint_of("udp4://:5"), {}, 1, fds, bound));
  CHECK(kernel.options.empty());
  CHECK(bound.port == 5);
}

TEST_CASE("the first is bound before it shares, the others share before they are bound") {
  FakeKernel kernel;
  kernel.name = fake_name(777);
  std::vector<int> fds;
  Address bound;
  REQUIRE_FALSE(open_datagram_sockets(kernel, endpoint_of("udp4://:0"), {}, 2, fds, bound));
  REQUIRE(kernel.bound.size() == 2);
  CHECK(to_address(kernel.bound[0]).port == 0);
  CHECK(to_address(kernel.bound[1]).port == 777);
  const std::vector<FakeKernel::Option> shared{{fds[0], SOL_SOCKET, SO_REUSEPORT, 1},
                                               {fds[1], SOL_SOCKET, SO_REUSEPORT, 1}};
  CHECK(kernel.options == shared);
}

TEST_CASE("without a host one socket takes both IP versions, every other IPv6 socket only its own") {
  for (const auto& [url, only] : {std::pair{"udp://:1", 0}, {"udp6://:1", 1}, {"udp://[::1]:1", 1}}) {
    FakeKernel kernel;
    kernel.name = fake_name(1);
    std::vector<int> fds;
    Address bound;
    REQUIRE_FALSE(open_datagram_sockets(kernel, endpoint_of(url), {}, 1, fds, bound));
    const std::vector<FakeKernel::Option> wanted{{fds[0], IPPROTO_IPV6, IPV6_V6ONLY, only}};
    CHECK(kernel.options == wanted);
  }
}

TEST_CASE("a host without IPv6 is served over IPv4") {
  FakeKernel kernel;
  kernel.name = fake_name(1);
  kernel.family_faults[AF_INET6] = -EAFNOSUPPORT;
  std::vector<int> fds;
  Address bound;
  REQUIRE_FALSE(open_datagram_sockets(kernel, endpoint_of("udp://:1"), {}, 2, fds, bound));
  CHECK(fds.size() == 2);
  CHECK(to_address(kernel.bound.front()).family == Address::Family::ipv4);
}

TEST_CASE("when a step fails nothing is left open, and what was there before stays") {
  for (const auto& [call, result] :
       {std::pair{"socket", -EMFILE}, {"option", -ENOMEM}, {"bind", -EACCES}, {"local_name", -ENOBUFS}}) {
    FakeKernel kernel;
    kernel.name = fake_name(1);
    kernel.faults[call] = result;
    std::vector<int> fds{77};
    Address bound;
    const auto error = open_datagram_sockets(kernel, endpoint_of("udp4://:1"), {}, 2, fds, bound);
    CAPTURE(call);
    CHECK(error == std::error_code{-result, std::system_category()});
    CHECK(kernel.open.empty());
    CHECK(fds == std::vector<int>{77});
    CHECK(bound == Address{});
  }
}

TEST_CASE("an IPv4 peer of an IPv6 socket is written as IPv6 has it") {
  Address four;
  four.family = Address::Family::ipv4;
  four.port = 80;
  four.ip = {10, 1, 2, 3};
  const Address mapped = to_address(name_for(Address::Family::ipv6, four));
  CHECK(mapped.to_string() == "[::ffff:10.1.2.3]:80");
  CHECK(to_address(name_for(Address::Family::ipv4, four)) == four);
  CHECK(to_address(name_for(Address::Family::ipv6, mapped)) == mapped);
}

TEST_CASE("an IPv4 socket has no name for an IPv6 peer, and nobody has one for no address") {
  Address six;
  six.family = Address::Family::ipv6;
  CHECK(name_for(Address::Family::ipv4, six).size == 0);
  CHECK(name_for(Address::Family::ipv4, Address{}).size == 0);
  CHECK(name_for(Address::Family::ipv6, Address{}).size == 0);
  Address unix_socket;
  unix_socket.family = Address::Family::unix_socket;
  CHECK(name_for(Address::Family::ipv6, unix_socket).size == 0);
}

}  // namespace
}  // namespace ringwire::net
