// Threads that are no loop write, wake, close and post through a ConnRef: each request is done once, and the
// requests of one thread in order.
//
// Leaves to others: handles to connections that are gone (slot_is_used_again.cpp).
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <atomic>
#include <charconv>
#include <thread>

namespace ringwire::test {
namespace {

constexpr std::size_t threads_count = 4;

void on_threads(const std::function<void(std::size_t)>& body) {
  std::vector<std::thread> threads;
  for (std::size_t index = 0; index < threads_count; ++index) threads.emplace_back(body, index);
  for (std::thread& thread : threads) thread.join();
}

// "2:17\n" is line 17 of thread 2. True when every thread's lines are all there, in order.
bool each_in_order(const std::string& text, std::size_t lines_count) {
  std::size_t next[threads_count] = {};
  std::size_t at = 0;
  while (at < text.size()) {
    const auto thread = static_cast<std::size_t>(text[at] - '0');
    const std::size_t end = text.find('\n', at);
    std::size_t line = 0;
    std::from_chars(text.data() + at + 2, text.data() + end, line);
    if (thread >= threads_count || end == std::string::npos || line != next[thread]++) return false;
    at = end + 1;
  }
  for (const std::size_t count : next) {
    if (count != lines_count) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("writes of four threads arrive whole, in each thread's order, and each is answered once",
          "[features]") {
  const Transport transport;
  RecordingHandler handler;
  StreamServer server{handler, transport};
  Client client{server.address()};
  const ConnRef ref = handler.first_ref();
  const std::size_t lines = scaled(2000, 300);
  std::atomic<std::size_t> done = 0;
  std::atomic<std::size_t> failed = 0;
  std::size_t size = 0;
  for (std::size_t line = 0; line < lines; ++line) size += threads_count * (std::to_string(line).size() + 3);
  std::thread writers{[&] {
    on_threads([&](std::size_t thread) {
      for (std::size_t line = 0; line < lines; ++line) {
        ref.write(std::to_string(thread) + ":" + std::to_string(line) + "\n", [&](std::error_code error) {
          ++(error ? failed : done);
          if (done + failed == threads_count * lines) handler.note("all");
        });
      }
    });
  }};
  const std::string received = client.receive_exactly(size);
  writers.join();
  CHECK(each_in_order(received, lines));
  CHECK(handler.wait_noted("all"));
  server.stop();
  CHECK(done == threads_count * lines);
  CHECK(failed == 0);
}

TEST_CASE("posts, wakes and writes of four threads are all carried out on the loop's thread", "[features]") {
  const Transport transport;
  RecordingHandler handler;
  StreamServer server{handler, transport};
  Client client{server.address()};
  const ConnRef ref = handler.first_ref();
  const LoopRef loop = server.engine().loop(0);
  const std::size_t rounds = scaled(500, 100);
  std::atomic<std::size_t> carried_out = 0;
  std::atomic<std::size_t> elsewhere = 0;
  const auto count = [&] {
    if (!loop.is_current()) ++elsewhere;
    if (++carried_out == 3 * rounds * threads_count) handler.note("all");
  };
  on_threads([&](std::size_t) {
    for (std::size_t round = 0; round < rounds; ++round) {
      ref.post([&](Conn* conn) { conn != nullptr ? count() : void(); });
      ref.wake([&](std::error_code) { count(); });
      ref.write("w", [&](std::error_code) { count(); });
    }
  });
  // A unix socket has room for some 300 sends that nobody reads, however short.
  CHECK(client.receive_exactly(rounds * threads_count) == std::string(rounds * threads_count, 'w'));
  CHECK(handler.wait_noted("all"));
  CHECK_FALSE(loop.is_current());
  server.stop();
  CHECK(elsewhere == 0);
}

TEST_CASE("many closes from many threads give one on_close, and every done runs after it") {
  const Transport transport;
  RecordingHandler handler;
  StreamServer server{handler, transport};
  Client client{server.address()};
  const ConnRef ref = handler.first_ref();
  on_threads([&](std::size_t) {
    for (int round = 0; round < 10; ++round) ref.close([&](std::error_code) { handler.note("done"); });
  });
  CHECK(client.expect_eof());
  client.close();
  CHECK(handler.wait_noted("done", 10 * threads_count));
  server.stop();
  const Record record = handler.record();
  CHECK(record.closed == 1);
  CHECK(record.count("done") == 10 * threads_count);
  bool closed = false;
  bool too_early = false;
  for (const std::string& event : record.events) {
    closed = closed || event == "close";
    too_early = too_early || (event == "done" && !closed);
  }
  CHECK_FALSE(too_early);
}

TEST_CASE("close through a handle delivers what was written through it before") {
  const Transport transport;
  RecordingHandler handler;
  StreamServer server{handler, transport};
  Client client{server.address()};
  const ConnRef ref = handler.first_ref();
  const std::string sent = random_bytes(1, 1 << 20);
  ref.write(sent, [&](std::error_code error) { handler.note(error ? "failed" : "sent"); });
  ref.close([&](std::error_code) { handler.note("done"); });
  CHECK((client.receive_until_eof() == sent));
  client.close();
  CHECK(handler.wait_noted("done"));
  CHECK(handler.record().count("sent") == 1);
}

TEST_CASE("requests raced against the peer's reset are each answered exactly once") {
  const Transport transport;
  for (int round = 0; round < 10; ++round) {
    RecordingHandler handler;
    std::atomic<std::size_t> answered = 0;
    StreamServer server{handler, transport};
    Client client{server.address(), 4096};
    const ConnRef ref = handler.first_ref();
    const std::string piece(10'000, 'x');
    constexpr std::size_t requests = 50;
    std::thread resetter{[&] {
      [[maybe_unused]] const std::string some = client.receive_exactly(100'000);
      client.reset();
    }};
    on_threads([&](std::size_t) {
      for (std::size_t request = 0; request < requests; ++request) {
        ref.write(piece, [&](std::error_code) { ++answered; });
        ref.wake([&](std::error_code) { ++answered; });
      }
    });
    resetter.join();
    CHECK(handler.wait_closed(1));
    CHECK_FALSE(server.stop());
    CHECK(answered == 2 * requests * threads_count);
    CHECK(handler.record().closed == 1);
  }
}

TEST_CASE("requests raced against the engine's stop are each answered exactly once", "[features]") {
  const Transport transport;
  for (int round = 0; round < 10; ++round) {
    RecordingHandler handler;
    std::atomic<std::size_t> answered = 0;
    Options options = quiet();
    options.stop_timeout = std::chrono::milliseconds{0};
    StreamServer server{handler, transport, options};
    const Client client{server.address()};
    const ConnRef ref = handler.first_ref();
    constexpr std::size_t requests = 200;
    std::thread others{[&] {
      on_threads([&](std::size_t) {
        for (std::size_t request = 0; request < requests; ++request) {
          ref.write("x", [&](std::error_code) { ++answered; });
          ref.close([&](std::error_code) { ++answered; });
        }
      });
    }};
    CHECK_FALSE(server.stop());
    others.join();
    CHECK(answered == 2 * requests * threads_count);
    CHECK(handler.record().closed == 1);
  }
}

TEST_CASE("a write that outbound_limit refuses is answered no_buffer_space") {
  const Transport transport;
  RecordingHandler handler;
  Options options = quiet();
  options.outbound_high_mark = 1000;
  options.outbound_low_mark = 100;
  options.outbound_limit = 2000;
  StreamServer server{handler, transport, options};
  Client client{server.address()};
  const ConnRef ref = handler.first_ref();
  ref.write(std::string(3000, 'x'), [&](std::error_code error) {
    handler.note(error == std::errc::no_buffer_space ? "refused" : "wrong");
  });
  ref.write("fits", [&](std::error_code error) { handler.note(error ? "wrong" : "sent"); });
  CHECK(client.receive_exactly(4) == "fits");
  CHECK(handler.wait_noted("sent"));
  CHECK(handler.record().count("refused") == 1);
  CHECK(handler.record().count("wrong") == 0);
}

TEST_CASE("closes and wakes raced from four threads are each answered once, and on_close comes once") {
  const Transport transport;
  for (int round = 0; round < 10; ++round) {
    RecordingHandler handler;
    std::atomic<std::size_t> answered = 0;
    StreamServer server{handler, transport};
    Client client{server.address()};
    const ConnRef ref = handler.first_ref();
    constexpr std::size_t requests = 50;
    on_threads([&](std::size_t thread) {
      for (std::size_t request = 0; request < requests; ++request) {
        ref.wake([&](std::error_code) { ++answered; });
        if (request == requests / 2 + thread) ref.close([&](std::error_code) { ++answered; });
      }
    });
    CHECK(client.expect_eof());
    client.close();
    CHECK(handler.wait_closed(1));
    ref.wake([&](std::error_code error) { handler.note(error == Error::closed ? "closed" : "wrong"); });
    CHECK(handler.wait_noted("closed"));
    CHECK_FALSE(server.stop());
    CHECK(answered == (requests + 1) * threads_count);
    CHECK(handler.record().closed == 1);
    CHECK(handler.record().events.at(handler.record().events.size() - 1) == "shutdown");
  }
}

TEST_CASE(
    "writes to a connection that its peer has closed are each answered once, the late ones with closed") {
  const Transport transport;
  RecordingHandler handler;
  std::atomic<std::size_t> answered = 0;
  std::atomic<std::size_t> late = 0;
  StreamServer server{handler, transport};
  Client client{server.address()};
  const ConnRef ref = handler.first_ref();
  constexpr std::size_t requests = 100;
  std::thread leaver{[&] { client.close(); }};
  on_threads([&](std::size_t) {
    for (std::size_t request = 0; request < requests; ++request) {
      ref.write("anybody there?", [&](std::error_code) { ++answered; });
    }
  });
  leaver.join();
  REQUIRE(handler.wait_closed(1));
  on_threads([&](std::size_t) {
    ref.write("nobody", [&](std::error_code error) {
      if (error == Error::closed) ++late;
    });
  });
  CHECK_FALSE(server.stop());
  CHECK(answered == requests * threads_count);
  CHECK(late == threads_count);
  CHECK(handler.record().closed == 1);
}

TEST_CASE("a write is answered when the kernel has taken its last byte, not when it is merely kept") {
  const Transport transport;
  RecordingHandler handler;
  StreamServer server{handler, transport};
  Client client{server.address(), 16 * 1024};
  const ConnRef ref = handler.first_ref();
  const std::string sent = random_bytes(13, 8 << 20);
  ref.write(sent, [&](std::error_code error) { handler.note(error ? "lost" : "taken"); });
  CHECK((client.receive_exactly(1000) == sent.substr(0, 1000)));  // So the send is under way.
  ref.wake([&](std::error_code) { handler.note("later request"); });
  REQUIRE(handler.wait_noted("later request"));
  CHECK(handler.record().count("taken") == 0);
  CHECK((client.receive_exactly(sent.size() - 1000) == sent.substr(1000)));
  CHECK(handler.wait_noted("taken"));
  CHECK(handler.record().count("lost") == 0);
}

}  // namespace ringwire::test
