// An engine's listeners, on the real kernel: opened, handed out, duplicated, retired.
#include "lib/engine/listeners.hpp"

#include <ringwire/error.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/directory.hpp"
#include "tests/support/process.hpp"
#include "tests/support/real_kernel.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace ringwire::engine {
namespace {

using test::Client;
using test::Directory;

std::error_code open(Listeners& listeners, std::vector<std::string> addresses, const Options& options = {},
                     std::size_t takers = 1) {
  const std::vector<std::string_view> views{addresses.begin(), addresses.end()};
  return listeners.open(views, options, takers);
}

TEST_CASE("listeners are opened in the order given, and closed if nobody takes them") {
  const std::size_t before = test::open_descriptors();
  const Directory directory;
  {
    Listeners listeners{test::real_kernel()};
    REQUIRE_FALSE(open(listeners, {"tcp://127.0.0.1:0", "unix://" + directory / "x", "tcp4://127.0.0.1:0"}));
    REQUIRE(listeners.addresses().size() == 3);
    CHECK(listeners.addresses()[0].port != 0);
    CHECK(listeners.addresses()[1].path() == directory / "x");
    CHECK(std::filesystem::exists(directory / "x"));
    CHECK(test::open_descriptors() == before + 3);
  }
  CHECK(test::open_descriptors() == before);
  CHECK_FALSE(std::filesystem::exists(directory / "x"));
}

TEST_CASE("when one address fails the others are closed, and their files gone") {
  const std::size_t before = test::open_descriptors();
  const Directory directory;
  {
    Listeners listeners{test::real_kernel()};
    CHECK(open(listeners, {"unix://" + directory / "x", "tulip://howdy"}) == Error::unsupported_protocol);
  }
  CHECK(test::open_descriptors() == before);
  CHECK_FALSE(std::filesystem::exists(directory / "x"));
}

TEST_CASE("who takes them learns which are TCP") {
  Listeners listeners{test::real_kernel()};
  REQUIRE_FALSE(open(listeners, {"tcp://127.0.0.1:0", "unix://@ringwire-" + std::to_string(::getpid())}));
  const auto takers = listeners.hand_out();
  REQUIRE(takers.size() == 1);
  const auto& all = takers.front();
  REQUIRE(all.size() == 2);
  CHECK(all[0].is_tcp);
  CHECK_FALSE(all[1].is_tcp);
  for (const auto& each : all) ::close(each.fd);
}

TEST_CASE("a udp address has a socket for each loop, which are closed if nobody takes them") {
  const std::size_t before = test::open_descriptors();
  {
    Listeners listeners{test::real_kernel()};
    REQUIRE_FALSE(open(listeners, {"tcp4://127.0.0.1:0", "udp4://127.0.0.1:0"}, {}, 2));
    CHECK(test::open_descriptors() == before + 3);
    REQUIRE(listeners.datagram_sockets().size() == 1);
    CHECK(listeners.datagram_sockets()[0].index == 1);
    CHECK(listeners.datagram_sockets()[0].fds.size() == 2);
    CHECK(listeners.addresses()[1].port != 0);
  }
  CHECK(test::open_descriptors() == before);
}

TEST_CASE("udp sockets are none of those that accept, and are not duplicated") {
  Listeners listeners{test::real_kernel()};
  REQUIRE_FALSE(open(listeners, {"udp4://127.0.0.1:0", "tcp4://127.0.0.1:0"}));
  int fd = -1;
  CHECK(listeners.duplicate(0, fd) == std::errc::operation_not_supported);
  const auto all = listeners.hand_out();
  REQUIRE(all.size() == 1);
  CHECK(all[0].size() == 1);
  for (const auto& each : all[0]) ::close(each.fd);
  for (const int each : listeners.datagram_sockets()[0].fds) ::close(each);
}

TEST_CASE("a duplicate goes on listening when the listener is closed, and its file stays") {
  const Directory directory;
  int fd = -1;
  Address address;
  {
    Listeners listeners{test::real_kernel()};
    REQUIRE_FALSE(open(listeners, {"unix://" + directory / "x"}));
    address = listeners.addresses().front();
    REQUIRE_FALSE(listeners.duplicate(0, fd));
  }
  CHECK(Client{address}.ok());
  ::close(fd);
  CHECK(Client{address}.error() == ECONNREFUSED);
}

TEST_CASE("once retired a listener cannot be duplicated") {
  Listeners listeners{test::real_kernel()};
  REQUIRE_FALSE(open(listeners, {"tcp://127.0.0.1:0"}));
  listeners.retire();
  listeners.retire();
  int fd = -1;
  CHECK(listeners.duplicate(0, fd) == Error::engine_stopped);
  CHECK(fd == -1);
}

TEST_CASE("with reuse_port each taker has a TCP socket of his own on one port, and shares a unix socket") {
  const Directory directory;
  Options options;
  options.reuse_port = true;
  Listeners listeners{test::real_kernel()};
  REQUIRE_FALSE(open(listeners, {"tcp://127.0.0.1:0", "unix://" + directory / "x"}, options, 3));
  CHECK(listeners.addresses().size() == 2);
  const auto takers = listeners.hand_out();
  REQUIRE(takers.size() == 3);
  std::set<int> fds;
  for (const auto& all : takers) {
    REQUIRE(all.size() == 2);
    CHECK(all[0].is_tcp);
    CHECK_FALSE(all[1].is_tcp);
    for (const auto& each : all) fds.insert(each.fd);
    sockaddr_in name{};
    socklen_t size = sizeof name;
    CHECK(::getsockname(all[0].fd, static_cast<sockaddr*>(static_cast<void*>(&name)), &size) == 0);
    CHECK(ntohs(name.sin_port) == listeners.addresses()[0].port);
  }
  CHECK(fds.size() == 6);
  for (const int fd : fds) ::close(fd);
}

TEST_CASE("without reuse_port there is one taker, however many loops there are") {
  Listeners listeners{test::real_kernel()};
  REQUIRE_FALSE(open(listeners, {"tcp://127.0.0.1:0"}, {}, 3));
  const auto takers = listeners.hand_out();
  REQUIRE(takers.size() == 1);
  ::close(takers[0][0].fd);
}

TEST_CASE("an inherited listener is taken over, and its unix file is left to whoever bound it") {
  const Directory directory;
  const std::size_t before = test::open_descriptors();
  int fd = -1;
  {
    Listeners first{test::real_kernel()};
    REQUIRE_FALSE(open(first, {"unix://" + directory / "x"}));
    REQUIRE_FALSE(first.duplicate(0, fd));
  }
  {
    Listeners second{test::real_kernel()};
    REQUIRE_FALSE(open(second, {"fd://" + std::to_string(fd)}));
    REQUIRE(second.addresses().size() == 1);
    CHECK(second.addresses()[0].path() == directory / "x");
    CHECK(Client{second.addresses()[0]}.ok());
  }
  CHECK(test::open_descriptors() == before);
  CHECK(std::filesystem::exists(directory / "x"));
}

TEST_CASE("a descriptor that cannot be taken over fails the start, and stays open") {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Listeners listeners{test::real_kernel()};
  CHECK(open(listeners, {"fd://" + std::to_string(fd)}) == std::errc::invalid_argument);
  CHECK(::close(fd) == 0);
}

TEST_CASE("a file that was replaced by another server's is left to it") {
  const Directory directory;
  Listeners first{test::real_kernel()};
  REQUIRE_FALSE(open(first, {"unix://" + directory / "x"}));
  std::filesystem::remove(directory / "x");
  Listeners second{test::real_kernel()};
  REQUIRE_FALSE(open(second, {"unix://" + directory / "x"}));
  first.retire();
  CHECK(std::filesystem::exists(directory / "x"));
}

}  // namespace
}  // namespace ringwire::engine
