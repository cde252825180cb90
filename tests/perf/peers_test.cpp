// Each peer that was built echoes what it gets, over TCP and unix sockets, and the load generator tells right
// from wrong.
//
// Leaves to others: speed (perf/bench.py).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/directory.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

namespace ringwire::test {
namespace {

// Programs, separated by colons.
std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream stream{list};
  for (std::string word; std::getline(stream, word, ':');) words.push_back(word);
  return words;
}

const std::vector<std::string> peers = split(RINGWIRE_PERF_PEERS);

std::string port_of(Child& server) {
  const std::string line = server.read_line().value_or("");
  return line.starts_with("listening 127.0.0.1:") ? line.substr(line.rfind(':') + 1) : "";
}

// Runs the load generator; what it printed, behind its exit code.
std::string run_load(std::vector<std::string> words) {
  words.insert(words.begin(), RINGWIRE_PERF_LOAD);
  Child load{words};
  const std::string line = load.read_line().value_or("");
  return std::to_string(load.wait().value_or(-1)) + " " + line;
}

void check_echo(const Address& address) {
  std::vector<Client> clients = connect_many(address, 8);
  std::vector<std::string> sent;
  for (std::size_t index = 0; index < clients.size(); ++index) {
    sent.push_back(random_bytes(index, index == 0 ? 3'000'000 : 100 * index));
  }
  CHECK((exchange_all(clients, sent) == sent));
  clients.clear();
  CHECK(Client{address}.exchange("one more") == "one more");
}

}  // namespace

TEST_CASE("each peer echoes over TCP, with two threads") {
  for (const std::string& peer : peers) {
    INFO(peer);
    Child server{{peer, "--threads", "2"}};
    const std::string port = port_of(server);
    REQUIRE_FALSE(port.empty());
    check_echo(loopback(static_cast<std::uint16_t>(std::stoul(port))));
  }
}

TEST_CASE("each peer echoes over a unix socket") {
  for (const std::string& peer : peers) {
    INFO(peer);
    const Directory directory;
    const std::string path = directory / "echo";
    Child server{{peer, "--unix", path}};
    REQUIRE(server.read_line().value_or("") == "listening unix:" + path);
    check_echo(unix_address(path));
  }
}

TEST_CASE("a peer whose library is missing is not built", "[boost]") {
  for (const char* name : {"libuv_echo", "libevent_echo", "asio_echo", "asio_uring_echo"}) {
    const bool built = std::any_of(peers.begin(), peers.end(),
                                   [&](const std::string& peer) { return peer.ends_with(name); });
    if (built) continue;
    skip(std::string{name} + " is not built: its library is missing");
    return;
  }
  CHECK(peers.size() == 6);
}

TEST_CASE("the load generator is content with an echo, whatever it is asked to do") {
  Child server{{RINGWIRE_PERF_ECHO, "--loops", "2"}};
  const std::string port = port_of(server);
  REQUIRE_FALSE(port.empty());
  const std::vector<std::vector<std::string>> ways{
      {"--connections", "8"},
      {"--connections", "4", "--depth", "16"},
      {"--connections", "2", "--depth", "3", "--size", "1048576", "--messages", "20"},
      {"--connections", "4", "--churn"},
      {"--connections", "4", "--rate", "5000", "--seconds", "10"}};
  for (std::vector<std::string> way : ways) {
    if (std::find(way.begin(), way.end(), "--messages") == way.end()) {
      way.insert(way.end(), {"--messages", "500"});
    }
    way.insert(way.end(), {"--port", port, "--server-pid", std::to_string(server.pid())});
    const std::string answer = run_load(way);
    INFO(way[2]);
    const std::string count = way[5] == "1048576" ? "20" : "500";
    CHECK_THAT(answer, contains("0 messages=" + count + " "));
    CHECK_THAT(answer, contains(" errors=0 "));
  }
  CHECK_THAT(run_load({"--port", port, "--messages", "10", "--json"}),
             contains("0 {\"messages\": 10, \"seconds\": "));
}

TEST_CASE("the load generator counts datagrams that come back") {
  Child server{{RINGWIRE_PERF_ECHO, "--udp", "0"}};
  const std::string port = port_of(server);
  REQUIRE_FALSE(port.empty());
  CHECK_THAT(run_load({"--port", port, "--udp", "--connections", "4", "--depth", "4", "--messages", "500"}),
             contains("0 messages=500 "));
}

TEST_CASE("websocket peers echo the frames of the load generator", "[boost]") {
  const std::vector<std::string> websockets = split(RINGWIRE_PERF_WEBSOCKETS);
  if (websockets.empty()) return skip("no Boost here");
  for (const std::string& peer : websockets) {
    INFO(peer);
    Child server{{peer}};
    const std::string port = port_of(server);
    REQUIRE_FALSE(port.empty());
    for (const char* size : {"1", "125", "126", "65535", "65536"}) {
      CHECK_THAT(run_load({"--port", port, "--websocket", "--connections", "4", "--depth", "4", "--size",
                           size, "--messages", "100"}),
                 contains("0 messages=100 "));
    }
  }
}

TEST_CASE("the load generator finds a wrong byte") {
  RecordingHandler liar;
  liar.traffic = [](Conn& conn) {
    conn.write(std::string(conn.next().size(), 'x'));
    return Action::none;
  };
  liar.datagram = [](Datagram& datagram) {
    datagram.reply(std::string(datagram.bytes().size(), 'x'));
    return Action::none;
  };
  const TestServer server{liar, quiet(), {"tcp://127.0.0.1:0", "udp://127.0.0.1:0"}};
  for (const char* way : {"--json", "--churn", "--udp"}) {
    INFO(way);
    const Address& address = server.addresses().at(std::string{way} == "--udp" ? 1 : 0);
    const std::string answer =
        run_load({"--port", std::to_string(address.port), "--messages", "100", "--connections", "1", way});
    CHECK(answer.starts_with("1 "));
    CHECK_THAT(answer, contains(std::string{way} == "--json" ? "\"messages\": 0," : "messages=0 "));
  }
}

TEST_CASE("the load generator refuses what makes no sense") {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--messages", "1"},
                                             {"--port", "1", "--rate", "5", "--messages", "1"},
                                             {"--port", "1", "--seconds", "1", "--size", "1048577"},
                                             {"--port", "1", "--seconds", "1", "--udp", "--churn"},
                                             {"--port", "1", "--seconds", "x"},
                                             {"--port", "1", "--seconds"}}) {
    CHECK(run_load(words).starts_with("2 "));
  }
}

}  // namespace ringwire::test
