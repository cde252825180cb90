// A world as its users see it: what is scripted happens, what must not happen is said, and a seed is a run.
#include <ringwire/sim.hpp>

#include <ringwire/ringwire.hpp>

#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace ringwire::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view address = "tcp4://:9000";

// Sends everything back and keeps why connections closed.
struct Echo : Handler {
  Action on_traffic(Conn& conn) override {
    conn.write(conn.next());
    return Action::none;
  }
  Action on_close(Conn& /*conn*/, std::error_code reason) override {
    reasons.push_back(reason);
    return Action::none;
  }
  void on_shutdown(Engine& /*engine*/) override { ++shutdowns; }

  std::vector<std::error_code> reasons;
  int shutdowns = 0;
};

// Small rings and few buffers: a world of them is made a hundred times as fast.
Options quiet(Options options = {}) {
  options.recv_buffers_count = 16;
  options.recv_buffer_size = 256;
  options.sq_entries = 16;
  options.cq_entries = 64;
  options.log_level = LogLevel::off;
  return options;
}

std::error_code errno_of(int number) {
  return {number, std::system_category()};
}

TEST_CASE("what a peer sends comes back whole, whatever whims the kernel has") {
  const auto failure = for_each_seed(0, 50, [](std::uint64_t seed) -> std::string {
    Echo echo;
    World world{{.seed = seed, .whims = 200, .socket_buffer_size = 300}};
    if (const auto error = world.start(echo, address, quiet({.loops = 2}))) return explain(error);
    Peer peer = world.connect();
    std::string sent;
    for (int number = 0; number < 300; ++number) sent += std::to_string(number);
    peer.send(sent);
    if (!world.run_until([&] { return peer.received().size() == sent.size(); })) return "not all came back";
    if (peer.received() != sent) return "other bytes came back";
    peer.finish();
    if (!world.run_until([&] { return peer.is_gone(); })) return "the peer does not get away";
    if (!world.run_until([&] { return !echo.reasons.empty(); })) return "no on_close";
    if (!peer.has_end() || peer.error() || peer.unsent_size() != 0) return "the end was no clean one";
    if (echo.reasons != std::vector{std::error_code{Error::end_of_stream}}) return "another reason";
    return world.run_to_end();
  });
  INFO((failure ? failure->to_string() : ""));
  CHECK_FALSE(failure);
}

TEST_CASE("the same seed gives the same trace, another seed another") {
  const auto trace_of = [](std::uint64_t seed) {
    Echo echo;
    World world{{.seed = seed, .whims = 100, .breaks = 10, .trace = true}};
    REQUIRE_FALSE(world.start(echo, address, quiet()));
    world.connect().send("hello");
    world.connect().send("world");
    world.run_until([] { return false; }, 200);
    CHECK(world.run_to_end().empty());
    return world.trace();
  };
  const std::string trace = trace_of(7);
  CHECK_THAT(trace, test::contains("lap 0"));
  CHECK_THAT(trace, test::contains("RECV fd"));
  CHECK(trace == trace_of(7));
  CHECK(trace != trace_of(8));
}

TEST_CASE("time passes only as it is told to, and what is due on the way happens") {
  Echo echo;
  World world{{.whims = 0}};
  REQUIRE_FALSE(world.start(echo, address, quiet({.idle_timeout = seconds{30}})));
  Peer peer = world.connect();
  REQUIRE(world.settle());
  CHECK(world.now() == milliseconds{0});
  CHECK(world.engine().connections_count() == 1);

  REQUIRE(world.advance(seconds{29}));
  CHECK(echo.reasons.empty());
  CHECK_FALSE(peer.has_end());
  REQUIRE(world.advance(seconds{2}));
  CHECK(world.now() == seconds{31});
  CHECK(peer.has_end());
  peer.finish();
  REQUIRE(world.settle());
  CHECK(echo.reasons == std::vector{std::error_code{Error::idle_timeout}});
  CHECK(world.run_to_end().empty());
}

// Measures how long each connection was silent before it spoke.
struct Stopwatch : Handler {
  Action on_open(Conn& conn) override {
    opened = conn.now();
    return Action::none;
  }
  Action on_traffic(Conn& conn) override {
    silences.push_back(conn.now() - opened);
    conn.discard();
    return Action::none;
  }

  std::chrono::steady_clock::time_point opened;
  std::vector<std::chrono::nanoseconds> silences;
};

TEST_CASE("a connection's clock is the world's") {
  Stopwatch stopwatch;
  World world{{.whims = 0}};
  REQUIRE_FALSE(world.start(stopwatch, address, quiet()));
  Peer peer = world.connect();
  REQUIRE(world.settle());
  REQUIRE(world.advance(seconds{7}));
  peer.send("x");
  REQUIRE(world.settle());
  CHECK(stopwatch.silences == std::vector<std::chrono::nanoseconds>{seconds{7}});
  peer.finish();
  CHECK(world.run_to_end().empty());
}

TEST_CASE("a buffer a handler has taken outlives the world it came from") {
  struct Keeper : Handler {
    Action on_traffic(Conn& conn) override {
      kept = conn.take();
      return Action::none;
    }
    Buffer kept;
  } keeper;
  {
    World world{{.whims = 0}};
    REQUIRE_FALSE(world.start(keeper, address, quiet()));
    world.connect().send("keep me");
    REQUIRE(world.settle());
    CHECK(world.run_to_end().empty());
  }
  CHECK(keeper.kept.text() == "keep me");
}

TEST_CASE("a peer that reads slowly is not idle, one that stops is") {
  Echo echo;
  World world{{.whims = 0, .socket_buffer_size = 100}};
  REQUIRE_FALSE(world.start(echo, address, quiet({.idle_timeout = seconds{30}})));
  Peer peer = world.connect();
  peer.send(std::string(2'000, 'x'));
  peer.pause_reading();
  REQUIRE(world.settle());
  for (std::size_t part = 0; peer.received().size() < 2'000; ++part) {
    INFO(part);
    REQUIRE(part < 20);
    REQUIRE(world.advance(seconds{20}));
    REQUIRE(echo.reasons.empty());
    peer.resume_reading();
    REQUIRE(
        world.run_until([&, before = peer.received().size()] { return peer.received().size() > before; }));
    peer.pause_reading();
    REQUIRE(world.settle());
  }
  CHECK(peer.received() == std::string(2'000, 'x'));

  peer.send(std::string(2'000, 'y'));
  REQUIRE(world.settle());
  REQUIRE(world.advance(seconds{60}));
  CHECK(echo.reasons == std::vector{std::error_code{Error::idle_timeout}});
  CHECK(world.run_to_end().empty());
}

TEST_CASE("a peer that stops reading leaves its bytes in the engine until it reads on") {
  Echo echo;
  World world{{.whims = 0, .socket_buffer_size = 100}};
  REQUIRE_FALSE(world.start(echo, address, quiet()));
  Peer peer = world.connect();
  peer.pause_reading();
  peer.send(std::string(400, 'x'));
  REQUIRE(world.settle());
  CHECK(peer.received().empty());
  CHECK(peer.unsent_size() == 0);

  peer.resume_reading();
  REQUIRE(world.settle());
  CHECK(peer.received() == std::string(400, 'x'));
  CHECK(world.run_to_end().empty());
}

TEST_CASE("a peer's reset is an error for the handler, a handler's for the peer") {
  Echo echo;
  World world{{.whims = 0}};
  REQUIRE_FALSE(world.start(echo, address, quiet()));
  Peer first = world.connect();
  REQUIRE(world.settle());
  first.reset();
  REQUIRE(world.settle());
  CHECK(first.is_gone());
  CHECK(echo.reasons == std::vector{errno_of(ECONNRESET)});

  struct Rude : Handler {
    Action on_traffic(Conn& conn) override {
      conn.abort();
      return Action::none;
    }
  } rude;
  World other{{.whims = 0}};
  REQUIRE_FALSE(other.start(rude, address, quiet()));
  Peer second = other.connect();
  second.send("hello");
  REQUIRE(other.settle());
  CHECK(second.error() == std::errc::connection_reset);
  CHECK_FALSE(second.has_end());
  CHECK(other.run_to_end().empty());
  CHECK(world.run_to_end().empty());
}

TEST_CASE("who finds the backlog full, or the engine stopped, is refused") {
  Echo echo;
  World world{{.whims = 0}};
  REQUIRE_FALSE(world.start(echo, address, quiet({.backlog = 1})));
  CHECK_FALSE(world.connect().was_refused());
  Peer late = world.connect();
  CHECK(late.was_refused());
  CHECK(late.is_gone());
  CHECK(late.port() == 0);
  late.send("nobody");
  CHECK(world.peers().size() == 2);
  CHECK(world.run_to_end().empty());
}

TEST_CASE("descriptors run out when they are told to, and come back") {
  Echo echo;
  World world{{.whims = 0, .descriptors_max = 6}};
  REQUIRE_FALSE(world.start(echo, address, quiet()));
  std::vector<Peer> peers;
  for (int count = 0; count < 5; ++count) peers.push_back(world.connect());
  REQUIRE(world.settle());
  const std::size_t served = world.engine().connections_count();
  CHECK(served < peers.size());

  for (Peer& peer : peers) peer.finish();
  REQUIRE(world.advance(seconds{10}));
  for (const Peer& peer : peers) CHECK(peer.is_gone());
  CHECK(echo.reasons.size() == peers.size());
  CHECK(world.run_to_end().empty());
}

TEST_CASE("a fault is known by its name and happens until the world heals") {
  Echo echo;
  World world{{.whims = 0}};
  REQUIRE_FALSE(world.start(echo, address, quiet()));
  CHECK_FALSE(world.set_fault("bad_luck", 1000));
  for (const std::string_view name : fault_names()) CHECK(world.set_fault(name, 0));
  REQUIRE(world.set_fault("recv_fails", 1000));
  Peer broken = world.connect();
  broken.send("hello");
  REQUIRE(world.settle());
  CHECK(world.faults_count() > 0);
  CHECK(broken.is_gone());
  CHECK(echo.reasons.size() == 1);

  world.heal();
  Peer whole = world.connect();
  whole.send("hello");
  REQUIRE(world.settle());
  CHECK(whole.received() == "hello");
  CHECK(world.run_to_end().empty());
}

TEST_CASE("a connection the handler makes finds its far end among the peers") {
  Echo echo;
  World world{{.whims = 0}};
  REQUIRE_FALSE(world.start(echo, address, quiet()));
  world.answer_on(7000);
  std::vector<std::error_code> answers;
  for (const char* const target : {"tcp://127.0.0.1:7000", "tcp://127.0.0.1:7001"}) {
    const auto error =
        world.engine().loop(0).connect(target, [&](std::error_code answer) { answers.push_back(answer); });
    REQUIRE_FALSE(error);
    REQUIRE(world.settle());
  }
  CHECK(answers == std::vector{std::error_code{}, errno_of(ECONNREFUSED)});
  REQUIRE(world.peers().size() == 1);
  Peer far = world.peers().front();
  far.send("who is there");
  REQUIRE(world.settle());
  CHECK(far.received() == "who is there");
  CHECK(world.run_to_end().empty());
}

TEST_CASE("the end tells each handler once and each peer, and leaves nothing") {
  Echo echo;
  std::optional<World> world;
  world.emplace(Settings{.seed = 3});
  REQUIRE_FALSE(world->start(echo, address, quiet({.loops = 3})));
  for (int count = 0; count < 4; ++count) world->connect().send("hello");
  CHECK(world->run_until([&] { return world->engine().connections_count() == 4; }));
  SECTION("when it is asked for") {
    CHECK(world->run_to_end().empty());
    CHECK(world->is_over());
    for (const Peer& peer : world->peers()) CHECK((peer.has_end() || peer.error()));
    CHECK_FALSE(world->step());
    CHECK(world->run_to_end().empty());
  }
  SECTION("when the world is destroyed") {
    world.reset();
  }
  CHECK(echo.reasons.size() == 4);
  CHECK(echo.shutdowns == 1);
}

TEST_CASE("a loop that spins is trouble, and nothing moves after it") {
  struct Restless : Handler {
    Action on_traffic(Conn& conn) override {
      conn.ref().wake();
      return Action::none;
    }
  } restless;
  World world{{.whims = 0}};
  REQUIRE_FALSE(world.start(restless, address, quiet()));
  Peer peer = world.connect();
  peer.send("x");
  CHECK_FALSE(world.settle());
  CHECK_THAT(world.trouble(), test::contains("spins"));
  CHECK_FALSE(world.step());
  CHECK_FALSE(world.advance(seconds{1}));
  CHECK_FALSE(world.run_until([] { return true; }));
  CHECK(world.run_to_end() == world.trouble());
}

TEST_CASE("a run that may take no steps says that it saw no end") {
  Echo echo;
  World world;
  REQUIRE_FALSE(world.start(echo, address, quiet()));
  CHECK_THAT(world.run_to_end(0), test::contains("no end in sight"));
}

TEST_CASE("what cannot start is said as run says it") {
  Echo echo;
  World world;
  CHECK(world.start(echo, "tulip://:1") == Error::unsupported_protocol);
  CHECK(world.is_over());
  CHECK_FALSE(world.step());
  CHECK(world.run_to_end().empty());

  World other;
  CHECK(other.start(echo, address, {.recv_buffers_count = 3}) == Error::invalid_option);
}

TEST_CASE("a check that fails inside a world names the seed") {
  const std::string said = test::death_of([] {
    struct Greedy : Handler {
      Action on_traffic(Conn& conn) override {
        conn.loop().post(nullptr);
        return Action::none;
      }
    } greedy;
    World world{{.seed = 17}};
    static_cast<void>(world.start(greedy, address));
    world.connect().send("x");
    world.settle();
  });
  CHECK_THAT(said, test::contains("ringwire: misuse by the caller"));
  CHECK_THAT(said, test::contains("ringwire: it happened while seed 17 was simulated\n"));
}

TEST_CASE("an exception passes through the seeds, and stops them") {
  int runs = 0;
  CHECK_THROWS_AS(for_each_seed(0, 10,
                                [&](std::uint64_t seed) -> std::string {
                                  ++runs;
                                  if (seed == 3) throw std::runtime_error{"no"};
                                  return {};
                                }),
                  std::runtime_error);
  CHECK(runs == 4);
}

TEST_CASE("RINGWIRE_SEED runs one seed alone") {
  const auto seeds_with = [](const char* value) {
    std::vector<std::uint64_t> seeds;
    ::setenv("RINGWIRE_SEED", value, 1);
    const auto failure = for_each_seed(0, 3, [&](std::uint64_t seed) -> std::string {
      seeds.push_back(seed);
      return {};
    });
    ::unsetenv("RINGWIRE_SEED");
    return std::pair{seeds, failure ? failure->what : ""};
  };
  CHECK(seeds_with("17").first == std::vector<std::uint64_t>{17});
  CHECK(seeds_with("").first == std::vector<std::uint64_t>{0, 1, 2});
  CHECK(seeds_with("17a").second == "RINGWIRE_SEED is '17a'; it must be a number");
}

}  // namespace
}  // namespace ringwire::sim
