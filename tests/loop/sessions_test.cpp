// Peers are found again, forgotten in time, and never more than the limit.
#include "lib/loop/sessions.hpp"

#include <ringwire/error.hpp>

#include "tests/loop/datagram_fixture.hpp"
#include "tests/support/catch.hpp"

#include <netinet/in.h>

#include <chrono>

namespace ringwire::test {
namespace {

using loop::PeerKey;
using namespace std::chrono_literals;

constexpr kernel::Nanoseconds second_long = 1'000'000'000;

// A table with a wheel, and the socket of a loop.
struct SessionTable {
  explicit SessionTable(const Options& given = DatagramFixture::with_sessions())
      : options{given}, sessions{at.kernel, options, at.loop.ref(), wheel} {}

  loop::PeerSession* open(std::uint16_t port, kernel::Nanoseconds now = 0) {
    return sessions.open(at.socket(), key(port), now);
  }
  static PeerKey key(std::uint16_t port) { return PeerKey::of(net::to_name(local(port)), 0); }
  void turn(kernel::Nanoseconds now) {
    wheel.advance(
        now, [&](loop::Timer& timer) { sessions.on_timer(static_cast<const loop::SlotTimer&>(timer), now); });
  }
  // How many have ended; they are released.
  std::size_t end() {
    std::size_t count = 0;
    while (loop::PeerSession* session = sessions.take_ended()) {
      sessions.release(*session);
      ++count;
    }
    return count;
  }

  DatagramFixture at;
  Options options;
  loop::Wheel wheel{0};
  loop::Sessions sessions;
};

TEST_CASE("a session is found by its peer and by its handle's numbers, until it ends", "[datagram]") {
  SessionTable table;
  CHECK(table.sessions.find(SessionTable::key(7)) == nullptr);
  loop::PeerSession* session = table.open(7);
  REQUIRE(session != nullptr);
  CHECK(table.sessions.find(SessionTable::key(7)) == session);
  CHECK(table.sessions.find(session->slot(), 1) == session);
  CHECK(table.sessions.find(SessionTable::key(8)) == nullptr);
  CHECK(table.sessions.find(PeerKey::of(net::to_name(local(7)), 1)) == nullptr);
  session->end(std::make_error_code(std::errc::io_error));
  session->end({});  // The first reason counts.
  CHECK(session->reason() == std::errc::io_error);
  CHECK(table.sessions.find(SessionTable::key(7)) == nullptr);
  CHECK(table.sessions.find(session->slot(), 1) == nullptr);
  CHECK(table.sessions.has_ended());
  CHECK(table.sessions.size() == 1);
  CHECK(table.end() == 1);
  CHECK(table.sessions.size() == 0);
}

TEST_CASE("a session with no more to come is refused, and has room when one has been told its end",
          "[datagram]") {
  Options options = DatagramFixture::with_sessions();
  options.sessions_max = 1;
  SessionTable table{options};
  loop::PeerSession* first = table.open(7);
  REQUIRE(first != nullptr);
  CHECK(table.open(8) == nullptr);
  CHECK(table.sessions.find(SessionTable::key(8)) == nullptr);
  first->end({});
  CHECK(table.open(8) == nullptr);
  CHECK(table.end() == 1);
  CHECK(table.open(8) != nullptr);
}

TEST_CASE("silence ends a session, each datagram puts it off", "[datagram]") {
  Options options = DatagramFixture::with_sessions();
  options.session_timeout = 2s;
  SessionTable table{options};
  loop::PeerSession* session = table.open(7);
  REQUIRE(session != nullptr);
  session->touch(second_long);
  table.turn(2 * second_long);
  CHECK_FALSE(table.sessions.has_ended());
  table.turn(3 * second_long - loop::Wheel::tick);
  CHECK_FALSE(table.sessions.has_ended());
  table.turn(3 * second_long + loop::Wheel::tick);
  CHECK(table.sessions.has_ended());
  CHECK(session->reason() == Error::idle_timeout);
}

TEST_CASE("without a timeout a session has no timer", "[datagram]") {
  Options options = DatagramFixture::with_sessions();
  options.session_timeout = 0s;
  SessionTable table{options};
  REQUIRE(table.open(7) != nullptr);
  CHECK_FALSE(table.wheel.next());
}

TEST_CASE("a timeout of a session's own takes the option's place, counted from the last datagram",
          "[datagram]") {
  SessionTable table;
  loop::PeerSession* session = table.open(7, second_long);
  REQUIRE(session != nullptr);
  session->set_timeout(1s);
  table.turn(2 * second_long + loop::Wheel::tick);
  CHECK(session->reason() == Error::idle_timeout);

  loop::PeerSession* kept = table.open(8, second_long);
  REQUIRE(kept != nullptr);
  kept->set_timeout(1s);
  kept->set_timeout(0s);
  table.turn(1000 * second_long);
  CHECK_FALSE(kept->is_ending());
  CHECK(table.end() == 1);
}

TEST_CASE("all end with one reason, but for those that have ended already", "[datagram]") {
  SessionTable table;
  for (const std::uint16_t port : {7, 8, 9}) REQUIRE(table.open(port) != nullptr);
  table.sessions.find(SessionTable::key(8))->end({});
  table.sessions.end_all(Error::engine_stopped);
  std::size_t stopped = 0;
  while (loop::PeerSession* session = table.sessions.take_ended()) {
    if (session->reason() == Error::engine_stopped) ++stopped;
    table.sessions.release(*session);
  }
  CHECK(stopped == 2);
  CHECK_FALSE(table.wheel.next());
}

TEST_CASE("a table that is destroyed with sessions in it destroys them", "[datagram]") {
  auto counted = std::make_shared<int>(0);
  {
    SessionTable table;
    table.open(7)->emplace_context<std::shared_ptr<int>>(counted);
    table.open(8)->emplace_context<std::shared_ptr<int>>(counted);
    table.sessions.find(SessionTable::key(8))->end({});
    CHECK(counted.use_count() == 3);
  }
  CHECK(counted.use_count() == 1);
}

TEST_CASE("ten thousand peers are told apart", "[datagram]") {
  SessionTable table;
  for (std::uint16_t port = 1; port <= 10'000; ++port) REQUIRE(table.open(port) != nullptr);
  bool found = true;
  for (std::uint16_t port = 1; port <= 10'000; ++port) {
    const loop::PeerSession* session = table.sessions.find(SessionTable::key(port));
    found = found && session != nullptr && session->remote_address() == local(port);
  }
  CHECK(found);
}

}  // namespace
}  // namespace ringwire::test
