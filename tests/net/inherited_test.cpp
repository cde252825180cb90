// Sockets that were left to this process: which, and what must be true of them.
#include "lib/net/inherited.hpp"

#include <ringwire/error.hpp>

#include "lib/kernel/linux.hpp"
#include "lib/net/address.hpp"
#include "lib/net/listener.hpp"
#include "tests/net/fake_kernel.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

namespace ringwire::net {
namespace {

using Catch::Matchers::StartsWith;
using ringwire::test::contains;
using test::FakeKernel;

std::vector<int> found(FakeKernel& kernel, std::string_view url) {
  std::vector<int> descriptors;
  const auto error = find_inherited(kernel, url, descriptors);
  CAPTURE(url, explain(error));
  CHECK_FALSE(error);
  return descriptors;
}

void expect_fault(FakeKernel& kernel, const std::string& url, const std::string& fault) {
  std::vector<int> descriptors;
  const auto error = find_inherited(kernel, url, descriptors);
  CHECK(error == Error::invalid_address);
  CHECK_THAT(explain(error), StartsWith(url + ": ") && contains(fault));
  CHECK(descriptors.empty());
}

void leave(FakeKernel& kernel, const std::string& count, const std::string& names) {
  kernel.pid = 42;
  kernel.variables = {{"LISTEN_PID", "42"}, {"LISTEN_FDS", count}, {"LISTEN_FDNAMES", names}};
}

TEST_CASE("only fd and systemd name inherited sockets") {
  CHECK(is_inherited("fd://3"));
  CHECK(is_inherited("systemd://"));
  CHECK(is_inherited("systemd://web"));
  CHECK_FALSE(is_inherited("tcp://:80"));
  CHECK_FALSE(is_inherited("fd:3"));
  CHECK_FALSE(is_inherited("unix://fd://3"));
}

TEST_CASE("a descriptor is named by its number") {
  FakeKernel kernel;
  CHECK(found(kernel, "fd://3") == std::vector<int>{3});
  CHECK(found(kernel, "fd://1048576") == std::vector<int>{1048576});
  for (const char* url : {"fd://", "fd://x", "fd://-1", "fd://3x", "fd://99999999999"}) {
    expect_fault(kernel, url, "a number");
  }
}

TEST_CASE("systemd leaves sockets from 3 on, all of them or those of one name") {
  FakeKernel kernel;
  leave(kernel, "3", "web:admin:web");
  CHECK(found(kernel, "systemd://") == std::vector<int>{3, 4, 5});
  CHECK(found(kernel, "systemd://web") == std::vector<int>{3, 5});
  CHECK(found(kernel, "systemd://admin") == std::vector<int>{4});
  expect_fault(kernel, "systemd://none", "none of them has that name");
}

TEST_CASE("sockets without names can be had all together only") {
  FakeKernel kernel;
  leave(kernel, "2", "");
  CHECK(found(kernel, "systemd://") == std::vector<int>{3, 4});
  expect_fault(kernel, "systemd://web", "none of them has that name");
}

TEST_CASE("what was left to nobody, to another process or in no number is refused with its fault") {
  FakeKernel kernel;
  kernel.pid = 42;
  expect_fault(kernel, "systemd://", "not set");
  leave(kernel, "1", "");
  kernel.pid = 43;
  expect_fault(kernel, "systemd://", "another process");
  for (const char* count : {"0", "x", "-1", "2147483647"}) {
    leave(kernel, count, "");
    expect_fault(kernel, "systemd://", "no number of sockets");
  }
}

// A listener on the real kernel, given away.
int listening(const std::string& url) {
  kernel::Linux kernel;
  Endpoint endpoint;
  REQUIRE_FALSE(parse_endpoint(url, endpoint));
  int fd = -1;
  Address bound;
  REQUIRE_FALSE(open_listener(kernel, endpoint, {.backlog = 4}, fd, bound));
  return fd;
}

TEST_CASE("an adopted socket has another number, is close-on-exec, and the old number is free") {
  kernel::Linux kernel;
  const int given = listening("tcp://127.0.0.1:0");
  ::fcntl(given, F_SETFD, 0);
  int fd = -1;
  Address bound;
  REQUIRE_FALSE(adopt_listener(kernel, "fd://x", given, fd, bound));
  CHECK(fd != given);
  CHECK(bound.host() == "127.0.0.1");
  CHECK(bound.port != 0);
  CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(::fcntl(given, F_GETFD) == -1);
  ::close(fd);
}

TEST_CASE("what is no listening stream socket is not adopted, and stays open") {
  kernel::Linux kernel;
  int given = -1;
  std::errc expected = std::errc::invalid_argument;
  SECTION("a socket that does not listen") {
    given = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  }
  SECTION("a datagram socket") {
    given = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  }
  SECTION("no socket at all") {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    ::close(ends[1]);
    given = ends[0];
    expected = std::errc::not_a_socket;
  }
  int fd = -1;
  Address bound;
  const auto error = adopt_listener(kernel, "fd://x", given, fd, bound);
  CHECK(error == expected);
  CHECK_THAT(explain(error), StartsWith("fd://x: descriptor " + std::to_string(given) + ": "));
  CHECK(fd == -1);
  CHECK(::close(given) == 0);
}

TEST_CASE("a number at which nothing is open is said so") {
  kernel::Linux kernel;
  int fd = -1;
  Address bound;
  const auto error = adopt_listener(kernel, "fd://999", 999, fd, bound);
  CHECK(error == std::errc::bad_file_descriptor);
  CHECK_THAT(explain(error), contains("nothing is open there"));
}

}  // namespace
}  // namespace ringwire::net
