// How reads and writes on a stream start, wait, finish and fail.
#include <ringwire/asio.hpp>

#include "tests/asio/server.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace net = boost::asio;
using boost::system::error_code;
using ringwire::Conn;
using ringwire::Options;
using ringwire::asio::stream;
using ringwire::test::Client;
using ringwire::test::Queue;
using ringwire::test::StreamServer;

namespace {

struct Result {
  error_code error;
  std::size_t size = 0;
};

// A stream and what a test does with it. It lives until the last handler that holds it is gone.
struct CoreSession {
  explicit CoreSession(stream connection) : connection(std::move(connection)) {}

  stream connection;
  std::string data = std::string(64 << 10, '\0');
  net::cancellation_signal signal;
  int calls = 0;
};
using Kept = std::shared_ptr<CoreSession>;

// Starts a read whose result goes to `results`; the handler keeps the session.
void read_into(Queue<Result>& results, const Kept& kept) {
  kept->connection.async_read_some(net::buffer(kept->data),
                                   [&results, kept](error_code error, std::size_t n) {
                                     results.give({error, n});
                                   });
}

// Writes 64 KiB of 'x' again and again, and counts what was taken.
void write_for_ever(const Kept& kept, std::atomic<std::size_t>& taken, Queue<Result>& end) {
  kept->connection.async_write_some(net::buffer(kept->data), [&, kept](error_code error, std::size_t size) {
    taken += size;
    if (error) return end.give({error, size});
    write_for_ever(kept, taken, end);
  });
}

// Bytes waiting in the connection, asked on its loop; nothing once it is gone.
std::optional<std::size_t> outbound_size(const ringwire::ConnRef& ref) {
  Queue<std::optional<std::size_t>> answer;
  ref.post([&answer](Conn* conn) {
    if (conn == nullptr) return answer.give(std::nullopt);
    answer.give(conn->outbound_size());
  });
  return answer.take().value_or(std::nullopt);
}

void wait_for_outbound(const ringwire::ConnRef& ref, std::size_t size) {
  const auto deadline = std::chrono::steady_clock::now() + ringwire::test::patience;
  while (outbound_size(ref).value_or(SIZE_MAX) < size && std::chrono::steady_clock::now() < deadline) {
  }
}

}  // namespace

TEST_CASE("a read completes with the bytes that arrive") {
  Queue<Result> results;
  Queue<std::string> said;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    kept->connection.async_read_some(net::buffer(kept->data), [&, kept](error_code error, std::size_t size) {
      results.give({error, size});
      said.give(kept->data.substr(0, size));
    });
    said.give("reading");
  });
  Client client(server.address());
  REQUIRE(said.take() == "reading");
  client.send_all("hello");
  const auto result = results.take();
  REQUIRE(result);
  CHECK_FALSE(result->error);
  CHECK(said.take() == "hello");
}

TEST_CASE("a read takes bytes that arrived before it, as many as fit, into all its buffers") {
  Queue<std::string> said;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    kept->connection.async_read_some(net::buffer(kept->data, 1), [&, kept](error_code, std::size_t one) {
      const std::array<net::mutable_buffer, 3> parts{net::buffer(&kept->data[1], 2), net::mutable_buffer(),
                                                     net::buffer(&kept->data[3], 3)};
      kept->connection.async_read_some(parts, [&, kept, one](error_code, std::size_t size) {
        said.give(kept->data.substr(0, one + size));
      });
      said.give("started");
    });
  });
  Client client(server.address());
  client.send_all("abcdefghij");
  CHECK(said.take() == "started");
  CHECK(said.take() == "abcdef");
}

TEST_CASE("no handler is called by the function that starts its operation") {
  Queue<int> calls;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    const auto count = [kept](error_code, std::size_t) { ++kept->calls; };
    kept->connection.async_write_some(net::buffer("x", 1), count);
    calls.give(kept->calls);
    kept->connection.async_read_some(net::mutable_buffer(), count);
    calls.give(kept->calls);
    kept->connection.close();
    kept->connection.async_read_some(net::buffer(kept->data), count);
    kept->connection.async_write_some(net::buffer(kept->data), count);
    calls.give(kept->calls);
    net::post(kept->connection.get_executor(), [kept, &calls] { calls.give(kept->calls); });
  });
  Client client(server.address());
  CHECK(calls.take() == 0);
  CHECK(calls.take() == 0);
  CHECK(calls.take() == 0);
  CHECK(calls.take() == 4);
}

TEST_CASE("empty reads and writes complete with nothing") {
  Queue<Result> results;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    const auto report = [&results, kept](error_code error, std::size_t size) { results.give({error, size}); };
    kept->connection.async_read_some(net::mutable_buffer(), report);
    kept->connection.async_write_some(net::const_buffer(), report);
  });
  Client client(server.address());
  for (int count = 0; count < 2; ++count) {
    const auto result = results.take();
    REQUIRE(result);
    CHECK_FALSE(result->error);
    CHECK(result->size == 0);
  }
}

TEST_CASE("after the peer's FIN reads answer eof and writes still arrive") {
  Queue<Result> results;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    kept->connection.async_read_some(net::buffer(kept->data), [&, kept](error_code error, std::size_t size) {
      results.give({error, size});
      kept->connection.async_read_some(net::buffer(kept->data), [&, kept](error_code second, std::size_t n) {
        results.give({second, n});
        read_into(results, kept);
        net::async_write(kept->connection, net::buffer("still here", 10),
                         [kept](error_code, std::size_t) { kept->connection.close(); });
      });
    });
  });
  Client client(server.address());
  client.send_all("abc");
  client.shutdown_write();
  CHECK(results.take().value_or(Result{}).size == 3);
  CHECK(results.take().value_or(Result{}).error == net::error::eof);
  CHECK(results.take().value_or(Result{}).error == net::error::eof);
  CHECK(client.receive_until_eof() == "still here");
  CHECK(client.at_eof());
}

TEST_CASE("a reset by the peer completes the waiting read, and later operations, with its reason") {
  Queue<Result> results;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    kept->connection.async_read_some(net::buffer(kept->data), [&, kept](error_code error, std::size_t size) {
      results.give({error, size});
      read_into(results, kept);
      kept->connection.async_write_some(net::buffer("x", 1), [&, kept](error_code later, std::size_t n) {
        results.give({later, n});
      });
    });
    results.give({});
  });
  Client client(server.address());
  REQUIRE(results.take());
  client.reset();
  for (int count = 0; count < 3; ++count) {
    CHECK(results.take().value_or(Result{}).error == net::error::connection_reset);
  }
}

TEST_CASE("a reset by the peer completes the write that waits") {
  std::atomic<std::size_t> taken = 0;
  Queue<Result> end;
  Queue<ringwire::ConnRef> refs;
  const Options options{.outbound_high_mark = 64 << 10, .outbound_low_mark = 16 << 10};
  StreamServer server(
      [&](stream connection) {
        refs.give(connection.ref());
        write_for_ever(std::make_shared<CoreSession>(std::move(connection)), taken, end);
      },
      options);
  Client client(server.address(), 4096);
  const auto ref = refs.take();
  REQUIRE(ref);
  wait_for_outbound(*ref, (64 << 10) + 1);
  client.reset();
  const auto result = end.take();
  REQUIRE(result);
  CHECK((result->error == net::error::connection_reset || result->error == net::error::broken_pipe));
}

TEST_CASE("a reader that stops holds no more than the high mark and one write, and gets every byte") {
  std::atomic<std::size_t> taken = 0;
  Queue<Result> end;
  Queue<ringwire::ConnRef> refs;
  constexpr std::size_t high = 256 << 10;
  const Options options{.outbound_high_mark = high, .outbound_low_mark = 64 << 10};
  StreamServer server(
      [&](stream connection) {
        refs.give(connection.ref());
        auto kept = std::make_shared<CoreSession>(std::move(connection));
        kept->data.assign(kept->data.size(), 'x');
        write_for_ever(kept, taken, end);
      },
      options);
  Client client(server.address(), 4096);
  const auto ref = refs.take();
  REQUIRE(ref);
  wait_for_outbound(*ref, high + 1);
  const std::size_t before = taken;
  const auto waiting = outbound_size(*ref);
  REQUIRE(waiting);
  CHECK(*waiting > high);
  CHECK(*waiting <= high + (64 << 10));

  // It reads again: the writer goes on, and nothing was lost.
  const std::string received = client.receive_exactly(before + (1 << 20));
  CHECK(received.size() == before + (1 << 20));
  CHECK(received.find_first_not_of('x') == std::string::npos);
  CHECK(taken > before);
}

TEST_CASE("a write of many buffers and megabytes arrives whole and in order") {
  const std::string sent = ringwire::test::random_bytes(7, 6 << 20);
  Queue<Result> results;
  const Options options{.outbound_high_mark = 128 << 10, .outbound_low_mark = 32 << 10};
  StreamServer server(
      [&](stream connection) {
        auto kept = std::make_shared<CoreSession>(std::move(connection));
        std::vector<net::const_buffer> parts;  // More than one write takes, of growing sizes.
        for (std::size_t at = 0, size = 1; at < sent.size(); at += size, size += 4096) {
          parts.push_back(net::buffer(sent.data() + at, std::min(size, sent.size() - at)));
        }
        net::async_write(kept->connection, parts, [&, kept](error_code error, std::size_t size) {
          results.give({error, size});
        });
      },
      options);
  Client client(server.address(), 16 << 10);
  CHECK(client.receive_until_eof() == sent);
  const auto result = results.take();
  REQUIRE(result);
  CHECK_FALSE(result->error);
  CHECK(result->size == sent.size());
}

TEST_CASE("one write takes at most 256 KiB") {
  Queue<Result> results;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    kept->data.assign(1 << 20, 'x');
    kept->connection.async_write_some(net::buffer(kept->data), [&, kept](error_code error, std::size_t size) {
      results.give({error, size});
    });
  });
  Client client(server.address());
  CHECK(client.receive_until_eof().size() == 256 << 10);
  CHECK(results.take().value_or(Result{}).size == 256 << 10);
}

TEST_CASE("a write beyond the outbound limit takes what fits, then answers no_buffer_space") {
  Queue<Result> results;
  const Options options{.outbound_high_mark = 8192, .outbound_low_mark = 1024, .outbound_limit = 8192};
  StreamServer server(
      [&](stream connection) {
        auto kept = std::make_shared<CoreSession>(std::move(connection));
        kept->connection.async_write_some(
            net::buffer(kept->data), [&, kept](error_code error, std::size_t n) {
              results.give({error, n});
              // In the same lap: nothing has left yet.
              kept->connection.async_write_some(net::buffer(kept->data),
                                                [&, kept](error_code e, std::size_t size) {
                                                  results.give({e, size});
                                                });
            });
      },
      options);
  Client client(server.address());
  CHECK(results.take().value_or(Result{}).size == 8192);
  CHECK(results.take().value_or(Result{}).error == net::error::no_buffer_space);
}

TEST_CASE("close flushes, and completes what waits and what comes later with operation_aborted") {
  Queue<Result> results;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    read_into(results, kept);
    kept->connection.async_write_some(net::buffer("last words", 10), [kept](error_code, std::size_t) {});
    kept->connection.close();
    kept->connection.close();
    results.give({{}, kept->connection.is_open() ? 1u : 0u});
    read_into(results, kept);
  });
  Client client(server.address());
  CHECK(results.take().value_or(Result{{}, 9}).size == 0);
  CHECK(results.take().value_or(Result{}).error == net::error::operation_aborted);
  CHECK(results.take().value_or(Result{}).error == net::error::operation_aborted);
  CHECK(client.receive_until_eof() == "last words");
  CHECK(client.at_eof());
}

TEST_CASE("destroying a stream completes its waiting read and closes the connection") {
  Queue<Result> results;
  StreamServer server([&](stream connection) {
    const auto data = std::make_shared<std::array<char, 16>>();
    connection.async_read_some(net::buffer(*data), [&results, data](error_code error, std::size_t size) {
      results.give({error, size});
    });
  });
  Client client(server.address());
  CHECK(results.take().value_or(Result{}).error == net::error::operation_aborted);
  CHECK(client.expect_eof());
  client.close();
  CHECK(server.wait_until_empty());
}

TEST_CASE("a moved stream is the same connection, and assigning over one closes it") {
  Queue<Result> results;
  Queue<std::string> said;
  std::shared_ptr<stream> first;  // Loop thread only.
  StreamServer server([&](stream connection) {
    if (!first) {
      first = std::make_shared<stream>(std::move(connection));
      return said.give("kept");
    }
    *first = std::move(connection);
    net::async_write(*first, net::buffer("second", 6), [&](error_code, std::size_t) { first->close(); });
  });
  Client one(server.address());
  REQUIRE(said.take() == "kept");
  Client two(server.address());
  CHECK(one.expect_eof());
  CHECK(two.receive_until_eof() == "second");
  one.close();
  two.close();
  CHECK(server.wait_until_empty());
  server.stop();
}

TEST_CASE("cancel completes what waits and leaves the connection open") {
  Queue<Result> results;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    read_into(results, kept);
    kept->connection.cancel();
    net::async_write(kept->connection, net::buffer("open", 4), [&, kept](error_code error, std::size_t size) {
      results.give({error, size});
    });
  });
  Client client(server.address());
  CHECK(results.take().value_or(Result{}).error == net::error::operation_aborted);
  CHECK(client.receive_exactly(4) == "open");
}

TEST_CASE("a cancellation slot ends a waiting read without loss") {
  Queue<Result> results;
  Queue<Kept> sessions;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    kept->connection.async_read_some(
        net::buffer(kept->data),
        net::bind_cancellation_slot(kept->signal.slot(), [&, kept](error_code error, std::size_t size) {
          results.give({error, size});
          kept->signal.emit(net::cancellation_type::terminal);  // The slot is empty again: nothing happens.
          read_into(results, kept);
        }));
    kept->signal.emit(net::cancellation_type::total);
  });
  Client client(server.address());
  CHECK(results.take().value_or(Result{}).error == net::error::operation_aborted);
  client.send_all("hello");
  const auto result = results.take();
  REQUIRE(result);
  CHECK_FALSE(result->error);
  CHECK(result->size == 5);
}

TEST_CASE("shutdown_write sends FIN, refuses writes, and goes on reading") {
  Queue<Result> results;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    kept->connection.async_write_some(net::buffer("end", 3), [&, kept](error_code, std::size_t) {
      kept->connection.shutdown_write();
      kept->connection.async_write_some(net::buffer("no", 2), [&, kept](error_code error, std::size_t size) {
        results.give({error, size});
        read_into(results, kept);
      });
    });
  });
  Client client(server.address());
  CHECK(client.receive_until_eof() == "end");
  CHECK(client.at_eof());
  CHECK(results.take().value_or(Result{}).error == net::error::broken_pipe);
  client.send_all("thanks");
  CHECK(results.take().value_or(Result{}).size == 6);
}

TEST_CASE("a silent connection ends its read with idle_timeout") {
  Queue<Result> results;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    kept->connection.set_idle_timeout(std::chrono::milliseconds(30));
    kept->connection.async_read_some(net::buffer(kept->data), [&, kept](error_code error, std::size_t size) {
      results.give({error, size});
      read_into(results, kept);
    });
  });
  Client client(server.address());
  static_cast<void>(client.receive_until_eof());
  client.close();
  const error_code timeout = std::error_code(ringwire::Error::idle_timeout);
  CHECK(results.take().value_or(Result{}).error == timeout);
  CHECK(results.take().value_or(Result{}).error == timeout);
}

TEST_CASE("a handler bound to another executor is called there, and keeps it busy until then") {
  net::io_context elsewhere;
  Queue<std::string> said;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    kept->connection.async_read_some(
        net::buffer(kept->data),
        net::bind_executor(elsewhere.get_executor(), [&, kept](error_code, std::size_t size) mutable {
          said.give(elsewhere.get_executor().running_in_this_thread() ? kept->data.substr(0, size) : "no");
          // A stream is its loop's: it goes back there to die.
          const auto home = kept->connection.get_executor();
          net::post(home, [kept = std::move(kept)] {});
        }));
    said.give("reading");
  });
  Client client(server.address());
  REQUIRE(said.take() == "reading");
  client.send_all("hello");
  elsewhere.run();  // Returns only when nothing is left to do there.
  CHECK(said.take() == "hello");
}

namespace {

// Counts what goes through it.
template <typename T>
struct CountingAllocator {
  using value_type = T;
  explicit CountingAllocator(std::atomic<int>& live) : live(&live) {}
  template <typename U>
  CountingAllocator(const CountingAllocator<U>& other) : live(other.live) {}  // NOLINT: allocators convert.
  T* allocate(std::size_t count) {
    ++*live;
    return std::allocator<T>().allocate(count);
  }
  void deallocate(T* place, std::size_t count) {
    --*live;
    std::allocator<T>().deallocate(place, count);
  }
  template <typename U>
  bool operator==(const CountingAllocator<U>& other) const {
    return live == other.live;
  }
  std::atomic<int>* live;
};

}  // namespace

TEST_CASE("an operation lives in memory of its handler's allocator, given back before the call") {
  std::atomic<int> live = 0;
  Queue<int> counts;
  StreamServer server([&](stream connection) {
    auto kept = std::make_shared<CoreSession>(std::move(connection));
    kept->connection.async_read_some(
        net::buffer(kept->data),
        net::bind_allocator(CountingAllocator<char>(live),
                            [&, kept](error_code, std::size_t) { counts.give(live); }));
    counts.give(live);
  });
  Client client(server.address());
  CHECK(counts.take() == 1);
  client.send_all("x");
  CHECK(counts.take() == 0);
}
