// Where io_uring is forbidden or absent, the engine serves over epoll, and says so once.
//
// Leaves to others: a start that insists on io_uring (start_fails.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/process.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

namespace ringwire::test {
namespace {

// The helper's lines up to the one that says where it listens, and what it says at the end.
struct Run {
  explicit Run(std::vector<std::string> words) : child{command(std::move(words))} {
    while (port == 0) {
      const auto line = child.read_line();
      if (!line) return;
      lines.push_back(*line);
      if (line->starts_with("listening ")) port = static_cast<std::uint16_t>(std::stoi(line->substr(10)));
    }
  }

  static std::vector<std::string> command(std::vector<std::string> words) {
    words.insert(words.begin(), {RINGWIRE_SCENARIO_HELPER, "log"});
    return words;
  }

  // Stops it; answers its exit code.
  int stop() {
    child.write_line("stop");
    while (const auto line = child.read_line()) lines.push_back(*line);
    return child.wait().value_or(-1);
  }

  [[nodiscard]] std::vector<std::string> lines_with(const std::string& part) const {
    std::vector<std::string> found;
    std::copy_if(lines.begin(), lines.end(), std::back_inserter(found),
                 [&](const std::string& line) { return line.find(part) != std::string::npos; });
    return found;
  }

  Child child;
  std::vector<std::string> lines;
  std::uint16_t port = 0;
};

void expect_epoll(const std::vector<std::string>& words, const std::string& cause, const std::string& cure) {
  Run run{words};
  REQUIRE(run.port != 0);
  std::vector<Client> clients = connect_many(loopback(run.port), 8);
  std::vector<std::string> sent;
  for (std::size_t index = 0; index < clients.size(); ++index) {
    sent.push_back(random_bytes(index, 100'000));
  }
  CHECK((exchange_all(clients, sent) == sent));
  for (Client& client : clients) client.close();
  CHECK(run.stop() == 0);

  const auto warnings = run.lines_with("log warn ");
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("epoll") != std::string::npos);
  CHECK(warnings[0].find(cause) != std::string::npos);
  CHECK(warnings[0].find(cure) != std::string::npos);
  CHECK(run.lines_with("loop(s) on epoll").size() == 1);
}

}  // namespace

TEST_CASE("where a filter forbids io_uring, one loop and several serve over epoll after one warning") {
  const std::string deny = "deny=" + std::to_string(EPERM);
  for (const char* loops : {"loops=1", "loops=3"}) {
    expect_epoll({deny, loops, "kernel=automatic"}, "not permitted", "seccomp");
  }
}

TEST_CASE("where the kernel has no io_uring, it serves over epoll after one warning") {
  expect_epoll({"deny=" + std::to_string(ENOSYS), "kernel=automatic"}, "not implemented", "6.1");
}

TEST_CASE("asked for by name, epoll serves without a warning") {
  Run run{{"kernel=epoll"}};
  REQUIRE(run.port != 0);
  Client client{loopback(run.port)};
  CHECK(client.exchange("hello") == "hello");
  client.close();
  CHECK(run.stop() == 0);
  CHECK(run.lines_with("log warn").empty());
  CHECK(run.lines_with("loop(s) on epoll").size() == 1);
}

TEST_CASE("where io_uring is allowed, it is used without a warning") {
  Run run{{"kernel=uring"}};
  if (run.port == 0) {
    skip("io_uring is forbidden here");
    return;
  }
  CHECK(run.stop() == 0);
  CHECK(run.lines_with("log warn").empty());
  CHECK(run.lines_with("loop(s) on io_uring").size() == 1);
}

}  // namespace ringwire::test
