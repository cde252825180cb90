// Datagrams come in and go back the same: any size, any number of peers, loops and addresses.
//
// Leaves to others: sending without having received (datagrams_are_sent.cpp). The loopback loses nothing as
// long as nobody sends more than a socket holds, so every test waits for answers before it sends on.
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/datagram_client.hpp"
#include "tests/support/server.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <stdexcept>

namespace ringwire::test {
namespace {

Options datagram_options(std::size_t loops) {
  Options options = quiet();
  options.loops = loops;
  return options;
}

// Ten clients, each with datagrams of its own, in rounds: what is sent in a round is answered in it.
void echo_on(std::size_t loops) {
  RecordingHandler handler;
  handler.datagram = echo_datagram;
  TestServer server{handler, datagram_options(loops), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  CHECK(server.address().port != 0);

  std::vector<DatagramClient> clients;
  for (int count = 0; count < 10; ++count) clients.emplace_back(server.address());
  const std::size_t rounds = scaled(100, 20);
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<std::string> sent;
    for (std::size_t index = 0; index < clients.size(); ++index) {
      const std::size_t number = round * clients.size() + index;
      sent.push_back(random_bytes(number, 1 + number * 7919 % 1024));
      REQUIRE(clients[index].send(sent.back()));
    }
    for (std::size_t index = 0; index < clients.size(); ++index) {
      REQUIRE((clients[index].receive() == sent[index]));
    }
  }
  const std::size_t count = rounds * clients.size();
  CHECK_FALSE(server.stop());
  CHECK(handler.record().datagrams == count);
}

}  // namespace

TEST_CASE("a thousand datagrams of ten clients come back byte for byte, on one loop", "[features]") {
  echo_on(1);
}

TEST_CASE("a thousand datagrams of ten clients come back byte for byte, on two loops", "[features]") {
  echo_on(2);
}

TEST_CASE("the datagrams of one peer come on one loop, those of many on all") {
  std::mutex mutex;
  std::map<std::uint16_t, std::vector<LoopRef>> seen;
  RecordingHandler handler;
  handler.datagram = [&](Datagram& datagram) {
    const std::lock_guard lock{mutex};
    const LoopRef loop = datagram.socket().loop();
    std::vector<LoopRef>& loops = seen[datagram.remote_address().port];
    if (std::find(loops.begin(), loops.end(), loop) == loops.end()) loops.push_back(loop);
    return echo_datagram(datagram);
  };
  const TestServer server{handler, datagram_options(2), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  std::vector<DatagramClient> clients;
  for (int count = 0; count < 50; ++count) clients.emplace_back(server.address());
  for (int round = 0; round < 3; ++round) {
    for (const DatagramClient& client : clients) REQUIRE(client.exchange("which loop?") == "which loop?");
  }
  const std::lock_guard lock{mutex};
  std::size_t on_first = 0;
  for (const auto& [port, loops] : seen) {
    CHECK(loops.size() == 1);
    on_first += loops.front() == server.engine().loop(0) ? 1U : 0U;
  }
  CHECK(seen.size() == 50);
  CHECK(on_first > 0);  // One chance in 2^50 to miss.
  CHECK(on_first < 50);
}

TEST_CASE("a handler learns who sent a datagram, and where it came in") {
  RecordingHandler handler;
  handler.datagram = [](Datagram& datagram) {
    datagram.reply(datagram.remote_address().to_string() + " to " + datagram.local_address().to_string());
    return Action::none;
  };
  const TestServer server{handler, quiet(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient client{server.address()};
  CHECK(client.exchange("?") == client.address().to_string() + " to " + server.address().to_string());
}

TEST_CASE("a datagram longer than the limit comes cut, and says so", "[features]") {
  RecordingHandler handler;
  handler.datagram = [](Datagram& datagram) {
    datagram.reply(std::to_string(datagram.bytes().size()) + " of " + std::to_string(datagram.size()) +
                   (datagram.is_truncated() ? ", cut " : ", whole ") +
                   std::string{to_text(datagram.bytes())}.substr(0, 5));
    return Action::none;
  };
  Options options = quiet();
  options.datagram_size_max = 100;
  const TestServer server{handler, options, one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient client{server.address()};
  CHECK(client.exchange("abcde" + std::string(94, 'x')) == "99 of 99, whole abcde");
  CHECK(client.exchange("abcde" + std::string(95, 'x')) == "100 of 100, whole abcde");
  CHECK(client.exchange("abcde" + std::string(96, 'x')) == "100 of 101, cut abcde");
  CHECK(client.exchange("abcde" + std::string(20'000, 'x')) == "100 of 20005, cut abcde");
  CHECK(client.exchange("abcde") == "5 of 5, whole abcde");
  CHECK(server.engine().datagrams().received == 5);
  CHECK(server.engine().datagrams().truncated == 2);
}

TEST_CASE("the longest datagram there is comes back whole") {
  RecordingHandler handler;
  handler.datagram = echo_datagram;
  Options options = quiet();
  options.datagram_size_max = 65'535;
  options.datagram_buffers_count = 4;
  const TestServer server{handler, options, one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient client{server.address()};
  const std::string sent = random_bytes(1, 65'507);
  CHECK((client.exchange(sent) == sent));
}

TEST_CASE("datagrams of no bytes are datagrams, and those behind them come too", "[features]") {
  RecordingHandler handler;
  handler.datagram = echo_datagram;
  const TestServer server{handler, quiet(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient client{server.address()};
  for (const std::string sent : {"", "one", "", "", "two", ""}) CHECK(client.exchange(sent) == sent);
}

TEST_CASE("with one receive buffer nothing is lost that the socket can hold", "[features]") {
  RecordingHandler handler;
  handler.datagram = echo_datagram;
  Options options = quiet();
  options.datagram_buffers_count = 1;
  const TestServer server{handler, options, one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient client{server.address()};
  for (int count = 0; count < 50; ++count) REQUIRE(client.send("datagram " + std::to_string(count)));
  for (int count = 0; count < 50; ++count) CHECK(client.receive() == "datagram " + std::to_string(count));
}

TEST_CASE("udp and tcp share a port number, and one engine serves both and a third address") {
  RecordingHandler handler;
  handler.traffic = echo;
  handler.datagram = echo_datagram;
  const TestServer server{
      handler, datagram_options(2), {"udp4://127.0.0.1:0", "tcp4://127.0.0.1:0", "udp4://127.0.0.1:0"}};
  REQUIRE(server.addresses().size() == 3);
  CHECK(server.addresses()[0] != server.addresses()[2]);
  const DatagramClient first{server.addresses()[0]};
  const DatagramClient second{server.addresses()[2]};
  Client stream{server.addresses()[1]};
  CHECK(first.exchange("by the first") == "by the first");
  CHECK(second.exchange("by the second") == "by the second");
  CHECK(stream.exchange("by the stream") == "by the stream");
}

TEST_CASE("udp without a host takes IPv6 and IPv4 peers") {
  RecordingHandler handler;
  handler.datagram = echo_datagram;
  const TestServer server{handler, quiet(), {"udp://:0"}};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient four{loopback(server.address().port)};
  CHECK(four.exchange("over four") == "over four");
  const DatagramClient six{loopback6(server.address().port)};
  if (!six.ok()) {
    skip("no IPv6 loopback here");
    return;
  }
  CHECK(six.exchange("over six") == "over six");
}

TEST_CASE("an exception from on_datagram and Action::close are the end of nothing") {
  RecordingHandler handler;
  handler.datagram = [](Datagram& datagram) {
    if (to_text(datagram.bytes()) == "throw") throw std::runtime_error{"as told"};
    static_cast<void>(echo_datagram(datagram));
    return Action::close;
  };
  const TestServer server{handler, quiet(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient client{server.address()};
  REQUIRE(client.send("throw"));
  CHECK(client.exchange("still there?") == "still there?");
  CHECK(client.exchange("and now?") == "and now?");
}

TEST_CASE("Action::shutdown from on_datagram stops the engine, and its answer leaves first") {
  for (const std::size_t loops : {1U, 2U}) {
    RecordingHandler handler;
    handler.datagram = [](Datagram& datagram) {
      datagram.reply("goodbye");
      return Action::shutdown;
    };
    TestServer server{handler, datagram_options(loops), one_udp_address};
    REQUIRE(server.addresses().size() == 1);
    const DatagramClient client{server.address()};
    CHECK(client.exchange("stop") == "goodbye");
    CHECK_FALSE(server.join());
  }
}

TEST_CASE("a handler that does not know datagrams loses them, and nothing else") {
  RecordingHandler handler;
  const TestServer server{handler, quiet(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient client{server.address()};
  REQUIRE(client.send("anybody?"));
  CHECK(handler.wait_noted("datagram"));
}

TEST_CASE("an address somebody else has is in use, with any number of loops") {
  for (const std::size_t loops : {1U, 2U}) {
    RecordingHandler handler;
    handler.datagram = echo_datagram;
    const TestServer server{handler, datagram_options(loops), one_udp_address};
    REQUIRE(server.addresses().size() == 1);
    RecordingHandler second;
    TestServer late{second, datagram_options(loops), {"udp4://" + server.address().to_string()}};
    CHECK(late.join() == std::errc::address_in_use);
    const DatagramClient client{server.address()};
    CHECK(client.exchange("still here") == "still here");
  }
}

}  // namespace ringwire::test
