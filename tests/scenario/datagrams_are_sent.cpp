// Datagrams leave from other threads, for other addresses, and at the end; what becomes of each is told.
#include <ringwire/error.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/datagram_client.hpp"
#include "tests/support/server.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <thread>

namespace ringwire::test {
namespace {

// Sends through a handle and waits for the answer.
std::error_code send_and_wait(const SocketRef& socket, std::string_view text, const Address& to) {
  auto promise = std::make_shared<std::promise<std::error_code>>();
  std::future<std::error_code> answer = promise->get_future();
  socket.send_to(text, to, [promise](std::error_code error) { promise->set_value(error); });
  if (answer.wait_for(patience) != std::future_status::ready)
    return std::make_error_code(std::errc::timed_out);
  return answer.get();
}

Address nowhere() {
  Address address = loopback(9);
  address.ip = {255, 255, 255, 255};  // A broadcast, for which nobody has asked: EACCES.
  return address;
}

}  // namespace

TEST_CASE("another thread sends through a handle from on_boot, and learns that the kernel took it",
          "[features]") {
  SocketRef socket;
  RecordingHandler handler;
  handler.boot = [&](Engine& engine) {
    socket = engine.socket(0);
    return Action::none;
  };
  const TestServer server{handler, quiet(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient client{server.address()};
  CHECK_FALSE(send_and_wait(socket, "unasked", client.address()));
  CHECK(client.receive() == "unasked");
  CHECK(server.engine().datagrams().sent == 1);
}

TEST_CASE("each loop has a socket on the same port") {
  RecordingHandler handler;
  Options options = quiet();
  options.loops = 3;
  const TestServer server{handler, options, {"tcp4://127.0.0.1:0", "udp4://127.0.0.1:0"}};
  REQUIRE(server.addresses().size() == 2);
  const DatagramClient client{server.addresses()[1]};
  for (std::size_t loop = 0; loop < 3; ++loop) {
    const SocketRef socket = server.engine().socket(1, loop);
    CHECK(socket.loop() == server.engine().loop(loop));
    CHECK_FALSE(send_and_wait(socket, "from loop " + std::to_string(loop), client.address()));
    CHECK(client.receive() == "from loop " + std::to_string(loop));
  }
  CHECK(send_and_wait(server.engine().socket(0), "a tcp address has none", client.address()) ==
        Error::closed);
}

TEST_CASE("a datagram is passed on to another address than its sender's") {
  RecordingHandler handler;
  std::atomic<std::uint16_t> target{0};
  std::atomic<bool> taken{false};  // Checks belong to one thread: Catch2 does not guard what it notes.
  handler.datagram = [&](Datagram& datagram) {
    taken = !datagram.send_to(datagram.bytes(), loopback(target));
    return Action::none;
  };
  const TestServer server{handler, quiet(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient first{server.address()};
  const DatagramClient second{server.address()};
  target = second.address().port;
  REQUIRE(first.send("pass it on"));
  CHECK(second.receive() == "pass it on");
  CHECK(taken);
}

TEST_CASE("what the kernel refuses is told to its callback, counted, and harms no other datagram",
          "[features]") {
  RecordingHandler handler;
  handler.datagram = echo_datagram;
  const TestServer server{handler, quiet(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const SocketRef socket = server.engine().socket(0);
  const DatagramClient client{server.address()};
  CHECK(send_and_wait(socket, "a broadcast", nowhere()) == std::errc::permission_denied);
  CHECK(send_and_wait(socket, std::string(65'508, 'x'), client.address()) == std::errc::message_size);
  CHECK(send_and_wait(socket, std::string(70'000, 'x'), client.address()) == std::errc::message_size);
  CHECK(send_and_wait(socket, "six on four", loopback6(9)) == std::errc::address_family_not_supported);
  CHECK(send_and_wait(socket, "nobody", Address{}) == std::errc::destination_address_required);
  CHECK_FALSE(send_and_wait(socket, "this one", client.address()));
  CHECK(client.receive() == "this one");
  CHECK(client.exchange("and back") == "and back");
  CHECK(server.engine().datagrams().failed == 2);  // The others never were the kernel's.
}

TEST_CASE("a peer that is gone harms nobody") {
  RecordingHandler handler;
  handler.datagram = echo_datagram;
  const TestServer server{handler, quiet(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const SocketRef socket = server.engine().socket(0);
  Address gone;
  {
    const DatagramClient leaver{server.address()};
    CHECK(leaver.exchange("hello") == "hello");
    gone = leaver.address();
  }
  for (int count = 0; count < 20; ++count) CHECK_FALSE(send_and_wait(socket, "are you there?", gone));
  const DatagramClient client{server.address()};
  CHECK(client.exchange("I am") == "I am");
}

TEST_CASE("more than may wait is refused, and less is sent again after that") {
  RecordingHandler handler;
  std::atomic<std::size_t> taken{0};
  std::atomic<std::size_t> wanted{1000};
  std::atomic<int> refused{0};
  handler.datagram = [&](Datagram& datagram) {
    const std::string bytes(1024, 'x');
    taken = 0;
    while (taken < wanted) {
      const std::error_code error = datagram.send_to(to_bytes(bytes), datagram.remote_address());
      refused = error.value();
      if (error) break;
      ++taken;
    }
    return Action::none;
  };
  Options options = quiet();
  options.datagram_outbound_limit = 70'000;
  const TestServer server{handler, options, one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient client{server.address()};
  REQUIRE(client.send("go"));
  REQUIRE(handler.wait_noted("datagram"));
  CHECK(taken == 70'000 / (1024 + 256));
  CHECK(refused == ENOBUFS);
  for (std::size_t count = 0; count < taken; ++count) REQUIRE(client.receive() == std::string(1024, 'x'));
  wanted = 10;
  REQUIRE(client.send("again"));
  for (std::size_t count = 0; count < 10; ++count) REQUIRE(client.receive() == std::string(1024, 'x'));
  CHECK(refused == 0);
}

TEST_CASE("what is queued when the engine stops is sent first") {
  for (const std::size_t loops : {1U, 2U}) {
    RecordingHandler handler;
    Options options = quiet();
    options.loops = loops;
    TestServer server{handler, options, one_udp_address};
    REQUIRE(server.addresses().size() == 1);
    const DatagramClient client{server.address()};
    auto answers = std::make_shared<std::atomic<int>>(0);
    for (int count = 0; count < 50; ++count) {
      server.engine()
          .socket(0, count % loops)
          .send_to("last words", client.address(), [answers](std::error_code) { ++*answers; });
    }
    CHECK_FALSE(server.stop());
    CHECK(*answers == 50);
    for (int count = 0; count < 50; ++count) REQUIRE(client.receive() == "last words");
  }
}

TEST_CASE("who sends without end does not hold up the stop") {
  RecordingHandler handler;
  Options options = quiet();
  options.stop_timeout = std::chrono::hours{1};
  TestServer server{handler, options, one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const SocketRef socket = server.engine().socket(0);
  const DatagramClient client{server.address()};
  const auto closed = std::make_shared<std::atomic<bool>>(false);
  std::thread busy{[&] {
    while (!*closed) {
      socket.send_to("again", client.address(), [closed](std::error_code error) {
        if (error == Error::closed) *closed = true;
      });
    }
  }};
  CHECK(client.receive() == "again");
  CHECK_FALSE(server.stop());
  busy.join();
}

TEST_CASE("a handle outlives its engine, and answers that the socket is closed") {
  SocketRef socket;
  {
    RecordingHandler handler;
    TestServer server{handler, quiet(), one_udp_address};
    REQUIRE(server.addresses().size() == 1);
    socket = server.engine().socket(0);
    CHECK_FALSE(server.stop());
  }
  CHECK(send_and_wait(socket, "anybody?", loopback(9)) == Error::closed);
  CHECK(send_and_wait(SocketRef{}, "anybody?", loopback(9)) == Error::closed);
  CHECK(socket == socket);
  CHECK_FALSE(socket == SocketRef{});
}

TEST_CASE("a connection tells a datagram peer of its end while the engine stops") {
  RecordingHandler handler;
  SocketRef socket;
  Address peer;
  handler.close = [&](Conn&, std::error_code) {
    socket.send_to("it has left", peer);
    return Action::none;
  };
  TestServer server{handler, quiet(), {"tcp4://127.0.0.1:0", "udp4://127.0.0.1:0"}};
  REQUIRE(server.addresses().size() == 2);
  socket = server.engine().socket(1);
  const DatagramClient watcher{server.addresses()[1]};
  peer = watcher.address();
  const Client client{server.addresses()[0]};
  REQUIRE(handler.wait_opened(1));
  CHECK_FALSE(server.stop());
  CHECK(watcher.receive() == "it has left");
}

TEST_CASE("a udp address is no connection's") {
  RecordingHandler handler;
  const TestServer server{handler, quiet(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  CHECK(server.engine().loop(0).connect("udp://127.0.0.1:9") == Error::unsupported_protocol);
}

}  // namespace ringwire::test
