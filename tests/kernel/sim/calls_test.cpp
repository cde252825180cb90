// The calls that are no ring's: what they answer, that each can fail, and that all of it is counted.
#include "tests/kernel/sim/fixture.hpp"
#include "tests/support/catch.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <system_error>
#include <vector>

namespace ringwire::kernel::sim {
namespace {

using test::SimFixture;

// A bound and listening socket.
int listen_on(SimKernel& kernel, std::uint16_t port, int backlog = 4) {
  const int fd = kernel.open_socket(AF_INET, SOCK_STREAM, 0);
  if (const int result = kernel.bind(fd, loopback_name(port)); result < 0) return result;
  CHECK(kernel.listen(fd, backlog) == 0);
  return fd;
}

std::uint16_t local_port(SimKernel& kernel, int fd) {
  SocketName name;
  CHECK(kernel.local_name(fd, name) == 0);
  return port_of(name);
}

TEST_CASE("a port taken by a listener is taken, port 0 is a free one", "[calls]") {
  SimFixture at;
  CHECK(listen_on(at.kernel, SimFixture::port) == -EADDRINUSE);
  const int first = listen_on(at.kernel, 0);
  const int second = listen_on(at.kernel, 0);
  CHECK(local_port(at.kernel, first) != 0);
  CHECK(local_port(at.kernel, first) != local_port(at.kernel, second));
  CHECK(local_port(at.kernel, at.listener) == SimFixture::port);
}

TEST_CASE("a client is refused where nobody listens, where the backlog is full, and after a shutdown",
          "[calls]") {
  SimFixture at;
  CHECK(at.kernel.connect(1) == nullptr);
  const int fd = listen_on(at.kernel, 8000, 2);
  CHECK(at.kernel.connect(8000) != nullptr);
  CHECK(at.kernel.connect(8000) != nullptr);
  CHECK(at.kernel.connect(8000) == nullptr);
  CHECK(at.kernel.shutdown(at.listener, SHUT_RDWR) == 0);
  CHECK(at.kernel.connect(SimFixture::port) == nullptr);
  CHECK(at.kernel.close(fd) == 0);
  CHECK(at.kernel.connect(8000) == nullptr);
}

TEST_CASE("a connection has two names, and its peer's is gone after a reset", "[calls]") {
  SimFixture at;
  const int fd = at.accept();
  CHECK(local_port(at.kernel, fd) == SimFixture::port);
  SocketName name;
  CHECK(at.kernel.peer_name(fd, name) == 0);
  CHECK(port_of(name) == port_of(at.client->names[0]));
  at.client->close(0, true);
  at.client->deliver(0, 0, true);
  CHECK(at.kernel.peer_name(fd, name) == -ENOTCONN);
}

TEST_CASE("shutting down sends FIN, shutting down the reading side nothing", "[calls]") {
  SimFixture at;
  const int fd = at.accept();
  CHECK(at.kernel.shutdown(fd, SHUT_RD) == 0);
  CHECK_FALSE(at.client->in_flight(1));
  CHECK(at.kernel.shutdown(fd, SHUT_WR) == 0);
  CHECK(at.client->in_flight(1));
  const int unconnected = at.kernel.open_socket(AF_INET, SOCK_STREAM, 0);
  CHECK(at.kernel.shutdown(unconnected, SHUT_WR) == -ENOTCONN);
}

TEST_CASE("closing with a linger of 0 resets, with any other it does not", "[calls]") {
  for (const int seconds : {0, 1}) {
    SimFixture at;
    const int fd = at.accept();
    const linger wish{1, seconds};
    CHECK(at.kernel.set_option(fd, SOL_SOCKET, SO_LINGER, &wish, sizeof(wish)) == 0);
    CHECK(at.kernel.close(fd) == 0);
    CHECK(at.client->is_reset(1) == (seconds == 0));
  }
}

TEST_CASE("a socket knows its type, what is no socket has none", "[calls]") {
  SimFixture at;
  const auto type_of = [&](int fd) {
    int type = -1;
    socklen_t size = sizeof(type);
    CHECK(at.kernel.get_option(fd, SOL_SOCKET, SO_TYPE, &type, size) == 0);
    return type;
  };
  CHECK(type_of(at.listener) == SOCK_STREAM);
  CHECK(type_of(at.accept()) == SOCK_STREAM);
  CHECK(type_of(at.kernel.open_socket(AF_INET, SOCK_DGRAM, 0)) == SOCK_DGRAM);
  CHECK(type_of(at.kernel.open_event()) == 0);
}

TEST_CASE("a datagram socket shares its port when it says so, not when it takes that back", "[calls]") {
  SimFixture at;
  const auto bind = [&](std::initializer_list<int> values) {
    const int fd = at.kernel.open_socket(AF_INET, SOCK_DGRAM, 0);
    for (const int value : values) {
      CHECK(at.kernel.set_option(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value)) == 0);
    }
    const int result = at.kernel.bind(fd, loopback_name(5));
    CHECK(local_port(at.kernel, fd) == (result == 0 ? 5 : 0));  // Not bound, it has no name either.
    return result;
  };
  CHECK(bind({1}) == 0);
  CHECK(bind({1}) == 0);
  CHECK(bind({1, 0}) == -EADDRINUSE);
  CHECK(bind({}) == -EADDRINUSE);
}

TEST_CASE("calls for a descriptor that is not open answer EBADF", "[calls]") {
  SimFixture at;
  SocketName name;
  int value = 0;
  socklen_t size = sizeof(value);
  CHECK(at.kernel.bind(99, loopback_name(1)) == -EBADF);
  CHECK(at.kernel.listen(99, 1) == -EBADF);
  CHECK(at.kernel.set_option(99, SOL_SOCKET, SO_REUSEADDR, &value, size) == -EBADF);
  CHECK(at.kernel.get_option(99, SOL_SOCKET, SO_ERROR, &value, size) == -EBADF);
  CHECK(at.kernel.local_name(99, name) == -EBADF);
  CHECK(at.kernel.peer_name(99, name) == -EBADF);
  CHECK(at.kernel.shutdown(99, SHUT_WR) == -EBADF);
  CHECK(at.kernel.signal_event(99) == -EBADF);
  CHECK(at.kernel.signal_event(at.listener) == -EBADF);
  CHECK(at.kernel.close(99) == -EBADF);
}

TEST_CASE("the n-th call from now on fails, once or for good", "[calls]") {
  for (const bool for_good : {false, true}) {
    SimFixture at;
    const std::uint64_t before = at.kernel.calls_count();
    at.kernel.fail_call(1, for_good);
    CHECK(at.kernel.open_socket(AF_INET, SOCK_STREAM, 0) >= 0);
    CHECK(at.kernel.open_socket(AF_INET, SOCK_STREAM, 0) == -ENOBUFS);
    CHECK((at.kernel.open_socket(AF_INET, SOCK_STREAM, 0) < 0) == for_good);
    CHECK(at.kernel.calls_count() == before + 3);
  }
}

TEST_CASE("every call that can fail does, with an errno or with nothing", "[calls]") {
  SimFixture at;
  const int fd = at.accept();
  SocketName name;
  std::vector<SocketName> names;
  const int value = 1;
  at.always(Fault::call_fails);
  CHECK(at.kernel.open_socket(AF_INET, SOCK_STREAM, 0) == -ENOBUFS);
  CHECK(at.kernel.bind(at.listener, loopback_name(1)) == -EACCES);
  CHECK(at.kernel.listen(at.listener, 1) == -EADDRINUSE);
  CHECK(at.kernel.set_option(at.listener, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value)) == -EINVAL);
  CHECK(at.kernel.local_name(fd, name) == -ENOBUFS);
  CHECK(at.kernel.peer_name(fd, name) == -ENOTCONN);
  CHECK_FALSE(at.client->hurt);
  CHECK(at.kernel.shutdown(fd, SHUT_WR) == -ENOTCONN);
  CHECK(at.client->hurt);
  CHECK(at.kernel.resolve("localhost", AF_INET, names) == -ENOENT);
  CHECK(at.kernel.open_event() == -EMFILE);
  CHECK(at.kernel.open_signals() == -EMFILE);
  CHECK(at.kernel.map_memory(1) == nullptr);
  CHECK(at.kernel.forbid_new_rings() == -EPERM);
  CHECK(at.kernel.faults().count(Fault::call_fails) == 12);
}

TEST_CASE("descriptors run out for sockets and events alike", "[calls]") {
  SimFixture at;
  at.kernel.files().set_limit(at.kernel.files().count() + 3);
  CHECK(at.kernel.descriptors_limit() == at.kernel.files().limit());
  CHECK(at.kernel.open_socket(AF_INET, SOCK_STREAM, 0) == -EMFILE);
  CHECK(at.kernel.open_event() == -EMFILE);
  CHECK(at.kernel.open_signals() == -EMFILE);
}

TEST_CASE("mapped memory is zeroed, on a page of its own, and counted until it comes back", "[calls]") {
  SimFixture at;
  auto* memory = static_cast<std::byte*>(at.kernel.map_memory(5000));
  REQUIRE(memory != nullptr);
  CHECK(reinterpret_cast<std::uintptr_t>(memory) % 4096 == 0);
  CHECK(std::all_of(memory, memory + 5000, [](std::byte byte) { return byte == std::byte{0}; }));
  CHECK(at.kernel.maps_count() == 1);
  at.kernel.unmap_memory(memory, 5000);
  CHECK(at.kernel.maps_count() == 0);
}

TEST_CASE("time stands still until it is moved", "[calls]") {
  SimFixture at;
  const Nanoseconds begin = at.kernel.now();
  CHECK(at.kernel.now() == begin);
  at.kernel.set_time(begin + 5);
  CHECK(at.kernel.now() == begin + 5);
}

TEST_CASE("localhost has an address, other names have none", "[calls]") {
  SimFixture at;
  std::vector<SocketName> names;
  CHECK(at.kernel.resolve("localhost", AF_UNSPEC, names) == 0);
  CHECK(names.size() == 1);
  CHECK(at.kernel.resolve("example.org", AF_UNSPEC, names) == -ENOENT);
}

TEST_CASE("a simulated process has the variables and CPUs it was given, and no threads", "[calls]") {
  SimFixture at;
  at.kernel.set_variable("RINGWIRE_MASK", "all");
  CHECK(at.kernel.environment("RINGWIRE_MASK") == "all");
  CHECK(at.kernel.environment("PATH").empty());
  at.kernel.set_cpus(3);
  CHECK(at.kernel.cpus() == std::vector<int>{0, 1, 2});
  CHECK_THROWS_AS(at.kernel.start_thread("loop", -1, [] {}), std::system_error);
}

}  // namespace
}  // namespace ringwire::kernel::sim
