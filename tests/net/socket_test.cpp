// Socket options as the kernel has them afterwards, and addresses of sockets that live or not.
#include "lib/net/socket.hpp"

#include "lib/kernel/linux.hpp"
#include "lib/net/listener.hpp"
#include "tests/net/fake_kernel.hpp"
#include "tests/net/real_socket.hpp"
#include "tests/support/catch.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <chrono>
#include <cstddef>
#include <system_error>
#include <utility>
#include <vector>

namespace ringwire::net {
namespace {

using std::chrono::seconds;
using test::FakeKernel;
using test::RealSocket;

TEST_CASE("no-delay is switched on and off") {
  RealSocket socket;
  CHECK_FALSE(set_no_delay(socket.kernel, socket.fd, true));
  CHECK(socket.option(IPPROTO_TCP, TCP_NODELAY) != 0);
  CHECK_FALSE(set_no_delay(socket.kernel, socket.fd, false));
  CHECK(socket.option(IPPROTO_TCP, TCP_NODELAY) == 0);
}

TEST_CASE("each number of keep-alive is set, and one out of its range refuses all") {
  RealSocket socket;
  CHECK_FALSE(set_keepalive(socket.kernel, socket.fd, seconds{60}, seconds{7}, 3));
  CHECK(socket.option(SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(socket.option(IPPROTO_TCP, TCP_KEEPIDLE) == 60);
  CHECK(socket.option(IPPROTO_TCP, TCP_KEEPINTVL) == 7);
  CHECK(socket.option(IPPROTO_TCP, TCP_KEEPCNT) == 3);
  const auto bad = std::errc::invalid_argument;
  CHECK(set_keepalive(socket.kernel, socket.fd, seconds{-1}, seconds{1}, 1) == bad);
  CHECK(set_keepalive(socket.kernel, socket.fd, seconds{32'768}, seconds{1}, 1) == bad);
  CHECK(set_keepalive(socket.kernel, socket.fd, seconds{1}, seconds{0}, 1) == bad);
  CHECK(set_keepalive(socket.kernel, socket.fd, seconds{1}, seconds{32'768}, 1) == bad);
  CHECK(set_keepalive(socket.kernel, socket.fd, seconds{1}, seconds{1}, 0) == bad);
  CHECK(set_keepalive(socket.kernel, socket.fd, seconds{1}, seconds{1}, 128) == bad);
  CHECK(socket.option(IPPROTO_TCP, TCP_KEEPIDLE) == 60);
  CHECK_FALSE(set_keepalive(socket.kernel, socket.fd, seconds{0}, seconds{0}, 0));
  CHECK(socket.option(SOL_SOCKET, SO_KEEPALIVE) == 0);
}

TEST_CASE("buffer sizes are set, as the kernel doubles them, and impossible ones refused") {
  RealSocket socket;
  CHECK_FALSE(set_recv_buffer_size(socket.kernel, socket.fd, 20'000));
  CHECK_FALSE(set_send_buffer_size(socket.kernel, socket.fd, 30'000));
  CHECK(socket.option(SOL_SOCKET, SO_RCVBUF) == 40'000);
  CHECK(socket.option(SOL_SOCKET, SO_SNDBUF) == 60'000);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1} << 31}) {
    CHECK(set_recv_buffer_size(socket.kernel, socket.fd, size) == std::errc::invalid_argument);
    CHECK(set_send_buffer_size(socket.kernel, socket.fd, size) == std::errc::invalid_argument);
  }
}

TEST_CASE("what only TCP has is not supported on other sockets") {
  kernel::Linux kernel;
  for (const auto& [family, type] : {std::pair{AF_UNIX, SOCK_STREAM}, std::pair{AF_INET, SOCK_DGRAM}}) {
    const int fd = kernel.open_socket(family, type, 0);
    REQUIRE(fd >= 0);
    CHECK(set_no_delay(kernel, fd, true) == std::errc::operation_not_supported);
    CHECK(set_keepalive(kernel, fd, seconds{60}, seconds{5}, 3) == std::errc::operation_not_supported);
    CHECK_FALSE(set_recv_buffer_size(kernel, fd, 20'000));
    kernel.close(fd);
  }
}

TEST_CASE("reset on close is lingering for no time") {
  RealSocket socket;
  CHECK_FALSE(set_reset_on_close(socket.kernel, socket.fd));
  linger value{};
  socklen_t size = sizeof value;
  REQUIRE(socket.kernel.get_option(socket.fd, SOL_SOCKET, SO_LINGER, &value, size) == 0);
  CHECK(value.l_onoff == 1);
  CHECK(value.l_linger == 0);
}

TEST_CASE("an option on a closed descriptor is an error") {
  kernel::Linux kernel;
  CHECK(set_no_delay(kernel, -1, true) == std::errc::bad_file_descriptor);
  CHECK(set_keepalive(kernel, -1, seconds{0}, seconds{1}, 1) == std::errc::bad_file_descriptor);
  CHECK(set_reset_on_close(kernel, -1) == std::errc::bad_file_descriptor);
}

TEST_CASE("keep-alive stops at the first option that is refused") {
  FakeKernel kernel;
  kernel.faults["option"] = -EINVAL;
  CHECK(set_keepalive(kernel, 5, seconds{60}, seconds{1}, 1) == std::errc::invalid_argument);
  CHECK(kernel.options == std::vector<FakeKernel::Option>{{5, IPPROTO_TCP, TCP_KEEPIDLE, 60}});
}

TEST_CASE("both ends of a connection agree on their addresses") {
  kernel::Linux kernel;
  Endpoint endpoint;
  REQUIRE_FALSE(parse_endpoint("tcp://127.0.0.1:0", endpoint));
  int listener = -1;
  Address bound;
  REQUIRE_FALSE(open_listener(kernel, endpoint, {.backlog = 1}, listener, bound));
  CHECK(local_address(kernel, listener) == bound);
  RealSocket client;
  const kernel::SocketName name = to_name(bound);
  REQUIRE(::connect(client.fd, reinterpret_cast<const sockaddr*>(&name.storage), name.size) == 0);
  const int server = ::accept(listener, nullptr, nullptr);
  REQUIRE(server >= 0);
  CHECK(remote_address(kernel, client.fd) == bound);
  CHECK(local_address(kernel, server) == bound);
  CHECK(remote_address(kernel, server) == local_address(kernel, client.fd));
  kernel.close(server);
  kernel.close(listener);
}

TEST_CASE("a socket that has no address answers an empty one") {
  FakeKernel kernel;
  kernel.name = to_name(Address{Address::Family::ipv4, 1, 0, {}});
  kernel.faults["local_name"] = -EINVAL;
  kernel.faults["peer_name"] = -ENOTCONN;
  CHECK(local_address(kernel, 1) == Address{});
  CHECK(remote_address(kernel, 1) == Address{});
}

}  // namespace
}  // namespace ringwire::net
