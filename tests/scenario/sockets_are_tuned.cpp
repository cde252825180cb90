// Multicast groups and the options of sockets, as clients and handlers see them.
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/datagram_client.hpp"
#include "tests/support/server.hpp"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

namespace ringwire::test {
namespace {

int number_of(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

// Sends to a group by the loopback device.
bool send_to_group(const Address& group, std::string_view text) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ip_mreqn device{};
  device.imr_ifindex = static_cast<int>(::if_nametoindex("lo"));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(group.port);
  std::memcpy(&to.sin_addr, group.ip.data(), sizeof to.sin_addr);
  const bool sent = ::setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &device, sizeof device) == 0 &&
                    ::sendto(fd, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                             sizeof to) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return sent;
}

}  // namespace

TEST_CASE("what is sent to a multicast group comes once, however many loops there are") {
  RecordingHandler handler;
  std::atomic<int> came{0};
  handler.datagram = [&](Datagram& datagram) {
    ++came;
    datagram.reply(datagram.bytes());
    return Action::none;
  };
  Options options = quiet();
  options.loops = 3;
  options.multicast_interface = ::if_nametoindex("lo");
  const TestServer server{handler, options, {"udp4://127.0.0.1:0", "udp4://239.1.2.4:0"}};
  REQUIRE(server.addresses().size() == 2);
  CHECK(server.addresses()[1].host() == "239.1.2.4");
  REQUIRE(send_to_group(server.addresses()[1], "to all"));
  REQUIRE(handler.wait_noted("datagram"));
  // A peer of the other address is served by whichever loop; its echo comes after what was sent before.
  const DatagramClient client{server.addresses()[0]};
  CHECK(client.exchange("to one") == "to one");
  CHECK(came == 2);
  CHECK(server.engine().socket(1, 2).loop() == server.engine().loop(0));
  CHECK(server.engine().socket(0, 2).loop() == server.engine().loop(2));
}

TEST_CASE("two engines are in the same multicast group, and each is told") {
  RecordingHandler first_handler;
  RecordingHandler second_handler;
  Options options = quiet();
  options.multicast_interface = ::if_nametoindex("lo");
  const TestServer first{first_handler, options, {"udp4://239.1.2.5:0"}};
  REQUIRE(first.addresses().size() == 1);
  const TestServer second{second_handler, options, {"udp4://" + first.address().to_string()}};
  REQUIRE(second.addresses().size() == 1);
  REQUIRE(send_to_group(first.address(), "to all"));
  CHECK(first_handler.wait_noted("datagram"));
  CHECK(second_handler.wait_noted("datagram"));
}

TEST_CASE("a connection has the buffers and the timeout its engine was given") {
  std::vector<int> numbers;
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    numbers = {number_of(conn.fd(), SOL_SOCKET, SO_RCVBUF), number_of(conn.fd(), SOL_SOCKET, SO_SNDBUF),
               number_of(conn.fd(), IPPROTO_TCP, TCP_USER_TIMEOUT)};
    return Action::none;
  };
  Options options = quiet();
  options.socket_recv_buffer_size = 30'000;
  options.socket_send_buffer_size = 40'000;
  options.tcp_user_timeout = std::chrono::milliseconds{1234};
  options.bind_to_device = "lo";
  TestServer server{handler, options};
  const Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  CHECK(numbers == std::vector<int>{60'000, 80'000, 1234});  // The kernel doubles sizes, see socket(7).
}

TEST_CASE("a client that says nothing is not let in where accepting is deferred") {
  RecordingHandler handler;
  handler.traffic = echo;
  Options options = quiet();
  options.tcp_defer_accept = std::chrono::seconds{30};
  TestServer server{handler, options};
  Client silent{server.address()};
  Client speaker{server.address()};
  speaker.send_all("hello");
  CHECK(speaker.receive_exactly(5) == "hello");
  CHECK(handler.record().opened == 1);
  silent.send_all("now");
  CHECK(silent.receive_exactly(3) == "now");
  CHECK(handler.record().opened == 2);
}

TEST_CASE("a connection that is opened has its buffers before it connects") {
  RecordingHandler handler;
  std::atomic<int> size{0};
  handler.traffic = echo;
  Options options = quiet();
  options.socket_recv_buffer_size = 30'000;
  TestServer server{handler, options};
  const auto dial = server.engine().connect(url_of(server.address()), {}, [&](Conn* conn, std::error_code) {
    if (conn == nullptr) return;
    size = number_of(conn->fd(), SOL_SOCKET, SO_RCVBUF);
  });
  REQUIRE(handler.wait_opened(2));
  CHECK_FALSE(server.stop());
  CHECK(size == 60'000);
}

}  // namespace ringwire::test
