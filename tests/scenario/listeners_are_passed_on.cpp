// A listening socket outlives its engine: it is duplicated, left to another process, taken over; and no
// client notices.
//
// Leaves to others: stopping (engine_stops.cpp), files of unix sockets (unix_sockets_are_served.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/directory.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>

namespace ringwire::test {
namespace {

std::string fd_url(int fd) {
  return "fd://" + std::to_string(fd);
}

int duplicate(TestServer& server) {
  int fd = -1;
  CHECK_FALSE(server.engine().dup_listener(0, fd));
  return fd;
}

// Echoes; who has not been answered when the engine stops is answered first.
struct Polite {
  Polite() {
    handler.traffic = [this](Conn& conn) {
      conn.write(conn.next());
      if (conn.context<bool>() == nullptr) conn.emplace_context<bool>(true);
      return draining ? Action::close : Action::none;
    };
    handler.drain = [this](Conn& conn) {
      draining = true;
      return conn.context<bool>() != nullptr ? Action::close : Action::none;
    };
  }

  RecordingHandler handler;
  std::atomic<bool> draining = false;
};

// Threads that connect, ask, look at the answer and leave, again and again.
class Visitors {
 public:
  explicit Visitors(const Address& address) {
    for (int index = 0; index < 3; ++index) {
      threads_.emplace_back([this, address] {
        while (running_) {
          Client client{address};
          count(client.ok() && client.exchange("question") == "question");
        }
      });
    }
  }
  Visitors(const Visitors&) = delete;
  Visitors& operator=(const Visitors&) = delete;
  ~Visitors() { leave(); }

  void leave() {
    running_ = false;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  [[nodiscard]] bool wait_served(int more) {
    std::unique_lock lock{mutex_};
    const int wanted = served_ + more;
    return counted_.wait_for(lock, patience, [&] { return served_ >= wanted; });
  }
  [[nodiscard]] int lost() {
    const std::lock_guard lock{mutex_};
    return lost_;
  }

 private:
  void count(bool is_served) {
    const std::lock_guard lock{mutex_};
    (is_served ? served_ : lost_) += 1;
    counted_.notify_all();
  }

  std::atomic<bool> running_ = true;
  std::mutex mutex_;
  std::condition_variable counted_;
  int served_ = 0;  // Under mutex_.
  int lost_ = 0;    // Under mutex_.
  std::vector<std::thread> threads_;
};

void expect_no_loss(std::size_t loops, const std::string& url) {
  Options options = quiet();
  options.loops = loops;
  options.stop_timeout = std::chrono::seconds{20};
  std::vector<std::unique_ptr<Polite>> handlers;
  handlers.push_back(std::make_unique<Polite>());
  auto server = std::make_unique<TestServer>(handlers.back()->handler, options, std::vector{url});
  REQUIRE(server->addresses().size() == 1);
  const Address address = server->address();
  Visitors visitors{address};
  for (int round = 0; round < 5; ++round) {
    CHECK(visitors.wait_served(20));
    const int fd = duplicate(*server);
    handlers.push_back(std::make_unique<Polite>());
    auto heir = std::make_unique<TestServer>(handlers.back()->handler, options, std::vector{fd_url(fd)});
    REQUIRE(heir->addresses() == std::vector{address});
    CHECK_FALSE(server->stop());
    server = std::move(heir);
  }
  CHECK(visitors.wait_served(20));
  visitors.leave();
  CHECK(visitors.lost() == 0);
  CHECK_FALSE(server->stop());
}

}  // namespace

TEST_CASE("engines follow each other on one socket, and no client is refused, reset or left alone",
          "[features]") {
  expect_no_loss(GENERATE(1U, 2U), "tcp://127.0.0.1:0");
}

TEST_CASE("engines follow each other on one unix socket, whose file stays") {
  const Directory directory;
  expect_no_loss(2, "unix://" + directory / "x");
  CHECK(std::filesystem::exists(directory / "x"));
}

TEST_CASE("a duplicate of a listener is the caller's own, and close-on-exec") {
  RecordingHandler handler;
  TestServer server{handler};
  const int fd = duplicate(server);
  REQUIRE(fd >= 0);
  CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  const Address address = server.address();
  CHECK_FALSE(server.stop());
  const Client client{address};
  CHECK(client.ok());  // In the backlog of a socket that is still open.
  ::close(fd);
  CHECK(Client{address}.error() == ECONNREFUSED);
}

TEST_CASE("a listener can be duplicated from on_boot on") {
  RecordingHandler handler;
  int fd = -1;
  handler.boot = [&](Engine& engine) { return engine.dup_listener(0, fd) ? Action::shutdown : Action::none; };
  TestServer server{handler};
  CHECK_FALSE(server.stop());
  CHECK(fd >= 0);
  ::close(fd);
}

TEST_CASE("a listener that is being closed cannot be duplicated") {
  RecordingHandler handler;
  int fd = -1;
  std::error_code answer;
  handler.shutdown = [&](Engine& engine) { answer = engine.dup_listener(0, fd); };
  TestServer server{handler};
  CHECK_FALSE(server.stop());
  CHECK(answer == Error::engine_stopped);
  CHECK(fd == -1);
}

TEST_CASE("a descriptor that is no listener is refused, and says why") {
  RecordingHandler handler;
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  TestServer server{handler, quiet(), {fd_url(fd)}};
  CHECK(server.join() == std::errc::invalid_argument);
  CHECK_THAT(server.explanation(), contains("no stream socket that listens"));
  ::close(fd);
  TestServer other{handler, quiet(), {fd_url(fd)}};
  CHECK(other.join() == std::errc::bad_file_descriptor);
}

TEST_CASE("without LISTEN_FDS there is nothing that systemd left") {
  RecordingHandler handler;
  TestServer server{handler, quiet(), {"systemd://"}};
  CHECK(server.join() == Error::invalid_address);
  CHECK_THAT(server.explanation(), contains("LISTEN_FDS"));
}

TEST_CASE("sockets left as systemd leaves them are served") {
  RecordingHandler handler;
  TestServer server{handler};
  const int fd = duplicate(server);
  const Address address = server.address();
  CHECK_FALSE(server.stop());
  // The variables name the process that is to have the sockets: the shell becomes it.
  Child child{{"/bin/sh", "-c",
               "export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web; exec \"$0\" address=systemd://web",
               RINGWIRE_SCENARIO_HELPER},
              fd};
  ::close(fd);
  CHECK(child.read_line().value_or("") == "listening " + std::to_string(address.port));
  Client client{address};
  CHECK(client.exchange("hello") == "hello");
  CHECK(child.ask("stop") == "ok");
}

#ifdef RINGWIRE_EXAMPLE_HAND_OVER
TEST_CASE("the hand_over example replaces itself on SIGHUP, and no client notices") {
  Child child{{RINGWIRE_EXAMPLE_HAND_OVER, "tcp://127.0.0.1:0"}};
  // "serving PID 127.0.0.1:PORT"
  const auto words = [&] {
    const std::string line = child.read_line().value_or("serving 0 0:0");
    const std::size_t space = line.rfind(' ');
    return std::pair{std::stoi(line.substr(8)), line.substr(space + 1)};
  };
  const auto [first, address] = words();
  REQUIRE(first == child.pid());
  const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  Visitors visitors{loopback(port)};
  CHECK(visitors.wait_served(20));
  child.signal(SIGHUP);
  const auto [second, same_address] = words();
  CHECK(second != first);
  CHECK(same_address == address);
  CHECK(child.wait() == 0);
  CHECK(visitors.wait_served(20));
  visitors.leave();
  CHECK(visitors.lost() == 0);
  REQUIRE(second > 0);
  ::kill(second, SIGTERM);
}
#endif

}  // namespace ringwire::test
