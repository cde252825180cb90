// What the executor of a loop promises.
#include <ringwire/asio.hpp>

#include "tests/asio/server.hpp"
#include "tests/support/catch.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/stream_traits.hpp>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace net = boost::asio;
using ringwire::asio::executor;
using ringwire::asio::stream;
using ringwire::test::Queue;
using ringwire::test::StreamServer;

static_assert(net::execution::is_executor<executor>::value);
static_assert(net::can_require<executor, net::execution::blocking_t::never_t>::value);
static_assert(net::can_query<executor, net::execution::context_t>::value);
static_assert(std::is_nothrow_copy_constructible_v<executor>);
static_assert(std::is_convertible_v<executor, net::any_io_executor>);
static_assert(sizeof(executor) <= 2 * sizeof(void*));
static_assert(boost::beast::is_async_stream<stream>::value);
static_assert(std::is_nothrow_move_constructible_v<stream> && !std::is_copy_constructible_v<stream>);

namespace {

void ignore(stream) {}

}  // namespace

TEST_CASE("functions posted from the loop run in order, after the current one") {
  StreamServer server(ignore);
  Queue<std::string> said;
  net::post(server.executor(), [&said, where = server.executor()] {
    net::post(where, [&said] { said.give("second"); });
    net::post(where, [&said] { said.give("third"); });
    said.give("first");
  });
  CHECK(said.take() == "first");
  CHECK(said.take() == "second");
  CHECK(said.take() == "third");
}

TEST_CASE("a function posted by a task of the loop itself runs, with no event to follow") {
  StreamServer server(ignore);
  Queue<std::string> said;
  const auto error = server.engine().loop(0).post([&said, where = server.executor()] {
    net::post(where, [&said] { said.give("posted"); });
    said.give("task");
  });
  CHECK_FALSE(error);
  CHECK(said.take() == "task");
  CHECK(said.take() == "posted");
}

TEST_CASE("a function posted by the loop runs though its mailbox is full, with no event to follow") {
  StreamServer server(ignore, {.mailbox_max = 1});
  Queue<std::string> said;
  const ringwire::LoopRef loop = server.engine().loop(0);
  const auto error = loop.post([&said, loop, where = server.executor()] {
    // Another thread takes the only room, while we are busy.
    std::thread([&] { said.give(loop.post([] {}) ? "refused" : "taken"); }).join();
    std::thread([&] { said.give(loop.post([] {}) ? "refused" : "taken"); }).join();
    net::post(where, [&said] { said.give("posted"); });
    said.give("task");
  });
  CHECK_FALSE(error);
  CHECK(said.take() == "taken");
  CHECK(said.take() == "refused");
  CHECK(said.take() == "task");
  CHECK(said.take() == "posted");
}

TEST_CASE("functions posted by another thread run on the loop, in order") {
  StreamServer server(ignore);
  Queue<int> said;
  for (int number = 0; number < 1000; ++number) {
    net::post(server.executor(), [&said, number, where = server.executor()] {
      said.give(where.running_in_this_thread() ? number : -1);
    });
  }
  CHECK_FALSE(server.executor().running_in_this_thread());
  for (int number = 0; number < 1000; ++number) REQUIRE(said.take() == number);
}

TEST_CASE("dispatch on the loop runs at once, post never does") {
  StreamServer server(ignore);
  Queue<std::string> said;
  net::post(server.executor(), [&said, where = server.executor()] {
    net::post(where, [&said] { said.give("posted"); });
    net::dispatch(where, [&said] { said.give("dispatched"); });
    said.give("end");
  });
  CHECK(said.take() == "dispatched");
  CHECK(said.take() == "end");
  CHECK(said.take() == "posted");
}

TEST_CASE("dispatch from another thread waits for the loop") {
  StreamServer server(ignore);
  Queue<std::thread::id> where;
  net::dispatch(server.executor(), [&where] { where.give(std::this_thread::get_id()); });
  CHECK(where.take() != std::this_thread::get_id());
}

TEST_CASE("executors are equal when loop and blocking are") {
  StreamServer server(ignore, {.loops = 2});
  const executor first(server.engine().loop(0));
  const executor second(server.engine().loop(1));
  CHECK(first == server.executor());
  CHECK_FALSE(first == second);
  const executor never = net::require(first, net::execution::blocking.never);
  CHECK_FALSE(first == never);
  CHECK(first.same_loop(never));
  CHECK(net::query(never, net::execution::blocking) == net::execution::blocking.never);
  CHECK(&net::query(first, net::execution::context) == &net::query(second, net::execution::context));
}

TEST_CASE("an executor works inside any_io_executor and a strand") {
  StreamServer server(ignore);
  Queue<std::string> said;
  const net::any_io_executor any = server.executor();
  net::post(any, [&said] { said.give("any"); });
  CHECK(said.take() == "any");

  const auto strand = net::make_strand(server.executor());
  net::post(strand, [&said, strand] { said.give(strand.running_in_this_thread() ? "strand" : "elsewhere"); });
  CHECK(said.take() == "strand");
}

TEST_CASE("what is executed after the loop ended is destroyed unrun") {
  StreamServer server(ignore);
  const executor where = server.executor();
  server.stop();
  const auto token = std::make_shared<int>(1);
  std::atomic<bool> ran = false;
  net::post(where, [token, &ran] { ran = true; });
  CHECK_FALSE(ran);
  CHECK(token.use_count() == 1);
}

TEST_CASE("a function that posts itself for ever lets the engine serve and stop, and is destroyed") {
  StreamServer server(ignore);
  const auto token = std::make_shared<int>(1);
  struct Again {
    executor where;
    std::shared_ptr<int> token;
    std::atomic<std::size_t>& rounds;
    void operator()() {
      ++rounds;
      net::post(where, Again(*this));
    }
  };
  std::atomic<std::size_t> rounds = 0;
  net::post(server.executor(), Again{server.executor(), token, rounds});

  Queue<int> between;  // Another thread's work gets its turn meanwhile.
  for (int count = 0; count < 100; ++count) {
    net::post(server.executor(), [&between] { between.give(1); });
    REQUIRE(between.take() == 1);
  }
  server.stop();
  CHECK(rounds > 100);
  CHECK(token.use_count() == 1);
}

TEST_CASE("an exception in a posted function does not hurt the loop") {
  StreamServer server(ignore);
  Queue<int> said;
  net::post(server.executor(), [where = server.executor(), &said] {
    net::post(where, [] { throw std::runtime_error("on purpose"); });
    net::post(where, [&said] { said.give(1); });
  });
  net::post(server.executor(), [] { throw std::runtime_error("on purpose"); });
  CHECK(said.take() == 1);
  net::post(server.executor(), [&said] { said.give(2); });
  CHECK(said.take() == 2);
}

#if defined(BOOST_ASIO_HAS_CO_AWAIT)
TEST_CASE("a coroutine runs on the loop and hops to another and back") {
  StreamServer server(ignore, {.loops = 2});
  const executor first(server.engine().loop(0));
  const executor second(server.engine().loop(1));
  Queue<std::string> said;
  const auto hop = [&]() -> net::awaitable<void> {
    said.give(first.running_in_this_thread() ? "first" : "elsewhere");
    co_await net::post(net::bind_executor(second, net::use_awaitable));
    said.give(second.running_in_this_thread() ? "second" : "elsewhere");
    co_await net::post(net::bind_executor(first, net::use_awaitable));
    said.give(first.running_in_this_thread() ? "first" : "elsewhere");
  };
  net::co_spawn(first, hop, [&said](std::exception_ptr fault) { said.give(fault ? "failed" : "done"); });
  CHECK(said.take() == "first");
  CHECK(said.take() == "second");
  CHECK(said.take() == "first");
  CHECK(said.take() == "done");
}
#endif
