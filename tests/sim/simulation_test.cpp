// The world: a seed is a schedule, what is wrong is said, and what did not come home is counted.
#include "lib/sim/simulation.hpp"

#include <ringwire/ringwire.hpp>

#include "tests/support/catch.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::sim {
namespace {

using kernel::sim::Choices;
using kernel::sim::Fault;
using kernel::sim::ListChoices;
using kernel::sim::SeededChoices;
using test::contains;

constexpr std::array<std::string_view, 2> addresses{"tcp4://:9000", "tcp4://:9001"};

class Echo : public Handler {
 public:
  Action on_traffic(Conn& conn) override {
    conn.write(conn.next());
    return Action::none;
  }
};

Options small_options() {
  Options options;
  options.loops = 2;
  options.recv_buffers_count = 4;
  options.recv_buffer_size = 64;
  options.sq_entries = 8;
  options.cq_entries = 16;
  options.log_level = LogLevel::off;
  return options;
}

// An echo server, started.
struct Stage {
  explicit Stage(Choices& choices, const Options& options = small_options())
      : world{std::make_unique<Simulation>(choices)} {
    REQUIRE_FALSE(world->start(handler, addresses, options));
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  // An engine with connections cannot be taken down in order: they leave first.
  ~Stage() {
    if (!world->is_over() && !finish()) static_cast<void>(world.release());
  }

  // Steps until nothing can happen any more, or too many.
  void settle(unsigned steps_max = 5000) {
    for (unsigned count = 0; count < steps_max && world->step(); ++count) {
    }
  }
  // Lets everybody leave; true when the engine has ended.
  bool finish() {
    world->heal();
    for (SimPeer& peer : world->peers()) peer.finish();
    settle();
    static_cast<void>(world->engine().stop());
    settle();
    return world->is_over();
  }

  Echo handler;
  std::unique_ptr<Simulation> world;
};

std::string echo_and_trace(std::uint64_t seed) {
  SeededChoices choices{seed};
  Stage at{choices};
  at.world->keep_trace();
  for (const Fault fault : {Fault::short_recv, Fault::recv_ends, Fault::enter_busy, Fault::starved}) {
    at.world->kernel().faults().set_rate(fault, 100);
  }
  for (std::size_t index = 0; index < 3; ++index) at.world->connect(index % 2).send(std::string(200, 'x'));
  for (int count = 0; count < 500; ++count) at.world->step();
  CHECK(at.finish());
  for (const SimPeer& peer : at.world->peers()) CHECK(peer.received() == std::string(200, 'x'));
  return at.world->trace();
}

TEST_CASE("the same seed gives the same trace, byte for byte, and another seed another", "[simulation]") {
  const std::string first = echo_and_trace(1);
  CHECK(first.size() > 1000);
  CHECK((first == echo_and_trace(1)));
  CHECK((first != echo_and_trace(2)));
}

TEST_CASE("what was drawn replays as a list, to the same trace", "[simulation]") {
  const auto play = [](Choices& choices) {
    Stage at{choices};
    at.world->keep_trace();
    at.world->connect().send("hello");
    for (int count = 0; count < 200; ++count) at.world->step();
    return at.world->trace();
  };
  SeededChoices seeded{9};
  const std::string trace = play(seeded);
  ListChoices list{seeded.taken()};
  CHECK((play(list) == trace));
}

TEST_CASE("with the plainest choices a client is served, and everything comes home", "[simulation]") {
  ListChoices choices{{}};
  Stage at{choices};
  SimPeer& peer = at.world->connect();
  peer.send("hello");
  at.settle();
  CHECK(peer.received() == "hello");
  CHECK(at.finish());
  CHECK(peer.has_end());
  CHECK(at.world->trouble().empty());
  CHECK(at.world->leftovers().empty());
}

TEST_CASE("a world that sleeps for ever says so, and is quiet before", "[simulation]") {
  ListChoices choices{{}};
  Stage at{choices};
  at.settle();
  CHECK_FALSE(at.world->step());
  CHECK(at.world->was_quiet());
  at.world->connect();
  CHECK(at.world->step());
  CHECK_FALSE(at.world->was_quiet());
}

TEST_CASE("with nothing to do time passes to the next timeout, at once", "[simulation]") {
  ListChoices choices{{}};
  Options options = small_options();
  options.idle_timeout = std::chrono::hours{1};
  Stage at{choices, options};
  SimPeer& peer = at.world->connect();
  const kernel::Nanoseconds begin = at.world->kernel().now();
  at.settle(20'000);
  CHECK(peer.has_end());
  CHECK(at.world->kernel().now() - begin >= kernel::Nanoseconds{3'600} * 1'000'000'000);
  CHECK(at.world->steps() < 20'000);
}

TEST_CASE("a loop that laps without doing anything is reported", "[simulation]") {
  ListChoices choices{{}};
  Stage at{choices};
  at.settle();
  // A kernel that never lets a loop sleep: each lap is answered EINTR and brings nothing.
  at.world->kernel().faults().set_rate(Fault::enter_interrupted, 1000);
  at.world->connect();
  for (int count = 0; count < 300 && at.world->trouble().empty(); ++count) at.world->step();
  CHECK_THAT(at.world->trouble(), contains("spins"));
  at.world->heal();
}

TEST_CASE("a violation of the kernel's rules is trouble, and told before all other", "[simulation]") {
  ListChoices choices{{}};
  Stage at{choices};
  CHECK(at.world->trouble().empty());
  io_uring ring{};
  io_uring_params params{};
  REQUIRE(at.world->kernel().open_ring(ring, 4, params) == 0);
  at.world->kernel().enter(ring, 3, 0, 0, 0);
  CHECK(at.world->trouble() == "3 SQEs announced, 0 written");
  at.world->kernel().close_ring(ring);
}

TEST_CASE("what did not come home is counted, each kind by its number", "[simulation]") {
  ListChoices choices{{}};
  Stage at{choices};
  kernel::sim::SimKernel& kernel = at.world->kernel();
  CHECK(at.finish());
  io_uring ring{};
  io_uring_params params{};
  REQUIRE(kernel.open_ring(ring, 4, params) == 0);
  void* memory = kernel.map_memory(100);
  CHECK(kernel.open_event() >= 0);
  CHECK(at.world->leftovers() == "2 descriptors open, 1 rings open, 1 pieces of memory mapped");
  kernel.unmap_memory(memory, 100);
  kernel.close_ring(ring);
}

TEST_CASE("operations that are still armed are left over, though the engine takes them along",
          "[simulation]") {
  ListChoices choices{{}};
  Stage at{choices};
  at.settle();
  const std::size_t armed = at.world->kernel().operations_count();
  CHECK(armed > 0);
  CHECK(at.world->leftovers() == std::to_string(armed) + " operations armed");
  CHECK(at.world->kernel().operations_count() == 0);
}

TEST_CASE("clients come to the address they name; one too many for the backlog is refused", "[simulation]") {
  ListChoices choices{{}};
  Options options = small_options();
  options.backlog = 1;
  Stage at{choices, options};
  CHECK_FALSE(at.world->connect(1).was_refused());
  CHECK(at.world->connect(1).was_refused());
  CHECK_FALSE(at.world->connect(0).was_refused());
  CHECK(at.world->peers().size() == 3);
}

TEST_CASE("a connection the engine makes has a peer at its far end", "[simulation]") {
  ListChoices choices{{}};
  Stage at{choices};
  at.world->kernel().set_remote(7000, kernel::sim::Remote::accepts);
  std::optional<std::error_code> told;
  REQUIRE_FALSE(at.world->engine().loop(0).connect("tcp://127.0.0.1:7000",
                                                   [&](std::error_code error) { told = error; }));
  at.settle();
  CHECK(told == std::error_code{});
  REQUIRE(at.world->peers().size() == 1);
  SimPeer& peer = at.world->peers()[0];
  CHECK(peer.side() == 1);
  peer.send("from the far end");
  at.settle();
  CHECK(peer.received() == "from the far end");
}

TEST_CASE("after healing nothing fails, and each gets its turn", "[simulation]") {
  SeededChoices choices{4};
  Stage at{choices};
  at.world->kernel().faults().set_rate(Fault::starved, 1000);
  SimPeer& peer = at.world->connect();
  peer.send("hello");
  for (int count = 0; count < 300; ++count) at.world->step();
  CHECK(peer.received().empty());
  CHECK(at.finish());
  CHECK(peer.received() == "hello");
}

TEST_CASE("an engine that does not start leaves a world that is over", "[simulation]") {
  ListChoices choices{{}};
  Simulation world{choices};
  Echo handler;
  world.kernel().fail_call(0, false);
  CHECK(world.start(handler, addresses, small_options()));
  CHECK(world.is_over());
  CHECK(world.leftovers().empty());
}

}  // namespace
}  // namespace ringwire::sim
