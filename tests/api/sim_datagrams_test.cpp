// Peers without a connection in a world: what they send is told and answered, lost, doubled and late as the
// network has it; sessions end as they do outside.
#include <ringwire/ringwire.hpp>
#include <ringwire/sim.hpp>

#include "tests/support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <system_error>
#include <vector>

namespace ringwire::sim {
namespace {

constexpr std::string_view udp_address = "udp4://:9000";
constexpr std::uint16_t udp_port = 9000;

// Answers a question "number" with "ok number", as often as it is asked, and counts each once for each peer.
struct Tally : Handler {
  Action on_session_open(Session& session) override {
    ++opened;
    session.emplace_context<std::set<std::string>>();
    return Action::none;
  }
  Action on_datagram(Datagram& datagram) override {
    const std::string question{to_text(datagram.bytes())};
    if (datagram.session()->context<std::set<std::string>>()->insert(question).second) ++counted;
    datagram.reply("ok " + question);
    return Action::none;
  }
  Action on_session_close(Session& /*session*/, std::error_code reason) override {
    reasons.push_back(reason);
    return Action::none;
  }

  int opened = 0;
  int counted = 0;
  std::vector<std::error_code> reasons;
};

Options small_options() {
  Options options;
  options.recv_buffers_count = 16;
  options.recv_buffer_size = 256;
  options.datagram_buffers_count = 4;
  options.datagram_sessions = true;
  options.sq_entries = 16;
  options.cq_entries = 64;
  options.log_level = LogLevel::off;
  return options;
}

bool was_answered(const DatagramPeer& peer, const std::string& answer) {
  for (std::size_t index = 0; index < peer.received_count(); ++index) {
    if (peer.received(index) == answer) return true;
  }
  return false;
}

// Asks, and asks again after a while, until it is answered.
bool ask(World& world, DatagramPeer& peer, const std::string& question) {
  for (int tries = 0; tries < 100; ++tries) {
    peer.send_to(udp_port, question);
    if (!world.settle()) return false;
    if (was_answered(peer, "ok " + question)) return true;
    if (!world.advance(std::chrono::milliseconds{100})) return false;
  }
  return false;
}

std::string try_tally(std::uint64_t seed) {
  Tally tally;
  World world{{.seed = seed, .whims = 50}};
  if (const auto error = world.start(tally, udp_address, small_options())) return explain(error);
  for (const char* fault : {"datagram_lost", "datagram_doubled", "datagram_late"}) {
    if (!world.set_fault(fault, 200)) return "an unknown fault";
  }
  std::vector<DatagramPeer> peers{world.add_datagram_peer(), world.add_datagram_peer()};
  constexpr int questions = 10;
  for (int number = 0; number < questions; ++number) {
    for (DatagramPeer& peer : peers) {
      if (!ask(world, peer, std::to_string(number))) return "no answer to " + std::to_string(number);
    }
  }
  if (tally.counted != 2 * questions) return std::to_string(tally.counted) + " questions were counted";
  if (tally.opened != 2) return std::to_string(tally.opened) + " sessions";
  return world.run_to_end();
}

TEST_CASE("who asks until he is answered is counted once, whatever the network loses, doubles and delays") {
  const auto failure = for_each_seed(0, 100, [](std::uint64_t seed) { return try_tally(seed); });
  INFO((failure ? failure->to_string() : ""));
  CHECK_FALSE(failure);
}

TEST_CASE("without faults each datagram comes once, from the port that was asked") {
  Tally tally;
  World world{{.seed = 3, .whims = 0}};
  REQUIRE_FALSE(world.start(tally, udp_address, small_options()));
  DatagramPeer peer = world.add_datagram_peer();
  for (const char* question : {"a", "b", "c"}) peer.send_to(udp_port, question);
  CHECK(peer.unsent_count() == 3);
  REQUIRE(world.settle());
  CHECK(peer.unsent_count() == 0);
  REQUIRE(peer.received_count() == 3);
  for (const char* question : {"a", "b", "c"}) CHECK(was_answered(peer, std::string{"ok "} + question));
  CHECK(peer.sender(1) == udp_port);
  CHECK(tally.opened == 1);
  CHECK(world.run_to_end().empty());
  CHECK(tally.reasons == std::vector{make_error_code(Error::engine_stopped)});
}

TEST_CASE("a session of a silent peer ends when virtual time has passed") {
  Tally tally;
  World world{{.seed = 5, .whims = 0}};
  Options options = small_options();
  options.session_timeout = std::chrono::minutes{2};
  REQUIRE_FALSE(world.start(tally, udp_address, options));
  DatagramPeer peer = world.add_datagram_peer();
  REQUIRE(ask(world, peer, "one"));
  REQUIRE(world.advance(std::chrono::seconds{119}));
  CHECK(tally.reasons.empty());
  REQUIRE(world.advance(std::chrono::seconds{2}));
  CHECK(tally.reasons == std::vector{make_error_code(Error::idle_timeout)});
  CHECK(world.run_to_end().empty());
}

TEST_CASE("a peer that has left refuses a session that was opened with it") {
  Tally tally;
  World world{{.seed = 7, .whims = 0}};
  REQUIRE_FALSE(world.start(tally, udp_address, small_options()));
  DatagramPeer peer = world.add_datagram_peer();
  SessionRef opened;
  const auto open = [&] {
    return world.engine().open_session("udp4://127.0.0.1:" + std::to_string(peer.port()),
                                       [&](Session* session, std::error_code) {
                                         if (session == nullptr) return;
                                         opened = session->ref();
                                         session->send("anybody?");
                                       });
  };
  REQUIRE_FALSE(open());
  REQUIRE(world.settle());
  REQUIRE(peer.received_count() == 1);
  CHECK(peer.received(0) == "anybody?");
  peer.send_to(peer.sender(0), "me");
  REQUIRE(world.settle());
  CHECK(peer.received(1) == "ok me");

  peer.leave();
  CHECK(peer.is_gone());
  opened.send("still there?");
  REQUIRE(world.settle());
  REQUIRE(tally.reasons.size() == 1);
  CHECK(tally.reasons[0] == std::errc::connection_refused);
  CHECK(world.run_to_end().empty());
}

}  // namespace
}  // namespace ringwire::sim
