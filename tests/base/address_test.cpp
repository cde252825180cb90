// Addresses as text: one spelling for each.
#include <ringwire/address.hpp>

#include "tests/support/catch.hpp"

#include <arpa/inet.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>

namespace ringwire {
namespace {

Address ipv6(const std::string& text, std::uint16_t port = 0) {
  Address address;
  address.family = Address::Family::ipv6;
  address.port = port;
  REQUIRE(inet_pton(AF_INET6, text.c_str(), address.ip.data()) == 1);
  return address;
}

Address ipv4(std::array<std::uint8_t, 4> ip, std::uint16_t port = 0) {
  Address address;
  address.family = Address::Family::ipv4;
  address.port = port;
  std::copy(ip.begin(), ip.end(), address.ip.begin());
  return address;
}

TEST_CASE("no address is no text") {
  CHECK(Address{}.host().empty());
  CHECK(Address{}.to_string().empty());
}

TEST_CASE("an IPv4 address is four numbers and a port") {
  CHECK(ipv4({127, 0, 0, 1}).host() == "127.0.0.1");
  CHECK(ipv4({255, 254, 0, 9}, 65535).to_string() == "255.254.0.9:65535");
}

TEST_CASE("an IPv6 address stands in brackets before its port") {
  CHECK(ipv6("::1").host() == "::1");
  CHECK(ipv6("::1", 9000).to_string() == "[::1]:9000");
}

TEST_CASE("a zone follows a percent sign, inside the brackets") {
  Address address = ipv6("fe80::1", 80);
  address.zone = 2;
  CHECK(address.host() == "fe80::1%2");
  CHECK(address.to_string() == "[fe80::1%2]:80");
}

TEST_CASE("the longest run of zero groups is cut out, the first of equals, and never a single one") {
  for (const char* text :
       {"::", "1::", "::1", "1::8", "2001:db8::1:0:0:1", "2001:0:0:1::1", "1:2:3:4:5:6:7:8",
        "0:2:3:4:5:6:7:8", "1:0:3:4:5:6:7:0", "1:0:0:4:5:0:0:8", "::3:4:5:6:7:8", "1:2:3:4:5:6::"}) {
    const std::string expected = std::string{text} == "1:0:0:4:5:0:0:8" ? "1::4:5:0:0:8" : text;
    CHECK(ipv6(text).host() == expected);
  }
}

TEST_CASE("a mapped IPv4 address shows its four numbers") {
  CHECK(ipv6("::ffff:10.1.2.3", 7).to_string() == "[::ffff:10.1.2.3]:7");
}

TEST_CASE("a thousand random IPv6 addresses are written as the C library writes them") {
  std::mt19937 random(1);  // NOLINT: the same addresses each time.
  for (int count = 0; count < 1000; ++count) {
    Address address;
    address.family = Address::Family::ipv6;
    for (auto& byte : address.ip) byte = random() % 3 != 0 ? 0 : static_cast<std::uint8_t>(random());
    address.ip[1] = 1;  // The C library has a spelling of its own for ::a.b.c.d, which RFC 5952 does not.
    std::array<char, INET6_ADDRSTRLEN> expected{};
    REQUIRE(inet_ntop(AF_INET6, address.ip.data(), expected.data(), expected.size()) != nullptr);
    REQUIRE(address.host() == expected.data());
  }
}

TEST_CASE("addresses are equal when family, address, zone and port are") {
  CHECK(ipv4({1, 2, 3, 4}, 5) == ipv4({1, 2, 3, 4}, 5));
  CHECK(ipv4({1, 2, 3, 4}, 5) != ipv4({1, 2, 3, 4}, 6));
  CHECK(ipv4({1, 2, 3, 4}, 5) != ipv4({1, 2, 3, 5}, 5));
  Address zoned = ipv6("fe80::1");
  zoned.zone = 1;
  CHECK(zoned != ipv6("fe80::1"));
}

Address unix_socket(std::string_view name) {
  Address address;
  address.family = Address::Family::unix_socket;
  address.unix_size = static_cast<std::uint8_t>(name.size());
  name.copy(address.unix_bytes.data(), name.size());
  return address;
}

TEST_CASE("a unix socket shows its path, an abstract one its name behind @, an unnamed one nothing") {
  CHECK(unix_socket("/run/x.sock").to_string() == "unix:/run/x.sock");
  CHECK(unix_socket("/run/x.sock").host() == "/run/x.sock");
  CHECK(unix_socket("/run/x.sock").path() == "/run/x.sock");
  CHECK(unix_socket({"\0x", 2}).to_string() == "unix:@x");
  CHECK(unix_socket({"\0x", 2}).path().empty());
  CHECK(unix_socket("").to_string() == "unix:");
  CHECK(unix_socket("").path().empty());
  CHECK(unix_socket(std::string(108, 'x')).path() == std::string(108, 'x'));
}

TEST_CASE("unix sockets are equal when their names are") {
  CHECK(unix_socket("/a") == unix_socket("/a"));
  CHECK(unix_socket("/a") != unix_socket("/b"));
  CHECK(unix_socket("/a") != unix_socket("/a/b"));
  CHECK(unix_socket("") != Address{});
  CHECK(unix_socket({"\0x", 2}) != unix_socket("x"));
}

}  // namespace
}  // namespace ringwire
