// Tasks go to a loop from any thread: each runs once, there, in the order of its poster, or is refused.
//
// Leaves to others: requests about one connection (tests/contract/conn_from_other_threads.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <atomic>
#include <memory>
#include <thread>

namespace ringwire::test {

TEST_CASE("tasks of one thread run in the order they were posted") {
  std::vector<int> order;
  RecordingHandler handler;
  TestServer server{handler};
  const LoopRef loop = server.engine().loop(0);
  for (int index = 0; index < 1000; ++index) {
    CHECK_FALSE(loop.post([&order, index] { order.push_back(index); }));
  }
  CHECK_FALSE(loop.post([&] { handler.note("last"); }));
  REQUIRE(handler.wait_noted("last"));
  server.stop();
  REQUIRE(order.size() == 1000);
  for (int index = 0; index < 1000; ++index) CHECK(order[static_cast<std::size_t>(index)] == index);
}

TEST_CASE("a task posted from the loop runs after the event that posted it") {
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    const std::error_code error = conn.loop().post([&] { handler.note("task"); });
    handler.note(error ? "refused" : "posted");
    return Action::none;
  };
  TestServer server{handler};
  const Client client{server.address()};
  REQUIRE(handler.wait_noted("task"));
  const std::vector<std::string> events = handler.record().events;
  REQUIRE(events.size() == 4);
  CHECK(events[1] == "posted");
  CHECK(events[2] == "open");
  CHECK(events[3] == "task");
}

TEST_CASE("a task that posts itself does not starve the connections") {
  struct Again {
    LoopRef loop;
    std::atomic<bool>& enough;
    void operator()() const {
      if (!enough) loop.post(Again{loop, enough});
    }
  };
  std::atomic<bool> enough = false;
  RecordingHandler handler;
  handler.traffic = echo;
  TestServer server{handler};
  const LoopRef loop = server.engine().loop(0);
  CHECK_FALSE(loop.post(Again{loop, enough}));
  Client client{server.address()};
  CHECK(client.exchange("still served") == "still served");
  enough = true;
  CHECK_FALSE(server.stop());
}

TEST_CASE("posts from four threads to two loops are all run, each on its loop", "[features]") {
  std::atomic<std::size_t> right = 0;
  RecordingHandler handler;
  Options options = quiet();
  options.loops = 2;
  TestServer server{handler, options};
  const LoopRef loops[] = {server.engine().loop(0), server.engine().loop(1)};
  CHECK_FALSE(loops[0] == loops[1]);
  const std::size_t each = scaled(5000, 1000);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (std::size_t index = 0; index < each; ++index) {
        const LoopRef loop = loops[index % 2];
        const LoopRef other = loops[(index + 1) % 2];
        [[maybe_unused]] const std::error_code ignored = loop.post([&, loop, other] {
          right += loop.is_current() && !other.is_current() ? 1 : 0;
          if (right == 4 * each) handler.note("all");
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(handler.wait_noted("all"));
  CHECK_FALSE(server.stop());
}

TEST_CASE("more tasks than mailbox_max are refused, and the accepted ones run") {
  std::atomic<std::size_t> run_count = 0;
  RecordingHandler handler;
  Options options = quiet();
  options.mailbox_max = 4;
  TestServer server{handler, options};
  const LoopRef loop = server.engine().loop(0);
  Standstill standstill{loop};
  std::size_t accepted = 0;
  std::size_t refused = 0;
  for (int index = 0; index < 10; ++index) {
    const std::error_code error = loop.post([&] { ++run_count; });
    accepted += error ? 0 : 1;
    refused += error == std::errc::resource_unavailable_try_again ? 1 : 0;
  }
  standstill.end();
  CHECK(accepted == 4);
  CHECK(refused == 6);
  Client client{server.address()};  // An accept is a lap: the mail was read by then, or comes with it.
  REQUIRE(handler.wait_opened(1));
  server.stop();
  CHECK(run_count == accepted);
}

TEST_CASE("the loop's own posts are taken though the mailbox is full: it cannot wait for itself") {
  std::atomic<std::size_t> run_count = 0;
  RecordingHandler handler;
  Options options = quiet();
  options.mailbox_max = 1;
  TestServer server{handler, options};
  const LoopRef loop = server.engine().loop(0);
  REQUIRE_FALSE(loop.post([&, loop] {
    for (int index = 0; index < 100; ++index) {
      if (loop.post([&] { ++run_count; })) handler.note("refused");
    }
    if (loop.post([&] { handler.note("last"); })) handler.note("refused");
  }));
  CHECK(handler.wait_noted("last"));
  CHECK(run_count == 100);
  CHECK(handler.record().count("refused") == 0);
}

TEST_CASE("a full mailbox does not keep the engine from stopping") {
  RecordingHandler handler;
  Options options = quiet();
  options.mailbox_max = 1;
  TestServer server{handler, options};
  const LoopRef loop = server.engine().loop(0);
  Standstill standstill{loop};
  while (!loop.post([] {})) {
  }
  CHECK_FALSE(server.engine().stop());
  standstill.end();
  CHECK_FALSE(server.join());
}

TEST_CASE("a task that never ran is destroyed when the loop ends") {
  const auto token = std::make_shared<int>(1);
  LoopRef loop;
  {
    RecordingHandler handler;
    TestServer server{handler};
    loop = server.engine().loop(0);
    for (int index = 0; index < 100; ++index) {
      [[maybe_unused]] const std::error_code ignored = loop.post([token] {});
    }
    CHECK_FALSE(server.stop());
  }
  CHECK(loop.post([token] {}) == Error::closed);
  CHECK(token.use_count() == 1);
}

TEST_CASE("is_current holds on the loop's own thread only") {
  bool inside = false;
  RecordingHandler handler;
  handler.open = [&](Conn& conn) {
    inside = conn.loop().is_current();
    return Action::none;
  };
  TestServer server{handler};
  const Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  const LoopRef loop = server.engine().loop(0);
  CHECK_FALSE(loop.is_current());
  server.stop();
  CHECK(inside);
  CHECK_FALSE(loop.is_current());
}

TEST_CASE("posts made from on_boot run once the loops do") {
  RecordingHandler handler;
  handler.boot = [&](Engine& engine) {
    const std::error_code error = engine.loop(0).post([&] { handler.note("task"); });
    handler.note(error ? "refused" : "taken");
    return Action::none;
  };
  const TestServer server{handler};
  CHECK(handler.record().count("taken") == 1);
  CHECK(handler.wait_noted("task"));
}

}  // namespace ringwire::test
