// Opening a listener: on the real loopback, and against a kernel that fails at each step.
#include "lib/net/listener.hpp"

#include <ringwire/error.hpp>

#include "lib/kernel/linux.hpp"
#include "lib/net/unix.hpp"
#include "tests/net/fake_kernel.hpp"
#include "tests/support/catch.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <string>

namespace ringwire::net {
namespace {

using Catch::Matchers::StartsWith;
using ringwire::test::contains;
using test::endpoint_of;
using test::FakeKernel;

// A listener on the real kernel, closed at the end.
struct Listener {
  explicit Listener(const std::string& url) {
    error = open_listener(kernel, endpoint_of(url), {.backlog = 16}, fd, bound);
  }
  ~Listener() { close(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  void close() {
    if (fd >= 0) kernel.close(fd);
    fd = -1;
  }

  kernel::Linux kernel;
  int fd = -1;
  Address bound;
  std::error_code error;
};

// Connects over TCP and answers the result.
int try_connect(const char* host, std::uint16_t port) {
  kernel::Linux kernel;
  const std::string bracketed =
      std::string{host}.find(':') == std::string::npos ? host : "[" + std::string{host} + "]";
  std::vector<Address> addresses;
  REQUIRE_FALSE(resolve(kernel, endpoint_of("tcp://" + bracketed + ":" + std::to_string(port)), addresses));
  const kernel::SocketName name = to_name(addresses.front());
  const int fd = kernel.open_socket(name.storage.ss_family, SOCK_STREAM, 0);
  if (fd < 0) return fd;
  const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&name.storage), name.size);
  const int error = result == 0 ? 0 : -errno;
  kernel.close(fd);
  return error;
}

bool has_ipv6() {
  const Listener listener("tcp6://[::1]:0");
  return !listener.error;
}

TEST_CASE("a listener on port 0 answers the port it got, and can be connected to") {
  const Listener listener("tcp://127.0.0.1:0");
  REQUIRE_FALSE(listener.error);
  CHECK(listener.bound.host() == "127.0.0.1");
  CHECK(listener.bound.port != 0);
  CHECK(try_connect("127.0.0.1", listener.bound.port) == 0);
}

TEST_CASE("a tcp listener without host takes IPv4 and IPv6") {
  if (!has_ipv6()) return test::skip("this host has no IPv6");
  const Listener listener("tcp://:0");
  REQUIRE_FALSE(listener.error);
  CHECK(listener.bound.host() == "::");
  CHECK(try_connect("127.0.0.1", listener.bound.port) == 0);
  CHECK(try_connect("::1", listener.bound.port) == 0);
}

TEST_CASE("a tcp6 listener leaves IPv4 alone, and a tcp4 listener IPv6") {
  if (!has_ipv6()) return test::skip("this host has no IPv6");
  const Listener six("tcp6://:0");
  REQUIRE_FALSE(six.error);
  CHECK(try_connect("::1", six.bound.port) == 0);
  CHECK(try_connect("127.0.0.1", six.bound.port) == -ECONNREFUSED);
  const Listener four("tcp4://:0");
  REQUIRE_FALSE(four.error);
  CHECK(try_connect("127.0.0.1", four.bound.port) == 0);
  CHECK(try_connect("::1", four.bound.port) == -ECONNREFUSED);
}

TEST_CASE("a port that is taken is an error that names the address and the cure") {
  const Listener first("tcp://127.0.0.1:0");
  REQUIRE_FALSE(first.error);
  const std::string url = "tcp://" + first.bound.to_string();
  const Listener second(url);
  CHECK(second.error == std::errc::address_in_use);
  CHECK(second.fd == -1);
  CHECK_THAT(explain(second.error), StartsWith(url + ": Address already in use. ") && contains("ss -ltnp"));
}

TEST_CASE("closing a listener frees its port at once") {
  Listener first("tcp://127.0.0.1:0");
  REQUIRE_FALSE(first.error);
  CHECK(try_connect("127.0.0.1", first.bound.port) == 0);
  first.close();
  const Listener second("tcp://" + first.bound.to_string());
  CHECK_FALSE(second.error);
}

TEST_CASE("an address this host does not have is refused") {
  const Listener listener("tcp://192.0.2.1:0");  // Reserved for examples, RFC 5737.
  CHECK(listener.error == std::errc::address_not_available);
}

TEST_CASE("without host the listener asks for both IP versions on one socket") {
  FakeKernel kernel;
  kernel.name = to_name(Address{Address::Family::ipv6, 4711, 0, {}});
  int fd = -1;
  Address bound;
  REQUIRE_FALSE(open_listener(kernel, endpoint_of("tcp://:0"), {.backlog = 77}, fd, bound));
  CHECK(kernel.open.contains(fd));
  CHECK(bound.to_string() == "[::]:4711");
  CHECK(kernel.backlog == 77);
  CHECK(kernel.options == std::vector<FakeKernel::Option>{{fd, IPPROTO_IPV6, IPV6_V6ONLY, 0},
                                                          {fd, SOL_SOCKET, SO_REUSEADDR, 1}});
}

TEST_CASE("an IPv6 listener that was given a host or tcp6 takes IPv6 only") {
  const std::string url = GENERATE("tcp6://:0", "tcp://[::1]:0");
  FakeKernel kernel;
  kernel.name = to_name(Address{Address::Family::ipv6, 1, 0, {}});
  int fd = -1;
  Address bound;
  REQUIRE_FALSE(open_listener(kernel, endpoint_of(url), {.backlog = 1}, fd, bound));
  CHECK(kernel.options.front() == FakeKernel::Option{fd, IPPROTO_IPV6, IPV6_V6ONLY, 1});
}

TEST_CASE("without IPv6 a listener without host takes IPv4") {
  FakeKernel kernel;
  kernel.name = to_name(Address{Address::Family::ipv4, 4711, 0, {}});
  SECTION("when there are no IPv6 sockets") {
    kernel.family_faults[AF_INET6] = -EAFNOSUPPORT;
  }
  SECTION("when there is no IPv6 address") {
    kernel.bind_faults[AF_INET6] = -EADDRNOTAVAIL;
  }
  int fd = -1;
  Address bound;
  REQUIRE_FALSE(open_listener(kernel, endpoint_of("tcp://:4711"), {.backlog = 1}, fd, bound));
  CHECK(to_address(kernel.bound.back()).to_string() == "0.0.0.0:4711");
  CHECK(kernel.open == std::set<int>{fd});
}

TEST_CASE("a port that is taken on IPv6 is not silently opened on IPv4 alone") {
  FakeKernel kernel;
  kernel.bind_faults[AF_INET6] = -EADDRINUSE;
  int fd = -1;
  Address bound;
  CHECK(open_listener(kernel, endpoint_of("tcp://:4711"), {.backlog = 1}, fd, bound) ==
        std::errc::address_in_use);
  CHECK(kernel.open.empty());
}

TEST_CASE("a failure at any step closes the descriptor, touches nothing and names the address") {
  const std::string step = GENERATE("socket", "option", "bind", "listen", "local_name");
  FakeKernel kernel;
  kernel.faults[step] = -EACCES;
  int fd = -1;
  Address bound;
  const auto error = open_listener(kernel, endpoint_of("tcp://:80"), {.backlog = 1}, fd, bound);
  CAPTURE(step);
  CHECK(error == std::errc::permission_denied);
  CHECK_THAT(explain(error), StartsWith("tcp://:80: Permission denied. ") && contains("1024"));
  CHECK(kernel.open.empty());
  CHECK(fd == -1);
  CHECK(bound == Address{});
}

TEST_CASE("a unix listener is bound to its path with no option of TCP") {
  FakeKernel kernel;
  kernel.name = to_unix_name(to_unix_address("/run/x"));
  int fd = -1;
  Address bound;
  REQUIRE_FALSE(open_listener(kernel, endpoint_of("unix:///run/x"), {.backlog = 5}, fd, bound));
  CHECK(bound.path() == "/run/x");
  CHECK(kernel.options.empty());
  CHECK(kernel.backlog == 5);
  CHECK(kernel.files.contains("/run/x"));
  CHECK(kernel.open == std::set<int>{fd});
}

TEST_CASE("a unix listener takes the place of a socket that refuses, not of one that answers") {
  FakeKernel kernel;
  kernel.files["/run/x"] = {1, 7, true};
  int fd = -1;
  Address bound;
  CHECK(open_listener(kernel, endpoint_of("unix:///run/x"), {.backlog = 5}, fd, bound) ==
        std::errc::address_in_use);
  CHECK(kernel.files["/run/x"].inode == 7);
  CHECK(kernel.open.empty());

  kernel.faults["connect"] = -ECONNREFUSED;
  CHECK_FALSE(open_listener(kernel, endpoint_of("unix:///run/x"), {.backlog = 5}, fd, bound));
  CHECK(kernel.files["/run/x"].inode != 7);
  CHECK(kernel.open == std::set<int>{fd});
}

TEST_CASE("a file in the way of a unix listener stays, and is named as the reason") {
  FakeKernel kernel;
  kernel.files["/run/x"] = {1, 7, false};
  int fd = -1;
  Address bound;
  const auto error = open_listener(kernel, endpoint_of("unix:///run/x"), {.backlog = 5}, fd, bound);
  CHECK(error == std::errc::address_in_use);
  CHECK_THAT(explain(error), StartsWith("unix:///run/x: ") && contains("no socket"));
  CHECK(kernel.files["/run/x"].inode == 7);
  CHECK(kernel.open.empty());
}

TEST_CASE("a unix listener that fails after it was bound leaves no file and no descriptor") {
  const std::string step = GENERATE("listen", "local_name");
  const std::string url = GENERATE("unix:///run/x", "unix://@x");
  FakeKernel kernel;
  kernel.faults[step] = -ENOBUFS;
  int fd = -1;
  Address bound;
  CHECK(open_listener(kernel, endpoint_of(url), {.backlog = 5}, fd, bound) == std::errc::no_buffer_space);
  CHECK(kernel.files.empty());
  CHECK(kernel.open.empty());
  CHECK(bound == Address{});
}

TEST_CASE("a name that has no address cannot be listened on") {
  FakeKernel kernel;
  int fd = -1;
  Address bound;
  CHECK(open_listener(kernel, endpoint_of("tcp://nowhere:80"), {.backlog = 1}, fd, bound) ==
        Error::invalid_address);
}

}  // namespace
}  // namespace ringwire::net
