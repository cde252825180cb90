// on_close: exactly once for each connection, with the reason it ended for, when the kernel has given all
// back.
//
// Leaves to others: what each end does to the peer (conn_closing.cpp, conn_deadlines.cpp), many ends at a
// time (engine_stops.cpp). Invariant: every reason that on_close can have stands in one of the two tables.
#include "tests/contract/transport.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace ringwire::test {
namespace {

using std::chrono::milliseconds;

// Long enough for a client's first bytes to come before it, on a busy machine, too.
constexpr milliseconds timeout{300};

// One way to end: the option it needs, what is done when the handler has seen the client's bytes, the reason.
struct End {
  const char* name;
  std::error_condition reason;
  std::function<void(Options&)> set;
  std::function<void(TestServer&, Client&, const ConnRef&)> deed;
};

std::error_condition because(Error error) {
  return std::error_code{error}.default_error_condition();
}

void nothing_set(Options&) {}
void no_deed_but_time(TestServer&, Client&, const ConnRef&) {}

// A connection's context: was it the one that on_open made?
constexpr int kept = 7;

// What on_close found.
struct Last {
  std::atomic<int> context{0};
  std::string unread;
  std::size_t unsent = 0;
};

void look_in_on_close(RecordingHandler& handler, Last& last) {
  handler.open = [](Conn& conn) {
    conn.emplace_context<int>(kept);
    return Action::none;
  };
  handler.close = [&last](Conn& conn, std::error_code) {
    last.context += *conn.context<int>();
    last.unread = to_text(conn.peek());
    last.unsent = conn.outbound_size();
    conn.write("to nobody");
    return Action::none;
  };
}

std::vector<End> ends() {
  const auto post = [](void (*task)(Conn*)) {
    return [task](TestServer&, Client&, const ConnRef& ref) { ref.post(task); };
  };
  return {
      {"close", {}, nothing_set, [](TestServer&, Client&, const ConnRef& ref) { ref.close(); }},
      {"abort", {}, nothing_set, post([](Conn* conn) { conn->abort(); })},
      {"the peer's end", because(Error::end_of_stream), nothing_set,
       [](TestServer&, Client& client, const ConnRef&) { client.close(); }},
      {"idle", because(Error::idle_timeout), [](Options& options) { options.idle_timeout = timeout; },
       no_deed_but_time},
      {"silent", because(Error::read_timeout), [](Options& options) { options.read_timeout = timeout; },
       no_deed_but_time},
      {"old", because(Error::lifetime_ended), [](Options& options) { options.lifetime = timeout; },
       no_deed_but_time},
      {"an exception", because(Error::handler_failed), nothing_set,
       [](TestServer&, Client&, const ConnRef& ref) { ref.wake(); }},
      {"stop",
       {},
       nothing_set,
       [](TestServer& server, Client&, const ConnRef&) { static_cast<void>(server.engine().stop()); }},
      {"cut off by stop", because(Error::engine_stopped),
       [](Options& options) { options.stop_timeout = milliseconds{0}; },
       [](TestServer& server, Client&, const ConnRef&) { static_cast<void>(server.engine().stop()); }},
  };
}

// Ends of a connection whose peer takes nothing: bytes that wait are never sent.
std::vector<End> deaf_ends() {
  return {
      {"deaf", because(Error::write_timeout), [](Options& options) { options.write_timeout = timeout; },
       no_deed_but_time},
      {"close to the deaf", because(Error::close_timeout),
       [](Options& options) { options.close_timeout = timeout; },
       [](TestServer&, Client&, const ConnRef& ref) { ref.close(); }},
      {"beyond the limit", because(Error::outbound_limit),
       [](Options& options) {
         options.outbound_limit = 9 << 20;
         options.outbound_policy = OutboundPolicy::close;
       },
       [](TestServer&, Client&, const ConnRef& ref) { ref.write(Buffer{std::string(9 << 20, 'x')}); }},
      {"the peer's reset", std::make_error_condition(std::errc::connection_reset), nothing_set,
       [](TestServer&, Client& client, const ConnRef&) { client.reset(); }},
  };
}

}  // namespace

TEST_CASE(
    "whatever ends a connection, on_close comes once, with its reason, its context and its unread bytes") {
  const Transport transport;
  for (const End& end : ends()) {
    INFO(end.name);
    Last last;
    RecordingHandler handler;
    look_in_on_close(handler, last);
    handler.traffic = [&handler](Conn&) -> Action {
      if (handler.record().traffics > 0) throw std::runtime_error{"on purpose"};  // Woken.
      return Action::none;
    };
    Options options = quiet();
    end.set(options);
    handler.drain = [cut_off = options.stop_timeout == milliseconds{0}](Conn&) {
      return cut_off ? Action::none : Action::close;
    };
    StreamServer server{handler, transport, options};
    Client client{server.address()};
    client.send_all("unread");
    REQUIRE(handler.wait([](const Record& record) { return record.traffics == 1; }));
    end.deed(server, client, handler.first_ref());
    if (client.ok()) static_cast<void>(client.receive_until_eof());
    client.close();
    CHECK(handler.wait_closed(1));
    CHECK_FALSE(server.stop());
    const Record record = handler.record();
    CHECK(record.closed == 1);
    REQUIRE(record.reasons.size() == 1);
    CHECK(record.reasons.front() == end.reason);
    CHECK(last.context == kept);
    CHECK(last.unread == "unread");
    CHECK(last.unsent == 0);
  }
}

TEST_CASE(
    "whatever ends a connection to a deaf peer, on_close has the reason and the count of unsent bytes") {
  const Transport transport;
  constexpr std::size_t much = 8 << 20;
  for (const End& end : deaf_ends()) {
    INFO(end.name);
    Last last;
    RecordingHandler handler;
    look_in_on_close(handler, last);
    handler.traffic = [](Conn& conn) {
      conn.write(std::string(much, 'x'));
      return Action::none;
    };
    Options options = quiet();
    end.set(options);
    StreamServer server{handler, transport, options};
    Client client{server.address(), 4096};
    client.send_all("unread");
    CHECK(client.receive_exactly(1) ==
          "x");  // So the rest is on its way, and there is no room for all of it.
    end.deed(server, client, handler.first_ref());
    REQUIRE(handler.wait_closed(1));
    CHECK_FALSE(server.stop());
    const Record record = handler.record();
    CHECK(record.closed == 1);
    CHECK(record.reasons.front() == end.reason);
    CHECK(last.context == kept);
    CHECK(last.unread == "unread");
    CHECK(last.unsent > 0);
    CHECK(last.unsent < much);
  }
}

TEST_CASE("when on_close comes the connection's descriptor has been given back") {
  const Transport transport;
  std::size_t at_close = 0;
  RecordingHandler handler;
  handler.close = [&](Conn&, std::error_code) {
    at_close = open_descriptors();
    return Action::none;
  };
  StreamServer server{handler, transport};
  Client client{server.address()};
  REQUIRE(handler.wait_opened(1));
  const std::size_t before = open_descriptors();
  client.shutdown_write();
  REQUIRE(handler.wait_closed(1));
  CHECK_FALSE(server.stop());
  CHECK(at_close == before - 1);
}

}  // namespace ringwire::test
