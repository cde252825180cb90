// What a user may write as an address, what not, and what becomes of it.
#include "lib/net/address.hpp"

#include <ringwire/error.hpp>

#include "tests/net/fake_kernel.hpp"
#include "tests/support/catch.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ringwire::net {
namespace {

using Catch::Matchers::StartsWith;
using ringwire::test::contains;
using Family = Endpoint::Family;
using test::FakeKernel;

Endpoint parsed(const std::string& url) {
  Endpoint endpoint;
  const auto error = parse_endpoint(url, endpoint);
  CAPTURE(url, explain(error));
  REQUIRE_FALSE(error);
  return endpoint;
}

Address numeric(const std::string& url) {
  FakeKernel kernel;
  std::vector<Address> addresses;
  REQUIRE_FALSE(resolve(kernel, parsed(url), addresses));
  REQUIRE(addresses.size() == 1);
  CHECK(kernel.resolved.empty());
  return addresses.front();
}

TEST_CASE("a number has digits only, all of them, and is not too large") {
  CHECK(parse_number("0", 9) == 0U);
  CHECK(parse_number("4294967295", UINT32_MAX) == UINT32_MAX);
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "0x1", "10", "4294967296"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_number(text, 9));
  }
}

TEST_CASE("protocol, host and port are read") {
  const Endpoint endpoint = parsed("tcp://localhost:9000");
  CHECK(endpoint.family == Family::any);
  CHECK(endpoint.host == "localhost");
  CHECK(endpoint.port == 9000);
  CHECK(endpoint.text == "tcp://localhost:9000");
}

TEST_CASE("the protocol chooses the IP version") {
  CHECK(parsed("tcp://:1").family == Family::any);
  CHECK(parsed("tcp4://:1").family == Family::ipv4);
  CHECK(parsed("tcp6://:1").family == Family::ipv6);
  CHECK(parsed("udp://:1").family == Family::any);
  CHECK(parsed("udp4://:1").family == Family::ipv4);
  CHECK(parsed("udp6://:1").family == Family::ipv6);
}

TEST_CASE("the protocol says whether there are connections") {
  for (const std::string url : {"tcp://:1", "tcp4://:1", "tcp6://:1"}) {
    CHECK(parsed(url).transport == Endpoint::Transport::stream);
  }
  for (const std::string url : {"udp://:1", "udp4://:1", "udp6://:1"}) {
    CHECK(parsed(url).transport == Endpoint::Transport::datagram);
  }
}

TEST_CASE("a unix socket is a path or an abstract name, and has no port") {
  const Endpoint endpoint = parsed("unix:///run/x.sock");
  CHECK(endpoint.family == Family::unix_socket);
  CHECK(endpoint.host == "/run/x.sock");
  CHECK(endpoint.port == 0);
  CHECK(endpoint.text == "unix:///run/x.sock");
  CHECK(parsed("unix://x.sock").host == "x.sock");
  CHECK(parsed("unix://x:80").host == "x:80");
  CHECK(numeric("unix:///run/x.sock").to_string() == "unix:/run/x.sock");
  CHECK(numeric("unix://@x").to_string() == "unix:@x");
  CHECK(to_address(to_name(numeric("unix://@x"))) == numeric("unix://@x"));
}

TEST_CASE("a unix socket without a name, with too long a one or with a NUL in it is refused with its fault") {
  Endpoint endpoint;
  for (const std::string& url : {std::string{"unix://"}, std::string{"unix://@"},
                                 "unix://" + std::string(108, 'a'), std::string{"unix:///a\0b", 11}}) {
    const auto error = parse_endpoint(url, endpoint);
    CHECK(error == Error::invalid_address);
    CHECK_THAT(explain(error), StartsWith(url + ": ") && contains("unix:///run/server.sock"));
  }
  CHECK(endpoint.text.empty());
}

TEST_CASE("the host may be left out, and the port may be 0 or 65535") {
  CHECK(parsed("tcp://:0").host.empty());
  CHECK(parsed("tcp://:0").port == 0);
  CHECK(parsed("tcp://:65535").port == 65535);
}

TEST_CASE("brackets around an IPv6 host are taken off") {
  CHECK(parsed("tcp://[::1]:80").host == "::1");
  CHECK(parsed("tcp6://[fe80::1%2]:80").host == "fe80::1%2");
  CHECK(parsed("tcp://[fe80::1%eth0]:80").host == "fe80::1%eth0");
}

TEST_CASE("a protocol that is not served is named in the message") {
  for (const std::string url :
       {"tulip://howdy", "unixgram:///tmp/socket", "udp5://:9000", "TCP://:9000", "tcp5://:1", "://:9000"}) {
    Endpoint endpoint;
    const auto error = parse_endpoint(url, endpoint);
    CAPTURE(url);
    CHECK(error == Error::unsupported_protocol);
    CHECK_THAT(explain(error), StartsWith(url + ": unsupported protocol \""));
  }
}

TEST_CASE("an address that is none is refused with its fault") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "the protocol is missing"},
      {"howdy", "the protocol is missing"},
      {"localhost:9000", "the protocol is missing"},
      {"tcp://", "host and port are missing"},
      {"tcp://localhost:8080/foo", "a path has no meaning"},
      {"tcp:///tmp", "a path has no meaning"},
      {"tcp://localhost", "the port is missing"},
      {"tcp://localhost:", "the port is missing"},
      {"tcp://:", "the port is missing"},
      {"tcp://[::1]", "the port is missing"},
      {"tcp://[::1]:", "the port is missing"},
      {"tcp://:65536", "not a number from 0 to 65535"},
      {"tcp://:4294967297", "not a number from 0 to 65535"},
      {"tcp://:99999999999999999999", "not a number from 0 to 65535"},
      {"tcp://:-1", "not a number from 0 to 65535"},
      {"tcp://:+80", "not a number from 0 to 65535"},
      {"tcp://: 80", "not a number from 0 to 65535"},
      {"tcp://:80x", "not a number from 0 to 65535"},
      {"tcp://:http", "not a number from 0 to 65535"},
      {"tcp://[::1:80", "the closing bracket is missing"},
      {"tcp://[::1]80", "only a port may follow"},
      {"tcp://[127.0.0.1]:80", "only an IPv6 address stands in brackets"},
      {"tcp://[localhost]:80", "only an IPv6 address stands in brackets"},
      {"tcp://[]:80", "only an IPv6 address stands in brackets"},
      {"tcp://[fe80::1%]:80", "the zone after % is missing"},
      {"tcp://[fe80::1%" + std::string(300, 'a') + "]:80", "the host is too long"},
      {"tcp://[fe80::1%a[b]:80", "the zone after % has a character no zone has"},
      {"tcp://[fe80::1%a b]:80", "the zone after % has a character no zone has"},
      {"tcp://::1:80", "must stand in brackets"},
      {"tcp4://[::1]:80", "does not fit tcp4"},
      {"tcp6://127.0.0.1:80", "does not fit tcp6"},
      {"tcp://lo cal:80", "a character no host has"},
      {"tcp://me@host:80", "a character no host has"},
      {"tcp://host?:80", "a character no host has"},
      {std::string{"tcp://127.0.0.1\0x:80", 20}, "a character no host has"},
      {std::string{"tcp://[::1\0x]:80", 16}, "only an IPv6 address stands in brackets"},
      {"tcp://" + std::string(254, 'a') + ":80", "the host is too long"},
  };
  for (const auto& [url, fault] : cases) {
    Endpoint endpoint{Family::any, Endpoint::Transport::stream, "before", 1, "before"};
    const auto error = parse_endpoint(url, endpoint);
    CAPTURE(url);
    CHECK(error == Error::invalid_address);
    CHECK_THAT(explain(error), StartsWith(url + ": ") && contains(fault) && contains("tcp://:9000"));
    CHECK(endpoint.host == "before");
  }
}

TEST_CASE("a numeric host is read without asking the kernel") {
  CHECK(numeric("tcp://127.0.0.1:9000").to_string() == "127.0.0.1:9000");
  CHECK(numeric("tcp4://10.0.0.255:1").to_string() == "10.0.0.255:1");
  CHECK(numeric("tcp://[2001:db8::5]:80").to_string() == "[2001:db8::5]:80");
  CHECK(numeric("tcp6://[fe80::1%2]:80").zone == 2);
}

TEST_CASE("no host is every address: IPv6 first, and only what the protocol allows") {
  FakeKernel kernel;
  const auto texts = [&kernel](const char* url) {
    std::vector<Address> addresses;
    REQUIRE_FALSE(resolve(kernel, parsed(url), addresses));
    std::vector<std::string> out;
    for (const Address& address : addresses) out.push_back(address.to_string());
    return out;
  };
  CHECK(texts("tcp://:5") == std::vector<std::string>{"[::]:5", "0.0.0.0:5"});
  CHECK(texts("tcp4://:5") == std::vector<std::string>{"0.0.0.0:5"});
  CHECK(texts("tcp6://:5") == std::vector<std::string>{"[::]:5"});
}

TEST_CASE("a name is resolved for the protocol's IP version, and gets the port") {
  FakeKernel kernel;
  kernel.names = {to_name(numeric("tcp://[::1]:0")), to_name(numeric("tcp://127.0.0.1:0"))};
  std::vector<Address> addresses;
  REQUIRE_FALSE(resolve(kernel, parsed("tcp://localhost:77"), addresses));
  REQUIRE_FALSE(resolve(kernel, parsed("tcp4://localhost:77"), addresses));
  REQUIRE_FALSE(resolve(kernel, parsed("tcp6://localhost:77"), addresses));
  REQUIRE(kernel.resolved.size() == 3);
  CHECK(kernel.resolved[0] == std::pair<std::string, int>{"localhost", AF_UNSPEC});
  CHECK(kernel.resolved[1].second == AF_INET);
  CHECK(kernel.resolved[2].second == AF_INET6);
  REQUIRE(addresses.size() == 6);
  CHECK(addresses[0].to_string() == "127.0.0.1:77");
  CHECK(addresses[1].to_string() == "[::1]:77");
}

TEST_CASE("a zone given by name is the resolver's matter") {
  FakeKernel kernel;
  kernel.names = {to_name(numeric("tcp://[fe80::1%3]:0"))};
  std::vector<Address> addresses;
  REQUIRE_FALSE(resolve(kernel, parsed("tcp://[fe80::1%eth0]:80"), addresses));
  CHECK(kernel.resolved.front().first == "fe80::1%eth0");
  CHECK(addresses.front().to_string() == "[fe80::1%3]:80");
}

TEST_CASE("a name that has no address is an invalid address, and the message names it") {
  FakeKernel kernel;
  kernel.faults["resolve"] = GENERATE(-ENOENT, 0);
  std::vector<Address> addresses;
  const auto error = resolve(kernel, parsed("tcp://no.such.host:80"), addresses);
  CHECK(error == Error::invalid_address);
  CHECK_THAT(explain(error), StartsWith("tcp://no.such.host:80: the name \"no.such.host\" has no address. "));
}

TEST_CASE("a resolver that fails says why") {
  FakeKernel kernel;
  kernel.faults["resolve"] = -EMFILE;
  std::vector<Address> addresses;
  const auto error = resolve(kernel, parsed("tcp://host:80"), addresses);
  CHECK(error == std::errc::too_many_files_open);
  CHECK_THAT(explain(error), StartsWith("tcp://host:80: ") && contains("ulimit -n"));
}

TEST_CASE("an address survives the way to the kernel and back") {
  for (const char* url : {"tcp://1.2.3.4:65535", "tcp://[2001:db8::1]:1", "tcp://[fe80::1%7]:80"}) {
    const Address address = numeric(url);
    CHECK(to_address(to_name(address)) == address);
  }
}

TEST_CASE("a kernel name that is no IP address, or is cut short, is no address") {
  kernel::SocketName name;
  CHECK(to_address(name) == Address{});
  name.storage.ss_family = AF_PACKET;
  name.size = sizeof(sockaddr_storage);
  CHECK(to_address(name) == Address{});
  name = to_name(numeric("tcp://1.2.3.4:5"));
  name.size = 4;
  CHECK(to_address(name) == Address{});
}

}  // namespace
}  // namespace ringwire::net
