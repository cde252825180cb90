// Scenes of gnet's own suite that are more than one promise: a codec with pipelined messages, proxies on one
// loop for each pair of transports.
//
// Leaves to others: scenes that are one promise; docs/contract.md says where each of them is.
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/datagram_client.hpp"
#include "tests/support/server.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringwire::test {
namespace {

// A length in four bytes, lowest first, and so many bytes.
std::string frame(std::string_view body) {
  std::string text(4, '\0');
  for (std::size_t index = 0; index < 4; ++index) {
    text[index] = static_cast<char>(body.size() >> (8 * index) & 0xff);
  }
  return text.append(body);
}

std::size_t length_of(Bytes head) {
  std::size_t length = 0;
  for (std::size_t index = 0; index < 4; ++index) {
    length |= std::to_integer<std::size_t>(head[index]) << (8 * index);
  }
  return length;
}

// Answers each whole frame with the same one.
Action answer_frames(Conn& conn) {
  while (const auto head = conn.peek(4)) {
    const auto whole = conn.next(4 + length_of(*head));
    if (!whole) return Action::none;
    if (conn.write(*whole) == Written::refused) return Action::close;
  }
  return Action::none;
}

// Passes what its clients send to the far server, and back; both ends of a pair live on the client's loop.
class Proxy : public RecordingHandler {
 public:
  explicit Proxy(std::string target) : target_{std::move(target)} {
    boot = [this](Engine& engine) {
      door_ = engine.addresses().front();
      return Action::none;
    };
    open = [this](Conn& conn) { return conn.local_address() == door_ ? connect_for(conn) : Action::none; };
    traffic = [](Conn& conn) {
      // What comes before the far end is there is left.
      if (const auto* other = conn.context<ConnRef>(); other != nullptr) other->write(conn.take());
      return Action::none;
    };
    close = [](Conn& conn, std::error_code) {
      if (const auto* other = conn.context<ConnRef>(); other != nullptr) other->close();
      return Action::none;
    };
  }

 private:
  Action connect_for(Conn& conn) {
    Connected join = [this, client = conn.ref()](Conn* far, std::error_code error) {
      if (error) return client.close();
      note(far->loop() == client.loop() ? "on one loop" : "on two loops");
      far->emplace_context<ConnRef>(client);
      client.post([far = far->ref()](Conn* near) {
        if (near == nullptr) return far.close();
        near->emplace_context<ConnRef>(far);
        near->ref().wake();
      });
    };
    const Connecting dial = conn.loop().connect(target_, ConnectOptions{}, std::move(join));
    return dial.error() ? Action::close : Action::none;
  }

  std::string target_;
  Address door_;
};

// Exchanges through a proxy in front of an echo server, each on two loops.
void expect_passed_on(const Transport& near, const std::string& far_address) {
  Options options = quiet();
  options.loops = 2;
  RecordingHandler far;
  far.traffic = echo;
  TestServer far_server{far, options, {far_address}};
  REQUIRE(far_server.addresses().size() == 1);
  Proxy proxy{url_of(far_server.address())};
  StreamServer proxy_server{proxy, near, options};
  constexpr std::size_t clients_count = 10;
  const std::vector<Client> clients = connect_many(proxy_server.address(), clients_count);
  std::vector<std::string> sent;
  for (std::size_t seed = 0; seed < clients_count; ++seed) {
    sent.push_back(random_bytes(seed, scaled(1 << 20, 1 << 16)));
  }
  CHECK((exchange_all(clients, sent) == sent));
  CHECK_FALSE(proxy_server.stop());
  CHECK(far.wait_closed(clients_count));
  CHECK(proxy.record().count("on one loop") == clients_count);
  CHECK(proxy.record().count("on two loops") == 0);
  CHECK(proxy.record().closed == 2 * clients_count);
}

struct Pipelined {
  std::size_t size;
  std::size_t count;
};

}  // namespace

TEST_CASE("messages of 64 bytes to a mebibyte, pipelined with their lengths, come back whole and in order") {
  const Transport transport;
  for (const auto& [size, count] : {Pipelined{64, 200}, {1 << 10, 100}, {64 << 10, 20}, {1 << 20, 2}}) {
    INFO(count << " messages of " << size << " bytes");
    RecordingHandler handler;
    handler.traffic = answer_frames;
    Options options = quiet();
    options.loops = 2;
    StreamServer server{handler, transport, options};
    const std::vector<Client> clients = connect_many(server.address(), 4);
    std::vector<std::string> sent(clients.size());
    for (std::size_t client = 0; client < clients.size(); ++client) {
      for (std::size_t index = 0; index < count; ++index) {
        sent[client] += frame(random_bytes(client * count + index, size));
      }
    }
    CHECK((exchange_all(clients, sent) == sent));
    CHECK_FALSE(server.stop());
  }
}

TEST_CASE("a proxy passes streams on to a TCP server, on the loop of each client") {
  const Transport near;
  expect_passed_on(near, "tcp://127.0.0.1:0");
}

TEST_CASE("a proxy passes streams on to a unix socket, on the loop of each client") {
  const Transport near;
  const Directory far;
  expect_passed_on(near, "unix://" + far / "far");
}

TEST_CASE("a proxy passes what a stream says on as datagrams, and back, on one loop") {
  const Transport transport;
  RecordingHandler far;
  far.datagram = echo_datagram;
  const TestServer far_server{far, quiet(), one_udp_address};
  REQUIRE(far_server.addresses().size() == 1);
  const Address target = far_server.address();
  SocketRef socket;
  ConnRef client_ref;
  RecordingHandler proxy;
  proxy.boot = [&](Engine& engine) {
    socket = engine.socket(1);
    return Action::none;
  };
  proxy.traffic = [&](Conn& conn) {
    client_ref = conn.ref();
    socket.send_to(conn.next(), target);
    return Action::none;
  };
  proxy.datagram = [&](Datagram& datagram) {
    proxy.note(datagram.remote_address() == target && client_ref.loop().is_current() ? "back" : "wrong");
    client_ref.write(datagram.bytes());
    return Action::none;
  };
  TestServer server{proxy, quiet(), {transport.address(), "udp4://127.0.0.1:0"}};
  REQUIRE(server.addresses().size() == 2);
  Client client{server.address()};
  for (std::size_t round = 0; round < 50; ++round) {
    const std::string sent = random_bytes(round, 1 + 20 * round);
    client.send_all(sent);
    CHECK((client.receive_exactly(sent.size()) == sent));
  }
  CHECK_FALSE(server.stop());
  CHECK(proxy.record().count("back") >= 50);
  CHECK(proxy.record().count("wrong") == 0);
}

}  // namespace ringwire::test
