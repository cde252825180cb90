// Offloaded work: run once, told once, wherever it ends.
#include "lib/engine/workers.hpp"

#include <ringwire/error.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/script_kernel.hpp"
#include "tests/support/server.hpp"

#include <atomic>
#include <future>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace ringwire {
namespace {

using engine::Job;
using engine::Workers;
using test::Client;
using test::RecordingHandler;
using test::TestServer;

using Codes = std::vector<std::error_code>;

const std::error_code again = std::make_error_code(std::errc::resource_unavailable_try_again);

// A pool without threads, and a mailbox that no loop reads.
struct Stage {
  explicit Stage(std::size_t jobs_max) : workers{log, jobs_max} {}
  ~Stage() {
    std::vector<loop::Mail> rest;
    home->close(rest);
  }

  std::error_code add(Task work) {
    auto job = std::make_unique<Job>(
        Job{std::move(work), home, [this](loop::Loop*, std::error_code error) { told.push_back(error); }});
    return workers.add(job);
  }
  // Reads the letters as a loop would that has ended.
  void read() {
    std::vector<loop::Mail> letters;
    home->take(letters);
    for (loop::Mail& letter : letters) letter(nullptr, Error::closed);
  }

  test::ScriptKernel kernel;
  base::Log log{LogLevel::off, nullptr};
  std::shared_ptr<loop::Mailbox> home = std::make_shared<loop::Mailbox>(kernel, 1);
  Codes told;
  Workers workers;
};

TEST_CASE("jobs run in the order they came, and each is answered by a letter") {
  Stage at{10};
  std::vector<int> ran;
  for (int number = 0; number < 3; ++number) {
    CHECK_FALSE(at.add([&ran, number] { ran.push_back(number); }));
  }
  CHECK(at.workers.has_jobs());
  CHECK(ran.empty());
  while (at.workers.run_one()) {
  }
  CHECK(ran == std::vector<int>{0, 1, 2});
  CHECK_FALSE(at.workers.has_jobs());
  CHECK(at.told.empty());
  // Three letters, though the mailbox has room for one of other threads.
  at.read();
  CHECK(at.told == Codes(3, Error::closed));
}

TEST_CASE("a full pool refuses at once, and the job stays with who brought it") {
  Stage at{1};
  CHECK_FALSE(at.add([] {}));
  CHECK(at.add([] {}) == again);
  CHECK(at.workers.run_one());
  CHECK_FALSE(at.add([] {}));
}

TEST_CASE("work that throws is told as a failure") {
  Stage at{1};
  CHECK_FALSE(at.add([] { throw std::runtime_error("no"); }));
  CHECK(at.workers.run_one());
  at.read();
  CHECK(at.told == Codes{Error::handler_failed});
}

TEST_CASE("what work holds is destroyed before it is told") {
  Stage at{1};
  auto held = std::make_shared<int>(1);
  CHECK_FALSE(at.add([held] {}));
  CHECK(held.use_count() == 2);
  CHECK(at.workers.run_one());
  CHECK(held.use_count() == 1);
}

TEST_CASE("work that was not begun when everything stops is dropped and told") {
  Stage at{10};
  bool ran = false;
  CHECK_FALSE(at.add([&] { ran = true; }));
  CHECK_FALSE(at.add([&] { ran = true; }));
  at.workers.drop();
  CHECK(at.add([] {}) == Error::engine_stopped);
  at.read();
  CHECK_FALSE(ran);
  CHECK(at.told == Codes(2, Error::engine_stopped));
}

TEST_CASE("when the loop has gone whoever finds out tells") {
  Stage at{10};
  std::vector<loop::Mail> rest;
  at.home->close(rest);
  CHECK_FALSE(at.add([] {}));
  CHECK(at.workers.run_one());
  CHECK(at.told == Codes{Error::closed});
}

// ---- whole engines

Options with_workers(std::size_t count) {
  Options options = test::quiet();
  options.loops = 2;
  options.workers_count = count;
  return options;
}

TEST_CASE("offloaded work runs on another thread, and is told on the connection's loop") {
  RecordingHandler handler;
  Engine* engine = nullptr;
  handler.boot = [&](Engine& booted) {
    engine = &booted;
    return Action::none;
  };
  std::atomic<bool> was_elsewhere{false};
  handler.traffic = [&](Conn& conn) {
    conn.discard();
    engine->offload(
        conn.ref(), [&, home = conn.loop()] { was_elsewhere.store(!home.is_current()); },
        [](Conn* asker, std::error_code error) {
          asker->write(!error && asker->loop().is_current() ? "done" : "wrong");
        });
    return Action::none;
  };
  TestServer server{handler, with_workers(2)};
  REQUIRE_FALSE(server.addresses().empty());
  for (int round = 0; round < 4; ++round) {
    Client client{server.address()};
    REQUIRE(client.send_all("?"));
    CHECK(client.receive_exactly(4) == "done");
  }
  CHECK(was_elsewhere.load());
  CHECK_FALSE(server.stop());
}

TEST_CASE("work offloaded in on_boot waits for the workers; in a loop's task it comes back to that loop") {
  RecordingHandler handler;
  std::promise<std::error_code> booted;
  std::promise<bool> came_home;
  handler.boot = [&](Engine& engine) {
    engine.offload([] {}, [&](std::error_code error) { booted.set_value(error); });
    const LoopRef second = engine.loop(1);
    CHECK_FALSE(second.post([&, second] {
      engine.offload([] {}, [&, second](std::error_code) { came_home.set_value(second.is_current()); });
    }));
    return Action::none;
  };
  TestServer server{handler, with_workers(1)};
  CHECK_FALSE(booted.get_future().get());
  CHECK(came_home.get_future().get());
  CHECK_FALSE(server.stop());
}

TEST_CASE("an engine without workers refuses at once") {
  RecordingHandler handler;
  std::optional<std::error_code> told;
  handler.boot = [&](Engine& engine) {
    engine.offload([] {}, [&](std::error_code error) { told = error; });
    return Action::none;
  };
  TestServer server{handler};
  CHECK(told == std::make_error_code(std::errc::operation_not_supported));
  CHECK_FALSE(server.stop());
}

TEST_CASE("a pool that is full says so inside the call") {
  RecordingHandler handler;
  Options options = with_workers(1);
  options.offload_max = 1;
  Codes told;
  handler.boot = [&](Engine& engine) {  // No worker runs yet: the first job waits.
    engine.offload([] {});
    engine.offload([] {}, [&](std::error_code error) { told.push_back(error); });
    return Action::none;
  };
  TestServer server{handler, options};
  CHECK(told == Codes{again});
  CHECK_FALSE(server.stop());
}

TEST_CASE("an engine that stops finishes work in hand, and tells of all that was not begun") {
  RecordingHandler handler;
  std::atomic<int> begun{0};
  std::atomic<int> stopped{0};
  std::atomic<int> closed{0};
  std::promise<void> started;
  std::promise<void> go_on;
  handler.boot = [&](Engine& engine) {
    engine.offload(
        [&] {
          ++begun;
          started.set_value();
          go_on.get_future().wait();
        },
        [&](std::error_code error) { closed += error == Error::closed ? 1 : 0; });
    for (int count = 0; count < 5; ++count) {
      engine.offload([&] { ++begun; },
                     [&](std::error_code error) {
                       stopped += error == Error::engine_stopped ? 1 : 0;
                       closed += error == Error::closed ? 1 : 0;  // Begun before the worker was sent home.
                     });
    }
    return Action::none;
  };
  // The only loop ends at once; then the worker is sent home with what it has in hand.
  Options options = with_workers(1);
  options.loops = 1;
  TestServer server{handler, options};
  REQUIRE_FALSE(server.addresses().empty());
  started.get_future().wait();
  const LoopRef loop = server.engine().loop(0);
  CHECK_FALSE(server.engine().stop());
  while (loop.post([] {}) != Error::closed) std::this_thread::yield();
  go_on.set_value();
  CHECK_FALSE(server.join());
  CHECK(begun.load() + stopped.load() == 6);
  CHECK(closed.load() == begun.load());
}

}  // namespace
}  // namespace ringwire
