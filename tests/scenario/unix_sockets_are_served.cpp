// Unix stream sockets, by path and by abstract name, are served and connected to as TCP is.
//
// Leaves to others: what a connection does (all other files; nothing of it depends on the kind of socket).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/directory.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>

namespace ringwire::test {
namespace {

std::string abstract_name() {
  static std::atomic<int> number = 0;
  return "@ringwire-test-" + std::to_string(::getpid()) + "-" + std::to_string(number++);
}

std::string at(const std::string& name) {
  return "unix://" + name;
}

Options with_loops(std::size_t loops) {
  Options options = quiet();
  options.loops = loops;
  return options;
}

void expect_echo(TestServer& server, RecordingHandler& handler) {
  constexpr std::size_t count = 10;
  REQUIRE_FALSE(server.addresses().empty());
  {
    const std::vector<Client> clients = connect_many(server.address(), count);
    std::vector<std::string> sent;
    for (std::size_t index = 0; index < count; ++index) sent.push_back(random_bytes(index, 1 << 20));
    const std::vector<std::string> received = exchange_all(clients, sent);
    for (std::size_t index = 0; index < count; ++index) {
      INFO("client " << index);
      CHECK((received[index] == sent[index]));
    }
    CHECK(server.wait_count(count));
  }
  CHECK(handler.wait_closed(count));
  CHECK(server.wait_count(0));
  CHECK_FALSE(server.stop());
  CHECK(handler.record().opened == count);
}

// Leaves a socket's file behind, as a server does that is killed.
void leave_dead_socket(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  REQUIRE(::bind(fd, static_cast<sockaddr*>(static_cast<void*>(&name)), sizeof name) == 0);
  ::close(fd);
  REQUIRE(std::filesystem::exists(path));
}

}  // namespace

TEST_CASE("ten clients exchange a mebibyte each over a unix path, on one loop and on two", "[features]") {
  const Directory directory;
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler, with_loops(GENERATE(1U, 2U)), {at(directory / "x")}};
  expect_echo(server, handler);
}

TEST_CASE("ten clients exchange a mebibyte each over an abstract name, on one loop and on two") {
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler, with_loops(GENERATE(1U, 2U)), {at(abstract_name())}};
  expect_echo(server, handler);
}

TEST_CASE("one engine serves TCP, a path and an abstract name at the same time") {
  const Directory directory;
  const std::string name = abstract_name();
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler, with_loops(2), {"tcp://127.0.0.1:0", at(directory / "x"), at(name)}};
  REQUIRE(server.addresses().size() == 3);
  CHECK(server.addresses()[1].to_string() == "unix:" + directory / "x");
  CHECK(server.addresses()[2].to_string() == "unix:" + name);
  for (const Address& address : server.addresses()) {
    Client client{address};
    CHECK(client.exchange("hello") == "hello");
  }
  CHECK(handler.wait_closed(3));
}

TEST_CASE("a unix path may be relative") {
  const Directory directory;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(directory / "");
  {
    RecordingHandler handler;
    handler.traffic = echo;
    TestServer server{handler, quiet(), {"unix://relative.sock"}};
    REQUIRE(server.addresses().size() == 1);
    CHECK(server.address().to_string() == "unix:relative.sock");
    CHECK(Client{server.address()}.exchange("hello") == "hello");
  }
  CHECK_FALSE(std::filesystem::exists("relative.sock"));
  std::filesystem::current_path(before);
}

TEST_CASE("a socket file that nobody listens on is replaced") {
  const Directory directory;
  leave_dead_socket(directory / "x");
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler, quiet(), {at(directory / "x")}};
  REQUIRE(server.addresses().size() == 1);
  CHECK(Client{server.address()}.exchange("hello") == "hello");
}

TEST_CASE("a path that somebody listens on is address_in_use, and its server is not disturbed") {
  const Directory directory;
  RecordingHandler first;
  first.traffic = echo;
  TestServer server{first, quiet(), {at(directory / "x")}};
  REQUIRE(server.addresses().size() == 1);
  RecordingHandler second;
  TestServer late{second, quiet(), {at(directory / "x")}};
  CHECK(late.join() == std::errc::address_in_use);
  CHECK_THAT(late.explanation(),
             Catch::Matchers::StartsWith(at(directory / "x") + ": ") && contains("ss -lxp"));
  CHECK(Client{server.address()}.exchange("hello") == "hello");
}

TEST_CASE("an abstract name that somebody listens on is address_in_use") {
  const std::string name = abstract_name();
  RecordingHandler first;
  TestServer server{first, quiet(), {at(name)}};
  RecordingHandler second;
  TestServer late{second, quiet(), {at(name)}};
  CHECK(late.join() == std::errc::address_in_use);
}

TEST_CASE("a file that is no socket is never removed") {
  const Directory directory;
  std::ofstream{directory / "x"} << "precious";
  RecordingHandler handler;
  TestServer server{handler, quiet(), {at(directory / "x")}};
  CHECK(server.join() == std::errc::address_in_use);
  CHECK_THAT(server.explanation(), contains("no socket"));
  std::string word;
  std::ifstream{directory / "x"} >> word;
  CHECK(word == "precious");
}

TEST_CASE("a path in a directory that is not there is an error that says what helps") {
  const Directory directory;
  RecordingHandler handler;
  TestServer server{handler, quiet(), {at(directory / "none/x")}};
  CHECK(server.join() == std::errc::no_such_file_or_directory);
  CHECK_THAT(server.explanation(), contains("directory that exists"));
}

TEST_CASE("a path that is too long for a unix socket is refused with the limit") {
  RecordingHandler handler;
  TestServer server{handler, quiet(), {at("/" + std::string(107, 'x'))}};
  CHECK(server.join() == Error::invalid_address);
  CHECK_THAT(server.explanation(), contains("107"));
}

TEST_CASE("when the engine has stopped its socket file is gone, and can be had again at once") {
  const Directory directory;
  for (int round = 0; round < 3; ++round) {
    RecordingHandler handler;
    handler.traffic = echo;
    TestServer server{handler, with_loops(1 + static_cast<std::size_t>(round) % 2), {at(directory / "x")}};
    REQUIRE(server.addresses().size() == 1);
    CHECK(Client{server.address()}.exchange("hello") == "hello");
    CHECK_FALSE(server.stop());
    CHECK_FALSE(std::filesystem::exists(directory / "x"));
  }
}

TEST_CASE("a socket file that another server has taken over is left to it") {
  const Directory directory;
  RecordingHandler first;
  TestServer server{first, quiet(), {at(directory / "x")}};
  std::filesystem::remove(directory / "x");
  RecordingHandler second;
  second.traffic = echo;
  TestServer heir{second, quiet(), {at(directory / "x")}};
  REQUIRE(heir.addresses().size() == 1);
  CHECK_FALSE(server.stop());
  CHECK(Client{heir.address()}.exchange("hello") == "hello");
}

TEST_CASE("a loop connects to a unix socket") {
  const Directory directory;
  const std::string name = GENERATE(true, false) ? directory / "far" : abstract_name();
  RecordingHandler far;
  far.traffic = echo;
  const TestServer far_server{far, quiet(), {at(name)}};
  RecordingHandler near;
  Address remote;
  near.open = [&](Conn& conn) {
    remote = conn.remote_address();
    conn.write("hello");
    return Action::none;
  };
  std::string answer;
  near.traffic = [&](Conn& conn) {
    answer += to_text(conn.next());
    if (answer == "hello") near.note("answered");
    return Action::none;
  };
  TestServer near_server{near, quiet(), {at(directory / "near")}};
  CHECK_FALSE(near_server.engine().loop(0).connect(at(name)));
  CHECK(near.wait_noted("answered"));
  near_server.stop();
  CHECK(remote.to_string() == "unix:" + name);
}

TEST_CASE("a connect to a unix socket that is not there, or that is dead, is answered with the reason") {
  const Directory directory;
  leave_dead_socket(directory / "dead");
  RecordingHandler handler;
  TestServer server{handler};
  const LoopRef loop = server.engine().loop(0);
  CHECK_FALSE(loop.connect(at(directory / "none"), [&](std::error_code error) {
    handler.note(error == std::errc::no_such_file_or_directory ? "none" : error.message());
  }));
  CHECK_FALSE(loop.connect(at(directory / "dead"), [&](std::error_code error) {
    handler.note(error == std::errc::connection_refused ? "dead" : error.message());
  }));
  CHECK(handler.wait_noted("none"));
  CHECK(handler.wait_noted("dead"));
  CHECK(loop.connect("unix://") == Error::invalid_address);
}

TEST_CASE("a unix peer has no name, but credentials; a TCP peer has none") {
  const Directory directory;
  RecordingHandler handler;
  std::string local;
  std::string remote;
  std::optional<PeerCredentials> unix_peer;
  std::optional<PeerCredentials> tcp_peer;
  handler.open = [&](Conn& conn) {
    if (conn.local_address().family == Address::Family::unix_socket) {
      local = conn.local_address().to_string();
      remote = conn.remote_address().to_string();
      unix_peer = conn.peer_credentials();
    } else {
      tcp_peer = conn.peer_credentials();
    }
    return Action::none;
  };
  TestServer server{handler, quiet(), {at(directory / "x"), "tcp://127.0.0.1:0"}};
  REQUIRE(server.addresses().size() == 2);
  const Client client{server.addresses()[0]};
  const Client other{server.addresses()[1]};
  REQUIRE(handler.wait_opened(2));
  server.stop();
  CHECK(local == "unix:" + directory / "x");
  CHECK(remote == "unix:");
  REQUIRE(unix_peer.has_value());
  CHECK(unix_peer->process == ::getpid());
  CHECK(unix_peer->user == ::geteuid());
  CHECK(unix_peer->group == ::getegid());
  CHECK_FALSE(tcp_peer.has_value());
}

TEST_CASE("TCP options do not disturb a unix socket") {
  const Directory directory;
  Options options = quiet();
  options.tcp_keepalive = std::chrono::seconds{30};
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler, options, {at(directory / "x")}};
  REQUIRE(server.addresses().size() == 1);
  CHECK(Client{server.address()}.exchange("hello") == "hello");
}

TEST_CASE("what a handler writes before it closes a unix connection is delivered, then the end") {
  const Directory directory;
  RecordingHandler handler;
  const std::string bytes = random_bytes(3, 1 << 20);
  handler.open = [&](Conn& conn) {
    conn.write(bytes);
    return Action::close;
  };
  TestServer server{handler, quiet(), {at(directory / "x")}};
  REQUIRE(server.addresses().size() == 1);
  Client client{server.address()};
  CHECK((client.receive_until_eof() == bytes));
  client.close();
  REQUIRE(handler.wait_closed(1));
  CHECK(handler.record().reasons[0] == std::error_code{});
}

TEST_CASE("a unix client's last bytes and its end reach the handler in order") {
  const Directory directory;
  RecordingHandler handler;
  std::string got;
  handler.traffic = [&](Conn& conn) {
    got += to_text(conn.next());
    return Action::none;
  };
  TestServer server{handler, quiet(), {at(directory / "x")}};
  REQUIRE(server.addresses().size() == 1);
  const std::string bytes = random_bytes(4, 300'000);
  {
    Client client{server.address()};
    CHECK(client.send_all(bytes));
  }
  REQUIRE(handler.wait_closed(1));
  server.stop();
  CHECK((got == bytes));
  CHECK(handler.record().reasons[0] == Error::end_of_stream);
}

}  // namespace ringwire::test
