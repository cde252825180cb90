// A server run lap by lap on the simulated kernel: what fails at the start leaves nothing, and the end is
// told once.
#include "lib/engine/stepper.hpp"

#include <ringwire/error.hpp>

#include "lib/kernel/sim/sim_kernel.hpp"
#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace ringwire::engine {
namespace {

using kernel::sim::ListChoices;
using kernel::sim::SimKernel;

constexpr std::array<std::string_view, 2> addresses{"tcp4://:9000", "tcp4://:9001"};

// Counts what an engine tells beside its connections' events.
class Counter : public test::Notebook {
 public:
  Action on_boot(Engine& engine) override {
    ++boots;
    if (boot_throws) throw std::runtime_error{"boot"};
    CHECK(engine.addresses().size() == addresses.size());
    return boot_answer;
  }
  void on_shutdown(Engine& engine) override {
    ++shutdowns;
    left_at_shutdown = engine.connections_count();
  }

  int boots = 0;
  int shutdowns = 0;
  std::size_t left_at_shutdown = 99;
  bool boot_throws = false;
  Action boot_answer = Action::none;
};

struct StepperStage {
  explicit StepperStage(std::size_t loops = 2) {
    options.loops = loops;
    options.log_level = LogLevel::off;
    options.stop_on_signal = true;
    options.sq_entries = 8;
    options.cq_entries = 16;
    options.recv_buffers_count = 4;
    options.recv_buffer_size = 64;
    stepper.emplace(kernel, counter, options);
  }

  std::error_code start() { return stepper->start(addresses); }

  // Everything gets its turn, until all is over; false when it takes too long.
  bool run() {
    for (int round = 0; round < 500 && !stepper->is_over(); ++round) lap_all();
    return stepper->is_over();
  }
  void lap_all() {
    for (std::size_t actor = 0; actor < stepper->actors_count(); ++actor) {
      if (stepper->is_running(actor)) stepper->lap(actor);
    }
    for (kernel::sim::Operation* operation : kernel.ready()) kernel.attempt(*operation);
    kernel.set_time(kernel.now() + 1'000'000);
  }

  // Did everything the engine ever held come home?
  [[nodiscard]] bool is_all_home() const {
    return kernel.operations_count() == 0 && kernel.rings_count() == 0 && kernel.maps_count() == 0;
  }

  ListChoices choices{{}};
  SimKernel kernel{choices};
  Counter counter;
  Options options;
  std::optional<Stepper> stepper;
};

TEST_CASE("a stepper has an actor for each loop, and one for the balancer when there are two", "[stepper]") {
  for (const std::size_t loops : {1U, 2U, 3U}) {
    StepperStage at{loops};
    REQUIRE_FALSE(at.start());
    CHECK(at.stepper->actors_count() == (loops == 1 ? 1 : loops + 1));
    for (std::size_t actor = 0; actor < at.stepper->actors_count(); ++actor) {
      CHECK(at.stepper->is_running(actor));
      for (std::size_t other = 0; other < actor; ++other) {
        CHECK(at.stepper->ring_fd(actor) != at.stepper->ring_fd(other));
      }
    }
    CHECK(at.kernel.rings_count() == at.stepper->actors_count());
    CHECK_FALSE(at.stepper->is_over());
  }
}

TEST_CASE("on_shutdown is told once, after the last lap of the last actor", "[stepper]") {
  StepperStage at;
  REQUIRE_FALSE(at.start());
  const auto client = at.kernel.connect(9000);
  for (int round = 0; round < 5; ++round) at.lap_all();
  CHECK(at.stepper->engine().connections_count() == 1);
  CHECK_FALSE(at.stepper->engine().stop());
  for (int round = 0; round < 20; ++round) at.lap_all();
  CHECK(at.counter.shutdowns == 0);  // The client has not ended its side.
  client->close(0, false);
  client->deliver(0, 0, true);
  while (!at.stepper->is_over()) {
    CHECK(at.counter.shutdowns == 0);
    at.lap_all();
  }
  CHECK(at.counter.shutdowns == 1);
  CHECK(at.counter.left_at_shutdown == 0);
  CHECK(at.is_all_home());
  CHECK(at.kernel.files().count() == 0);
  at.stepper.reset();
  CHECK(at.counter.shutdowns == 1);
}

TEST_CASE("a signal ends it as Engine::stop does", "[stepper]") {
  StepperStage at;
  REQUIRE_FALSE(at.start());
  at.kernel.raise_signal();
  CHECK(at.run());
  CHECK(at.counter.shutdowns == 1);
  CHECK(at.kernel.files().count() == 0);
}

TEST_CASE("after shutdown from on_boot there is nothing to run, and no on_shutdown", "[stepper]") {
  StepperStage at;
  at.counter.boot_answer = Action::shutdown;
  CHECK_FALSE(at.start());
  CHECK(at.stepper->is_over());
  CHECK(at.stepper->actors_count() == 0);
  at.stepper.reset();
  CHECK(at.counter.boots == 1);
  CHECK(at.counter.shutdowns == 0);
  CHECK(at.is_all_home());
  CHECK(at.kernel.files().count() == 0);
}

TEST_CASE("an on_boot that throws is a failed start", "[stepper]") {
  StepperStage at;
  at.counter.boot_throws = true;
  CHECK(at.start() == Error::handler_failed);
  CHECK(at.stepper->is_over());
  at.stepper.reset();
  CHECK(at.kernel.files().count() == 0);
}

TEST_CASE("whichever call fails at the start, everything that was opened is closed", "[stepper]") {
  std::uint64_t calls_count = 0;
  {
    StepperStage at;
    REQUIRE_FALSE(at.start());
    calls_count = at.kernel.calls_count();
  }
  CHECK(calls_count > 20);
  std::uint64_t failures = 0;
  for (const bool for_good : {false, true}) {
    for (std::uint64_t nth = 0; nth < calls_count; ++nth) {
      INFO("call " << nth << (for_good ? " and all later ones" : ""));
      StepperStage at;
      at.kernel.fail_call(nth, for_good);
      const bool failed = static_cast<bool>(at.start());
      if (failed) {
        ++failures;
        CHECK(at.stepper->is_over());
        CHECK(at.is_all_home());
      }
      at.kernel.fail_call(UINT64_MAX, false);
      at.stepper.reset();
      CHECK(at.is_all_home());
      CHECK(at.kernel.files().count() == 0);
      CHECK(at.counter.shutdowns == 0);
    }
  }
  CHECK(failures > calls_count);  // Some calls are optional, but not half of them.
}

TEST_CASE("under lockdown a thread that cannot be locked ends the start", "[stepper]") {
  StepperStage at;
  at.options.lockdown = true;
  at.stepper.emplace(at.kernel, at.counter, at.options);
  CHECK_FALSE(at.start());
  const std::uint64_t calls_count = at.kernel.calls_count();
  at.stepper.reset();

  StepperStage other;
  other.options.lockdown = true;
  other.stepper.emplace(other.kernel, other.counter, other.options);
  other.kernel.fail_call(calls_count - 1, false);  // The balancer's lock is the last call of all.
  CHECK(other.start() == Error::lockdown_failed);
  CHECK(other.is_all_home());
}

TEST_CASE("a stepper that nobody has connected to may be thrown away between two laps", "[stepper]") {
  StepperStage at;
  REQUIRE_FALSE(at.start());
  for (int round = 0; round < 3; ++round) at.lap_all();
  at.stepper.reset();
  CHECK(at.is_all_home());
  CHECK(at.counter.shutdowns == 0);
}

}  // namespace
}  // namespace ringwire::engine
