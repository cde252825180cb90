// What the options make of real sockets, and which option is blamed when the kernel refuses one.
#include "lib/net/tuning.hpp"

#include <ringwire/error.hpp>

#include "lib/kernel/linux.hpp"
#include "lib/net/datagrams.hpp"
#include "lib/net/listener.hpp"
#include "tests/net/fake_kernel.hpp"
#include "tests/net/real_socket.hpp"
#include "tests/support/catch.hpp"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <chrono>
#include <string>
#include <vector>

namespace ringwire::net {
namespace {

using ringwire::test::contains;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::endpoint_of;
using test::FakeKernel;
using test::RealSocket;

Address group_of(const std::string& url) {
  kernel::Linux kernel;
  std::vector<Address> addresses;
  REQUIRE_FALSE(resolve(kernel, endpoint_of(url), addresses));
  return addresses.front();
}

TEST_CASE("a connection is probed after the idle time and then every fifth of it") {
  RealSocket at;
  tune_connection(at.kernel, at.fd, {.tcp_no_delay = true, .tcp_keepalive = seconds{60}});
  CHECK(at.option(IPPROTO_TCP, TCP_NODELAY) != 0);
  CHECK(at.option(SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(at.option(IPPROTO_TCP, TCP_KEEPIDLE) == 60);
  CHECK(at.option(IPPROTO_TCP, TCP_KEEPINTVL) == 12);
  CHECK(at.option(IPPROTO_TCP, TCP_USER_TIMEOUT) == 0);
}

TEST_CASE("interval and count of the probes are those asked for, the interval never nothing") {
  RealSocket at;
  tune_connection(at.kernel, at.fd,
                  {.tcp_keepalive = seconds{60},
                   .tcp_keepalive_interval = seconds{7},
                   .tcp_keepalive_count = 3,
                   .tcp_user_timeout = milliseconds{1234}});
  CHECK(at.option(IPPROTO_TCP, TCP_KEEPINTVL) == 7);
  CHECK(at.option(IPPROTO_TCP, TCP_KEEPCNT) == 3);
  CHECK(at.option(IPPROTO_TCP, TCP_USER_TIMEOUT) == 1234);
  tune_connection(at.kernel, at.fd, {.tcp_keepalive = seconds{2}});
  CHECK(at.option(IPPROTO_TCP, TCP_KEEPINTVL) == 1);
}

TEST_CASE("what nobody asks for costs no call") {
  FakeKernel kernel;
  std::string_view fault;
  const Options options{.tcp_no_delay = false};
  tune_connection(kernel, 5, options);
  CHECK(tune_socket(kernel, 5, options, fault) == 0);
  CHECK(tune_buffers(kernel, 5, options, fault) == 0);
  CHECK(tune_listener(kernel, 5, options, fault) == 0);
  CHECK(kernel.options.empty());
}

TEST_CASE("buffers and device are a socket's before it is bound") {
  RealSocket at;
  std::string_view fault;
  const Options options{.socket_recv_buffer_size = 30'000,
                        .socket_send_buffer_size = 40'000,
                        .bind_to_device = std::string_view{"lock"}.substr(0, 2)};  // Not closed by a NUL.
  CHECK(tune_socket(at.kernel, at.fd, options, fault) == 0);
  CHECK(at.option(SOL_SOCKET, SO_RCVBUF) == 60'000);  // The kernel doubles, see socket(7).
  CHECK(at.option(SOL_SOCKET, SO_SNDBUF) == 80'000);
  char device[IFNAMSIZ] = {};
  socklen_t size = sizeof device;
  CHECK(at.kernel.get_option(at.fd, SOL_SOCKET, SO_BINDTODEVICE, device, size) == 0);
  CHECK(std::string_view{device} == "lo");
  CHECK(fault.empty());
}

TEST_CASE("a listener defers and opens fast as it is told") {
  RealSocket at;
  std::string_view fault;
  CHECK(tune_listener(at.kernel, at.fd, {.tcp_defer_accept = seconds{5}, .tcp_fast_open = 17}, fault) == 0);
  CHECK(at.option(IPPROTO_TCP, TCP_DEFER_ACCEPT) > 0);
  CHECK(at.option(IPPROTO_TCP, TCP_FASTOPEN) == 17);
}

TEST_CASE("the option the kernel refuses is named, and no later one is tried") {
  FakeKernel kernel;
  kernel.faults["option"] = -EPERM;
  std::string_view fault;
  CHECK(tune_socket(kernel, 5, {.socket_send_buffer_size = 1, .bind_to_device = "lo"}, fault) == -EPERM);
  CHECK_THAT(std::string{fault}, contains("Options::socket_send_buffer_size"));
  CHECK(kernel.options.size() == 1);
  CHECK(tune_listener(kernel, 5, {.tcp_fast_open = 1}, fault) == -EPERM);
  CHECK_THAT(std::string{fault}, contains("Options::tcp_fast_open"));
}

TEST_CASE("a device this host does not have is named as the cause") {
  const std::string url = GENERATE("tcp4://127.0.0.1:0", "udp4://127.0.0.1:0");
  kernel::Linux kernel;
  const Options options{.bind_to_device = "no-such-device"};
  int fd = -1;
  std::vector<int> fds;
  Address bound;
  const bool is_tcp = url.starts_with("tcp");
  const auto error = is_tcp ? open_listener(kernel, endpoint_of(url), options, fd, bound)
                            : open_datagram_sockets(kernel, endpoint_of(url), options, 1, fds, bound);
  CHECK(error == std::errc::no_such_device);
  CHECK_THAT(explain(error), contains(url));
  CHECK_THAT(explain(error), contains("Options::bind_to_device"));
}

TEST_CASE("multicast groups are told from other addresses") {
  CHECK(is_group(group_of("udp://224.0.0.1:1")));
  CHECK(is_group(group_of("udp://239.255.255.255:1")));
  CHECK(is_group(group_of("udp://[ff02::1%lo]:1")));
  CHECK_FALSE(is_group(group_of("udp://223.255.255.255:1")));
  CHECK_FALSE(is_group(group_of("udp://240.0.0.1:1")));
  CHECK_FALSE(is_group(group_of("udp://[fe80::1%lo]:1")));
  CHECK_FALSE(is_group(Address{}));
}

TEST_CASE("a group has one socket for all loops, and two engines may have it") {
  kernel::Linux kernel;
  const Options options{.multicast_interface = ::if_nametoindex("lo")};
  std::vector<int> fds;
  Address bound;
  REQUIRE_FALSE(open_datagram_sockets(kernel, endpoint_of("udp4://239.1.2.3:0"), options, 3, fds, bound));
  CHECK(fds.size() == 1);
  CHECK(bound.host() == "239.1.2.3");
  const std::string again = "udp4://" + bound.to_string();
  CHECK_FALSE(open_datagram_sockets(kernel, endpoint_of(again), options, 3, fds, bound));
  CHECK(fds.size() == 2);
  for (const int fd : fds) kernel.close(fd);
}

TEST_CASE("a group is joined by the device asked for, else by its zone") {
  FakeKernel kernel;
  std::string_view fault;
  const Address zoned = group_of("udp://[ff02::1%1]:1");
  CHECK(join_group(kernel, 5, zoned, {}, fault) == 0);
  CHECK(kernel.options.back() == FakeKernel::Option{5, IPPROTO_IPV6, IPV6_MULTICAST_IF, 1});
  CHECK(join_group(kernel, 5, zoned, {.multicast_interface = 7}, fault) == 0);
  CHECK(kernel.options.back() == FakeKernel::Option{5, IPPROTO_IPV6, IPV6_MULTICAST_IF, 7});
  kernel.options.clear();
  CHECK(join_group(kernel, 5, group_of("udp4://239.1.2.3:1"), {}, fault) == 0);
  CHECK(kernel.options.size() == 1);  // Which device sends is the kernel's choice.
  kernel.faults["option"] = -ENODEV;
  CHECK(join_group(kernel, 5, zoned, {}, fault) == -ENODEV);
  CHECK_THAT(std::string{fault}, contains("Options::multicast_interface"));
}

}  // namespace
}  // namespace ringwire::net
