// A loop opens connections itself; they get the same events as accepted ones.
//
// Leaves to others: accepted connections.
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

namespace ringwire::test {
namespace {

// A port of this host that nobody listens on.
Address closed_port() {
  RecordingHandler handler;
  TestServer server{handler};
  const Address address = server.address();
  server.stop();
  return address;
}

}  // namespace

TEST_CASE("a loop connects out, and done runs just after on_open, on the loop") {
  RecordingHandler far;
  far.traffic = echo;
  const TestServer far_server{far};
  std::string answer;
  Address remote;
  RecordingHandler near;
  near.open = [&](Conn& conn) {
    remote = conn.remote_address();
    conn.write("hello far");
    return Action::none;
  };
  near.traffic = [&](Conn& conn) {
    answer += to_text(conn.next());
    if (answer == "hello far") near.note("answered");
    return Action::none;
  };
  TestServer near_server{near};
  const LoopRef loop = near_server.engine().loop(0);
  CHECK_FALSE(loop.connect(url_of(far_server.address()), [&, loop](std::error_code error) {
    near.note(error || !loop.is_current() ? "wrong" : "connected");
  }));
  REQUIRE(near.wait_noted("answered"));
  CHECK(near_server.wait_count(1));
  near_server.stop();
  CHECK(remote == far_server.address());
  const std::vector<std::string> events = near.record().events;
  REQUIRE(events.size() >= 3);
  CHECK(events[1] == "open");
  CHECK(events[2] == "connected");
  CHECK(near.record().closed == 1);
}

TEST_CASE("a refused connect is answered connection_refused, without on_open") {
  RecordingHandler handler;
  TestServer server{handler};
  CHECK_FALSE(server.engine().loop(0).connect(url_of(closed_port()), [&](std::error_code error) {
    handler.note(error == std::errc::connection_refused ? "refused" : "wrong");
  }));
  CHECK(handler.wait_noted("refused"));
  CHECK(server.wait_count(0));
  server.stop();
  CHECK(handler.record().opened == 0);
  CHECK(handler.record().closed == 0);
}

TEST_CASE("a bad address is answered at once, and done is not called") {
  RecordingHandler handler;
  TestServer server{handler};
  const LoopRef loop = server.engine().loop(0);
  const auto done = [&](std::error_code) { handler.note("called"); };
  CHECK(loop.connect("howdy", done) == Error::invalid_address);
  CHECK(loop.connect("tcp://", done) == Error::invalid_address);
  CHECK(loop.connect("tcp://127.0.0.1:70000", done) == Error::invalid_address);
  CHECK(loop.connect("tulip://127.0.0.1:80", done) == Error::unsupported_protocol);
  server.stop();
  CHECK(handler.record().count("called") == 0);
}

TEST_CASE("an engine connects to itself: both ends are its connections") {
  std::string said;
  RecordingHandler handler;
  handler.traffic = [&](Conn& conn) {
    said += to_text(conn.next());
    return Action::close;
  };
  TestServer server{handler};
  REQUIRE_FALSE(server.engine().loop(0).connect(url_of(server.address())));
  REQUIRE(handler.wait_opened(2));
  CHECK(server.wait_count(2));
  handler.record().refs[0].write("to myself");
  CHECK(handler.wait_closed(2));
  server.stop();
  CHECK(said == "to myself");
}

TEST_CASE("fifty connects at once are each answered once") {
  RecordingHandler far;
  far.traffic = echo;
  TestServer far_server{far};
  RecordingHandler near;
  Options options = quiet();
  options.loops = 2;
  TestServer near_server{near, options};
  for (std::size_t index = 0; index < 50; ++index) {
    CHECK_FALSE(near_server.engine().loop(index % 2).connect(
        url_of(far_server.address()),
        [&](std::error_code error) { near.note(error ? "wrong" : "connected"); }));
  }
  CHECK(near.wait_noted("connected", 50));
  CHECK(near_server.wait_count(0, 25));
  CHECK(near_server.wait_count(1, 25));
  CHECK_FALSE(near_server.stop());
  CHECK(near.record().closed == 50);
  CHECK(far.wait_closed(50));
}

TEST_CASE("connect from on_boot is queued, not an error") {
  RecordingHandler far;
  const TestServer far_server{far};
  RecordingHandler near;
  near.boot = [&](Engine& engine) {
    const std::error_code error = engine.loop(0).connect(url_of(far_server.address()));
    near.note(error ? "refused" : "queued");
    return Action::none;
  };
  const TestServer near_server{near};
  CHECK(near.wait_noted("queued"));
  CHECK(near.wait_opened(1));
}

TEST_CASE("connects raced against stop are each answered once, and leave nothing open") {
  RecordingHandler far;
  TestServer far_server{far};
  for (int round = 0; round < 10; ++round) {
    RecordingHandler near;
    TestServer near_server{near};
    const LoopRef loop = near_server.engine().loop(0);
    std::size_t taken = 0;
    for (int index = 0; index < 20; ++index) {
      taken +=
          loop.connect(url_of(far_server.address()), [&](std::error_code) { near.note("answered"); }) ? 0 : 1;
    }
    CHECK_FALSE(near_server.stop());
    const Record record = near.record();
    CHECK(record.count("answered") == taken);
    CHECK(record.opened == record.closed);
  }
}

TEST_CASE("a proxy on one loop copies both ways, byte for byte", "[features]") {
  RecordingHandler far;
  far.traffic = echo;
  const TestServer far_server{far};

  // Both ends of a pair know each other; what comes before the far end is there waits in inbound.
  struct Other {
    ConnRef ref;
    bool known = false;
  };
  RecordingHandler proxy;
  ConnRef waiting;
  bool is_waiting = false;
  proxy.open = [&](Conn& conn) {
    auto& other = conn.emplace_context<Other>();
    if (!is_waiting) {
      waiting = conn.ref();
      is_waiting = true;
      return conn.loop().connect(url_of(far_server.address())) ? Action::close : Action::none;
    }
    other = {waiting, true};
    waiting.post([ref = conn.ref()](Conn* first) {
      if (first == nullptr) return;
      *first->context<Other>() = {ref, true};
      first->ref().wake();
    });
    is_waiting = false;
    return Action::none;
  };
  proxy.traffic = [](Conn& conn) {
    const auto* other = conn.context<Other>();
    if (other->known && conn.inbound_size() > 0) other->ref.write(conn.next());
    return Action::none;
  };
  proxy.close = [](Conn& conn, std::error_code) {
    const auto* other = conn.context<Other>();
    if (other->known) other->ref.close();
    return Action::none;
  };
  TestServer proxy_server{proxy};
  Client client{proxy_server.address()};
  const std::string sent = random_bytes(5, scaled(1 << 20, 1 << 17));
  CHECK((client.exchange(sent) == sent));
  client.close();
  CHECK(proxy.wait_closed(2));
  CHECK(far.wait_closed(1));
}

}  // namespace ringwire::test
