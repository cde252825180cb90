// An engine that cannot start says why, and what to do; it never says it by crashing or by serving half.
//
// Leaves to others: a port that is taken (port_is_used_again.cpp).
#include "tests/scenario/failed_start.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

#include <unistd.h>

#include <cerrno>

namespace ringwire::test {
namespace {

constexpr auto nobody = "user=65534";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void expect_address_refused(const std::string& address, Error expected) {
  INFO(address);
  const std::size_t before = open_descriptors();
  RecordingHandler handler;
  TestServer server{handler, quiet(), {address}};
  CHECK(server.join() == expected);
  CHECK(contains(server.explanation(), address));
  CHECK(handler.record().boots == 0);
  CHECK(open_descriptors() == before);
}

void expect_option_refused(const char* name, const Options& options) {
  INFO(name);
  RecordingHandler handler;
  TestServer server{handler, options};
  CHECK(server.join() == Error::invalid_option);
  CHECK(contains(server.explanation(), name));
  CHECK(handler.record().boots == 0);
}

std::string ended(Error error) {
  return "ended ringwire " + std::to_string(static_cast<int>(error)) + "\n";
}

}  // namespace

TEST_CASE("an unknown protocol is answered unsupported_protocol") {
  expect_address_refused("tulip://howdy", Error::unsupported_protocol);
  expect_address_refused("tulip://127.0.0.1:80", Error::unsupported_protocol);
}

TEST_CASE("an address that is none is answered invalid_address, and named") {
  for (const char* address :
       {"howdy", "tcp://", "tcp://localhost", "tcp://localhost:8080/foo",
        "tcp://127.0.0.1:", "tcp://127.0.0.1:x", "tcp://127.0.0.1:70000", "tcp://127.0.0.1:-1",
        "tcp://[::1:80", "tcp://::1:80", "tcp://[127.0.0.1]:80", "unix://", "unix://@"}) {
    expect_address_refused(address, Error::invalid_address);
  }
}

TEST_CASE("an empty address and an empty list are answered invalid_address") {
  RecordingHandler handler;
  CHECK(run(handler, "", quiet()) == Error::invalid_address);
  CHECK(run(handler, std::span<const std::string_view>{}, quiet()) == Error::invalid_address);
}

TEST_CASE("an address this host does not have cannot be listened on") {
  RecordingHandler handler;
  TestServer server{handler, quiet(), {"tcp://198.51.100.77:0"}};
  CHECK(server.join() == std::errc::address_not_available);
  CHECK(contains(server.explanation(), "198.51.100.77"));
}

TEST_CASE("a bad count of threads or connections is refused by name") {
  Options options = quiet();
  options.loops = 1025;
  expect_option_refused("loops", options);
  options = quiet();
  options.connections_max = 0;
  expect_option_refused("connections_max", options);
  options = quiet();
  options.connections_max = (1 << 24) + 1;
  expect_option_refused("connections_max", options);
  options = quiet();
  options.mailbox_max = 0;
  expect_option_refused("mailbox_max", options);
}

TEST_CASE("a bad size of the rings and buffers is refused by name") {
  for (const std::size_t count : {0, 3, 65536}) {
    Options options = quiet();
    options.recv_buffers_count = count;
    expect_option_refused("recv_buffers_count", options);
  }
  for (const std::size_t size : {0, 63, (1 << 20) + 1}) {
    Options options = quiet();
    options.recv_buffer_size = size;
    expect_option_refused("recv_buffer_size", options);
  }
  for (const std::size_t entries : {0, 2, 5, 65536}) {
    Options options = quiet();
    options.sq_entries = entries;
    options.cq_entries = 65536;
    expect_option_refused("sq_entries", options);
  }
  for (const std::size_t entries : {0, 4, 1024, 3000, 131072}) {
    Options options = quiet();
    options.cq_entries = entries;
    expect_option_refused("cq_entries", options);
  }
}

TEST_CASE("marks in the wrong order are refused by name") {
  Options options = quiet();
  options.outbound_low_mark = options.outbound_high_mark + 1;
  expect_option_refused("outbound_low_mark", options);
  options = quiet();
  options.outbound_limit = options.outbound_high_mark - 1;
  expect_option_refused("outbound_limit", options);
}

TEST_CASE("times that cannot be are refused by name") {
  Options options = quiet();
  options.close_timeout = std::chrono::milliseconds{0};
  expect_option_refused("close_timeout", options);
  options = quiet();
  options.idle_timeout = std::chrono::milliseconds{-1};
  expect_option_refused("idle_timeout", options);
  options = quiet();
  options.stop_timeout = std::chrono::milliseconds{-1};
  expect_option_refused("stop_timeout", options);
  options = quiet();
  options.tcp_keepalive = std::chrono::seconds{-1};
  expect_option_refused("tcp_keepalive", options);
}

TEST_CASE("an unknown feature in the mask is refused by name") {
  Options options = quiet();
  options.mask = "no_such_feature";
  expect_option_refused("mask", options);
}

TEST_CASE("where a filter forbids io_uring and nothing else will do, the start fails with a cure") {
  const std::string output = failed_start({"deny=" + std::to_string(EPERM), "kernel=uring"});
  INFO(output);
  CHECK(contains(output, ended(Error::io_uring_forbidden)));
  CHECK(contains(output, "seccomp"));
  CHECK(contains(output, "io_uring_disabled"));
  CHECK(contains(output, "Options::kernel"));
  CHECK_FALSE(contains(output, "listening"));
  CHECK(contains(output, "exit 3"));
}

TEST_CASE(
    "where the kernel has no io_uring and nothing else will do, the start fails with the version needed") {
  const std::string output = failed_start({"deny=" + std::to_string(ENOSYS), "kernel=uring"});
  INFO(output);
  CHECK(contains(output, ended(Error::kernel_too_old)));
  CHECK(contains(output, "6.1"));
  CHECK(contains(output, "exit 3"));
}

TEST_CASE("an unknown kernel is refused, and the known ones are named") {
  const std::string output = failed_start({"kernel=windows"});
  INFO(output);
  CHECK(contains(output, ended(Error::invalid_option)));
  CHECK(contains(output, "'windows'"));
  CHECK(contains(output, "automatic, uring and epoll"));
  CHECK(contains(output, "exit 3"));
}

TEST_CASE("too few descriptors for the start are answered with a cure, on one loop and on many") {
  // Enough for the standard ones and the helper's own, and each time a little more: whatever step fails, it
  // is told.
  for (int limit = 5; limit <= 8; ++limit) {
    for (const char* loops : {"loops=1", "loops=8"}) {
      const std::string output = failed_start({"nofile=" + std::to_string(limit), loops});
      INFO(limit << ' ' << loops << '\n' << output);
      if (contains(output, "listening") && !contains(output, "because")) continue;
      CHECK(contains(output, "ended system " + std::to_string(EMFILE)));
      CHECK(contains(output, "ulimit -n"));
    }
  }
}

TEST_CASE("with 64 KiB of locked memory an unprivileged engine serves, or says how much it needs") {
  if (geteuid() != 0) {
    skip("needs root to become nobody");
    return;
  }
  Child child{{RINGWIRE_SCENARIO_HELPER, nobody, "memlock=65536"}};
  const std::string first = child.read_line().value_or("");
  if (first.starts_with("listening ")) {
    Client client{loopback(static_cast<std::uint16_t>(std::stoi(first.substr(10))))};
    if (client.ok() && client.exchange("small") == "small") return;
  }
  std::string output = first + "\n";
  while (const auto line = child.read_line()) output += *line + "\n";
  INFO(output);
  CHECK(contains(output, ended(Error::memlock_too_small)));
  CHECK((contains(output, "65536") || contains(output, "64 KiB")));
  CHECK(contains(output, "ulimit -l"));
}

TEST_CASE("as nobody with 8 MiB of locked memory two loops serve byte-exact") {
  if (geteuid() != 0) {
    skip("needs root to become nobody");
    return;
  }
  Child child{{RINGWIRE_SCENARIO_HELPER, nobody, "memlock=8388608", "loops=2"}};
  const std::string first = child.read_line().value_or("");
  REQUIRE(first.starts_with("listening "));
  Client client{loopback(static_cast<std::uint16_t>(std::stoi(first.substr(10))))};
  const std::string sent = random_bytes(8, 1 << 20);
  CHECK((client.exchange(sent) == sent));
  client.close();
  CHECK(child.ask("stop") == "ok");
  CHECK(child.read_line().value_or("") == "ended system 0");
  CHECK(child.wait() == 0);
}

}  // namespace ringwire::test
