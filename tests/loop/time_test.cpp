// What time does: ticks, idle connections, and how long a lap waits for it.
#include <ringwire/error.hpp>

#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <chrono>

using namespace std::chrono_literals;
using ringwire::test::LoopFixture;
using ringwire::test::Words;
using ringwire::uring::Op;

TEST_CASE("the first tick comes when the loop starts, the next after its delay", "[time]") {
  LoopFixture at{{.ticker = true}};
  CHECK(at.notebook.events == Words{"tick"});
  at.kernel.waits.clear();
  at.lap();
  CHECK(at.notebook.events.size() == 1);
  CHECK(at.kernel.waits.back() <= 10'000'000);
  CHECK(at.kernel.waits.back() > 0);
  at.kernel.time += 11'000'000;
  at.lap();
  CHECK(at.notebook.events.size() == 2);
}

// What loop 1 ticks in its first lap.
static Words ticked_on_loop_1(const ringwire::Options& options) {
  ringwire::test::ScriptKernel kernel;
  ringwire::test::Notebook notebook;
  ringwire::test::StopCounter owner;
  const ringwire::base::Log log{ringwire::LogLevel::off, nullptr};
  ringwire::loop::Loop loop{{kernel, notebook, options, log, owner}, 1, true};
  CHECK_FALSE(loop.open());
  CHECK(loop.lap());
  loop.close();
  return notebook.events;
}

TEST_CASE("only loop 0 ticks, unless each loop is to", "[time]") {
  CHECK(ticked_on_loop_1({.ticker = true}).empty());
  CHECK(ticked_on_loop_1({.ticker = true, .ticker_per_loop = true}) == Words{"tick"});
  CHECK(ticked_on_loop_1({.ticker_per_loop = true}).empty());
}

TEST_CASE("without the option nothing ticks", "[time]") {
  LoopFixture at;
  at.kernel.time += 1'000'000'000;
  at.lap();
  CHECK(at.notebook.events.empty());
}

TEST_CASE("a tick of no delay comes after a millisecond, not at once for ever", "[time]") {
  LoopFixture at{{.ticker = true}};
  at.notebook.ticks = [] { return ringwire::Tick{0ms}; };
  at.kernel.time += 11'000'000;
  at.lap();
  const std::size_t count = at.notebook.events.size();
  at.lap();
  CHECK(at.notebook.events.size() == count);
  at.kernel.time += 2'000'000;
  at.lap();
  CHECK(at.notebook.events.size() == count + 1);
}

TEST_CASE("a tick may ask the engine to stop", "[time]") {
  LoopFixture at{{.ticker = true}};
  at.notebook.ticks = [] { return ringwire::Tick{10ms, ringwire::Action::shutdown}; };
  at.kernel.time += 11'000'000;
  at.lap();
  CHECK(at.owner.count == 1);
}

TEST_CASE("an idle connection is closed in time, and the lap waits just so long", "[time]") {
  LoopFixture at{{.idle_timeout = 40ms}};
  const auto recv = at.connect(20);
  at.kernel.waits.clear();
  at.lap();
  CHECK(at.kernel.waits.back() <= 41'000'000);
  at.kernel.time += 30'000'000;
  REQUIRE(at.kernel.receive(recv, "alive"));
  at.lap();
  at.kernel.time += 30'000'000;
  at.lap();
  CHECK(at.kernel.shut_down.empty());
  at.kernel.time += 12'000'000;
  at.lap();
  CHECK(at.kernel.shut_down.size() == 1);
}

TEST_CASE("an idle timeout set later replaces the option, also with never", "[time]") {
  LoopFixture at{{.idle_timeout = 40ms}};
  at.notebook.open = [](ringwire::Conn& conn) {
    conn.set_idle_timeout(0ms);
    return ringwire::Action::none;
  };
  at.connect(20);
  at.kernel.time += 10'000'000'000;
  at.lap();
  CHECK(at.kernel.shut_down.empty());
}

TEST_CASE("a tick whose delay is the longest there is does not come again", "[time]") {
  LoopFixture at{{.ticker = true}};
  at.notebook.ticks = [] { return ringwire::Tick{std::chrono::milliseconds::max()}; };
  at.kernel.time += 11'000'000;
  at.lap();
  const std::size_t count = at.notebook.events.size();
  at.kernel.time += 3'600'000'000'000;
  at.lap();
  at.lap();
  CHECK(at.notebook.events.size() == count);
}

TEST_CASE("the longest idle timeout there is means never", "[time]") {
  LoopFixture at;
  at.notebook.open = [](ringwire::Conn& conn) {
    conn.set_idle_timeout(std::chrono::milliseconds::max());
    return ringwire::Action::none;
  };
  at.connect(20);
  at.kernel.time += 3'600'000'000'000;
  at.lap();
  CHECK(at.kernel.shut_down.empty());
}
