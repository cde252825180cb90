// Under lockdown an engine serves as ever, and leaves nothing of io_uring to whoever takes a loop over.
//
// Leaves to others: what a locked ring refuses (tests/uring/lockdown_test.cpp). The cases tagged [features]
// run once more under lockdown (meson.build).
#include "tests/scenario/failed_start.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

namespace ringwire::test {
namespace {

Options locked(std::size_t loops, std::string_view mask = {}) {
  Options options = quiet();
  options.loops = loops;
  options.mask = mask;
  options.lockdown = true;
  return options;
}

// 0 when the calling thread can set up a ring, else the errno.
int ring_error() {
  io_uring_params params{};
  const long fd = ::syscall(SYS_io_uring_setup, 8, &params);
  if (fd < 0) return errno;
  ::close(static_cast<int>(fd));
  return 0;
}

using Threads = std::map<std::string, std::string>;

// A field of each of the engine's threads in /proc, by the threads' names.
Threads engine_threads(const std::string& field) {
  Threads found;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/task"}) {
    std::ifstream file{entry.path() / "status"};
    std::string name;
    std::string key;
    std::string value;
    while (file >> key && std::getline(file >> std::ws, value)) {
      if (key == "Name:") name = value;
      if (key == field + ":" && name.starts_with("ringwire/")) found[name] = value;
    }
  }
  return found;
}

void expect_echo(std::size_t loops, std::string_view mask) {
  INFO(loops << " loops, mask '" << mask << "'");
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler, locked(loops, mask)};
  REQUIRE(server.addresses().size() == 1);
  {
    const std::vector<Client> clients = connect_many(server.address(), 16);
    std::vector<std::string> sent;
    for (std::size_t index = 0; index < clients.size(); ++index) sent.push_back(random_bytes(index, 100'000));
    CHECK((exchange_all(clients, sent) == sent));
  }
  CHECK(handler.wait_closed(16));
  CHECK_FALSE(server.stop());
}

// Answers each client with what setting up a ring says, in the handler or in a thread of the handler's.
Action try_a_ring(Conn& conn) {
  conn.write(std::to_string(ring_error()));
  return Action::close;
}
Action try_a_ring_aside(Conn& conn) {
  int error = 0;
  std::thread{[&] { error = ring_error(); }}.join();
  conn.write(std::to_string(error));
  return Action::close;
}

std::string answer(Client& client) {
  client.send_all("?");
  client.shutdown_write();
  return client.receive_until_eof();
}

}  // namespace

TEST_CASE("echo works under lockdown on one loop and on two, with all features and with none") {
  for (const std::size_t loops : {1U, 2U}) {
    for (const char* mask : {"", "wake_ring", "all"}) expect_echo(loops, mask);
  }
}

TEST_CASE("under lockdown a handler can set up no ring, and the program around the engine as before") {
  const int before = ring_error();  // 0, unless rings are forbidden to all of us.
  RecordingHandler handler;
  handler.traffic = try_a_ring;
  const TestServer server{handler, locked(2)};
  for (Client& client : connect_many(server.address(), 2)) {  // One for each loop.
    CHECK(answer(client) == std::to_string(EPERM));
  }
  CHECK(ring_error() == before);
}

TEST_CASE("a thread that a handler starts under lockdown can set up no ring either") {
  RecordingHandler handler;
  handler.traffic = try_a_ring_aside;
  const TestServer server{handler, locked(1)};
  Client client{server.address()};
  CHECK(answer(client) == std::to_string(EPERM));
}

TEST_CASE("under lockdown loops and balancer are filtered and gain no privileges") {
  RecordingHandler handler;
  handler.traffic = echo;
  const TestServer server{handler, locked(2)};
  CHECK(Client{server.address()}.exchange("all threads are up") == "all threads are up");
  CHECK(engine_threads("Seccomp") ==
        Threads{{"ringwire/0", "2"}, {"ringwire/1", "2"}, {"ringwire/bal", "2"}});
  CHECK(engine_threads("NoNewPrivs") ==
        Threads{{"ringwire/0", "1"}, {"ringwire/1", "1"}, {"ringwire/bal", "1"}});
}

TEST_CASE("without lockdown a handler is as free as the program around the engine") {
  const char* variable = std::getenv("RINGWIRE_LOCKDOWN");
  if (variable != nullptr && std::string{variable} == "1") {
    skip("RINGWIRE_LOCKDOWN is set");
    return;
  }
  RecordingHandler handler;
  handler.traffic = try_a_ring;
  const TestServer server{handler, quiet()};
  Client client{server.address()};
  CHECK(answer(client) == std::to_string(ring_error()));
}

TEST_CASE("an engine under lockdown starts, stops and starts again, and leaves nothing") {
  {
    RecordingHandler handler;
    const TestServer warm_up{handler, locked(2)};
  }
  CHECK(engine_threads_left().empty());
  const std::size_t before = open_descriptors();
  for (int round = 0; round < 10; ++round) {
    RecordingHandler handler;
    handler.traffic = echo;
    TestServer server{handler, locked(2)};
    CHECK(Client{server.address()}.exchange("again") == "again");
    CHECK_FALSE(server.stop());
  }
  CHECK(engine_threads_left().empty());
  CHECK(open_descriptors() == before);
}

TEST_CASE("where filters are forbidden, a lockdown that was asked for ends the start and says why") {
  const std::string output = failed_start({"lockdown", "loops=2", "deny_filters=" + std::to_string(EINVAL)});
  INFO(output);
  const std::string ended = "ended ringwire " + std::to_string(static_cast<int>(Error::lockdown_failed));
  for (const std::string& part :
       {ended, std::string{"seccomp"}, std::string{"CONFIG_SECCOMP_FILTER"}, std::string{"exit 3"}}) {
    CHECK(output.find(part) != std::string::npos);
  }
}

}  // namespace ringwire::test
