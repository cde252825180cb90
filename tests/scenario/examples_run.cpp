// The examples of one idea each do what their first lines say, and end well on SIGINT.
//
// Leaves to others: tick (signals_arrive.cpp), the simulated chat (tests/api).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/datagram_client.hpp"
#include "tests/support/directory.hpp"
#include "tests/support/process.hpp"

#include <csignal>
#include <set>
#include <string>

#ifdef RINGWIRE_EXAMPLE_TIMERS

namespace ringwire::test {
namespace {

// An example in a process of its own.
class Example {
 public:
  explicit Example(std::vector<std::string> command)
      : child_{std::move(command)}, port_{port_in(child_.read_line().value_or(""))} {}

  [[nodiscard]] Address address() const { return loopback(port_); }
  [[nodiscard]] Child& child() { return child_; }
  [[nodiscard]] bool ends_well() {
    child_.signal(SIGINT);
    return child_.wait() == 0;
  }

 private:
  Child child_;
  std::uint16_t port_;
};

std::string line_of(Client& client) {
  std::string line;
  while (!line.ends_with('\n')) {
    const std::string next = client.receive_exactly(1);
    if (next.empty()) break;
    line += next;
  }
  return line;
}

// A message of the codec example.
std::string frame(const std::string& text) {
  std::string head;
  for (const int shift : {24, 16, 8, 0}) head += static_cast<char>(text.size() >> shift & 0xFF);
  return head + text;
}

}  // namespace

TEST_CASE("the offload example answers from its workers, in whatever order they finish") {
  Example example{{RINGWIRE_EXAMPLE_OFFLOAD, "0"}};
  Client client{example.address()};
  REQUIRE(client.send_all("100\n"));
  CHECK(line_of(client) == "25 below 100\n");
  REQUIRE(client.send_all("10\n20\n"));
  const std::string first = line_of(client);
  const std::string second = line_of(client);
  CHECK((first == "4 below 10\n" || second == "4 below 10\n"));
  CHECK((first == "8 below 20\n" || second == "8 below 20\n"));
  client.close();
  CHECK(example.ends_well());
}

TEST_CASE("the echo example serves TCP, UDP and unix sockets, as it is told") {
  Example tcp{{RINGWIRE_EXAMPLE_ECHO, "0"}};
  CHECK(Client{tcp.address()}.exchange("over tcp") == "over tcp");
  CHECK(tcp.ends_well());
  Example udp{{RINGWIRE_EXAMPLE_ECHO, "udp://127.0.0.1:0"}};
  CHECK(DatagramClient{udp.address()}.exchange("over udp") == "over udp");
  CHECK(udp.ends_well());
  const Directory directory;
  const std::string path = directory / "echo";
  Example local{{RINGWIRE_EXAMPLE_ECHO, "unix://" + path}};
  CHECK(Client{unix_address(path)}.exchange("over unix") == "over unix");
  CHECK(local.ends_well());
}

TEST_CASE("the chat example tells everybody what anybody says") {
  Example example{{RINGWIRE_EXAMPLE_CHAT, "0"}};
  Client first{example.address()};
  CHECK(line_of(first) == "guest 1 comes in\n");
  Client second{example.address()};
  CHECK(line_of(first) == "guest 2 comes in\n");
  CHECK(line_of(second) == "guest 2 comes in\n");
  REQUIRE(second.send_all("hello\nhow are"));
  REQUIRE(first.send_all("hi\n"));
  REQUIRE(second.send_all(" you?\n"));
  for (Client* client : {&first, &second}) {
    std::multiset<std::string> lines;
    for (int count = 0; count < 3; ++count) lines.insert(line_of(*client));
    CHECK(lines ==
          std::multiset<std::string>{"guest 2: hello\n", "guest 2: how are you?\n", "guest 1: hi\n"});
  }
  REQUIRE(second.send_all(std::string(1001, 'x')));  // No end of the line in sight.
  CHECK(second.expect_eof());
  second.close();
  CHECK(line_of(first) == "guest 2 leaves\n");
  first.close();
  CHECK(example.ends_well());
}

TEST_CASE("the push example tells whoever is connected, from a thread of its own") {
  Example example{{RINGWIRE_EXAMPLE_PUSH, "0", "20"}};
  Client first{example.address()};
  Client second{example.address()};
  for (Client* client : {&first, &second}) {
    const std::string line = line_of(*client);
    CHECK(line.starts_with("tick "));
    CHECK(line_of(*client) == "tick " + std::to_string(port_in(line) + 1) + "\n");
  }
  CHECK(example.ends_well());
}

TEST_CASE("the codec example answers whole messages, however they were cut, and none beyond its limit") {
  Example example{{RINGWIRE_EXAMPLE_CODEC, "0"}};
  Client client{example.address()};
  std::string large(1 << 20, 'a');
  large.back() = 'z';
  const std::string sent = frame("hello") + frame("") + frame("word");
  for (std::size_t at = 0; at < sent.size(); at += 3) REQUIRE(client.send_all(sent.substr(at, 3)));
  const std::string answers = frame("olleh") + frame("") + frame("drow");
  CHECK(client.receive_exactly(answers.size()) == answers);
  CHECK((client.exchange(frame(large)) == frame(std::string{large.rbegin(), large.rend()})));
  REQUIRE(client.send_all(frame(large + "!").substr(0, 4)));
  CHECK(client.receive_until_eof() == frame("too long"));
  CHECK(client.at_eof());
  client.close();
  CHECK(example.ends_well());
}

TEST_CASE("the metrics example tells Prometheus what its echo has received") {
  Child child{{RINGWIRE_EXAMPLE_METRICS, "0", "0"}};
  const Address echo = loopback(port_in(child.read_line().value_or("")));
  const Address metrics = loopback(port_in(child.read_line().value_or("")));
  Client client{echo};
  CHECK(client.exchange("12345") == "12345");
  Client scraper{metrics};
  scraper.send_all("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const std::string page = scraper.receive_until_eof();
  CHECK_THAT(page, contains("# TYPE ringwire_received_bytes_total counter"));
  CHECK_THAT(page, contains("ringwire_accepted_total{loop=\"0\"}"));
  client.close();
  child.signal(SIGINT);
  CHECK(child.wait() == 0);
}

TEST_CASE("the per-loop example counts what each loop did, without an atomic") {
  Child child{{RINGWIRE_EXAMPLE_PER_LOOP, "0", "2"}};
  const Address address = loopback(port_in(child.read_line().value_or("")));
  for (int round = 0; round < 3; ++round) {  // By turns: two for loop 0, one for loop 1.
    Client client{address};
    CHECK(client.exchange("12345") == "12345");
  }
  child.signal(SIGINT);
  CHECK(child.read_line().value_or("") == "loop 0: 2 connections, 10 bytes");
  CHECK(child.read_line().value_or("") == "loop 1: 1 connections, 5 bytes");
  CHECK(child.wait() == 0);
}

TEST_CASE("the client example connects, sends, prints what comes, and ends with the other side") {
  Example server{{RINGWIRE_EXAMPLE_ECHO, "tcp://127.0.0.1:0"}};
  const std::string address = url_of(server.address());
  Child client{{RINGWIRE_EXAMPLE_CLIENT, address, "hello\n"}};
  CHECK(client.read_line() == "hello");
  CHECK(client.wait() == 0);
  CHECK(server.ends_well());
  Child alone{{RINGWIRE_EXAMPLE_CLIENT, address, "hello\n"}};
  CHECK(alone.wait() == 1);
}

TEST_CASE("the sessions example tells everybody what anybody says, until he says goodbye") {
  Example example{{RINGWIRE_EXAMPLE_SESSIONS, "0"}};
  const DatagramClient first{example.address()};
  CHECK(first.exchange("hi\n") == "guest 1 comes in\n");
  CHECK(first.receive() == "guest 1: hi\n");
  const DatagramClient second{example.address()};
  CHECK(second.exchange("hello\n") == "guest 2 comes in\n");
  for (const DatagramClient* client : {&first, &second}) {
    if (client == &first) CHECK(client->receive() == "guest 2 comes in\n");
    CHECK(client->receive() == "guest 2: hello\n");
  }
  CHECK(second.exchange("bye\n") == "guest 2 leaves\n");
  CHECK(first.receive() == "guest 2 leaves\n");
  CHECK(example.ends_well());
}

TEST_CASE("the timers example shows the silent the door, and tells the others the time") {
  Example example{{RINGWIRE_EXAMPLE_TIMERS, "0", "100"}};
  Client silent{example.address()};
  CHECK(silent.receive_until_eof() == "say something\ntoo late\n");
  CHECK(silent.at_eof());
  silent.close();

  Client guest{example.address()};
  CHECK(line_of(guest) == "say something\n");
  REQUIRE(guest.send_all("hello\n"));
  CHECK(line_of(guest) == "tick 1\n");
  REQUIRE(guest.send_all("again\n"));
  CHECK(line_of(guest) == "tick 2\n");
  CHECK(line_of(guest) == "tick 3\n");
  guest.close();
  CHECK(example.ends_well());
}

}  // namespace ringwire::test

#endif
