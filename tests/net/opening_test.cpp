// The steps that listeners and datagram sockets share, against a kernel that fails at each.
#include "lib/net/opening.hpp"

#include <ringwire/error.hpp>

#include "tests/net/fake_kernel.hpp"
#include "tests/support/catch.hpp"

#include <netinet/in.h>

#include <set>
#include <string>

namespace ringwire::net {
namespace {

using Catch::Matchers::StartsWith;
using test::endpoint_of;
using test::FakeKernel;

Address any(Address::Family family) {
  Address address;
  address.family = family;
  return address;
}

TEST_CASE("only an endpoint without host and without version is for both IP versions") {
  CHECK(is_dual_stack(endpoint_of("tcp://:1")));
  CHECK(is_dual_stack(endpoint_of("udp://:1")));
  for (const char* url : {"tcp6://:1", "udp4://:1", "tcp://[::]:1", "udp://localhost:1"}) {
    CHECK_FALSE(is_dual_stack(endpoint_of(url)));
  }
}

TEST_CASE("an IPv6 socket says whom it takes, an IPv4 socket has nothing to say") {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    FakeKernel kernel;
    const int six = open_ip_socket(kernel, any(Address::Family::ipv6), type, false);
    const int both = open_ip_socket(kernel, any(Address::Family::ipv6), type, true);
    const int four = open_ip_socket(kernel, any(Address::Family::ipv4), type, true);
    CHECK(kernel.options == std::vector<FakeKernel::Option>{{six, IPPROTO_IPV6, IPV6_V6ONLY, 1},
                                                            {both, IPPROTO_IPV6, IPV6_V6ONLY, 0}});
    CHECK(kernel.open == std::set<int>{six, both, four});
  }
}

TEST_CASE("a step that fails closes the socket again and is the answer") {
  FakeKernel kernel;
  const int fd = open_ip_socket(kernel, any(Address::Family::ipv4), SOCK_STREAM, false);
  CHECK(opened(kernel, fd, 0) == fd);
  CHECK(kernel.open == std::set<int>{fd});
  CHECK(opened(kernel, fd, -EACCES) == -EACCES);
  CHECK(kernel.open.empty());
  kernel.faults["option"] = -ENOMEM;
  CHECK(open_ip_socket(kernel, any(Address::Family::ipv6), SOCK_DGRAM, false) == -ENOMEM);
  CHECK(kernel.open.empty());
  kernel.faults["socket"] = -EMFILE;
  CHECK(open_ip_socket(kernel, any(Address::Family::ipv6), SOCK_DGRAM, false) == -EMFILE);
}

TEST_CASE("an address the host lacks lets another be tried, one that is taken does not") {
  CHECK(is_absent(-EAFNOSUPPORT));
  CHECK(is_absent(-EADDRNOTAVAIL));
  CHECK_FALSE(is_absent(-EADDRINUSE));
  CHECK_FALSE(is_absent(3));
}

TEST_CASE("a failure names the endpoint, the reason, and what was found") {
  const auto error = failed(endpoint_of("tcp://:80"), -EACCES, "; what a pity");
  CHECK(error == std::errc::permission_denied);
  CHECK_THAT(explain(error), StartsWith("tcp://:80: Permission denied; what a pity"));
}

}  // namespace
}  // namespace ringwire::net
