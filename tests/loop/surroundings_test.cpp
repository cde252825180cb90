// Masks come from the option and from the environment, and add up; lockdown comes from the option.
#include "lib/loop/surroundings.hpp"

#include <ringwire/error.hpp>

#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

using ringwire::uring::Feature;
using ringwire::uring::Features;

namespace {

struct World {
  ringwire::test::ScriptKernel kernel;
  ringwire::test::Notebook notebook;
  ringwire::test::StopCounter owner;
  ringwire::base::Log log{ringwire::LogLevel::off, nullptr};
  ringwire::Options options;
  ringwire::loop::Surroundings surroundings{kernel, notebook, options, log, owner};
};

}  // namespace

TEST_CASE("without masks every feature may be tried", "[surroundings]") {
  World world;
  Features wanted;
  CHECK_FALSE(ringwire::loop::wanted_features(world.surroundings, wanted));
  CHECK(wanted == Features::all());
}

TEST_CASE("the option and RINGWIRE_MASK both take features away", "[surroundings]") {
  World world;
  world.options.mask = "no_iowait";
  world.kernel.variables["RINGWIRE_MASK"] = "wake_ring";
  Features wanted;
  CHECK_FALSE(ringwire::loop::wanted_features(world.surroundings, wanted));
  CHECK_FALSE(wanted.has(Feature::no_iowait));
  CHECK_FALSE(wanted.has(Feature::wake_ring));
  CHECK(wanted.has(Feature::defer_taskrun));
}

TEST_CASE("an unknown name in RINGWIRE_MASK is refused by name", "[surroundings]") {
  World world;
  world.kernel.variables["RINGWIRE_MASK"] = "warp_drive";
  Features wanted;
  const auto error = ringwire::loop::wanted_features(world.surroundings, wanted);
  CHECK(error == ringwire::Error::invalid_option);
  CHECK(ringwire::explain(error).find("warp_drive") != std::string::npos);
}

TEST_CASE("a ring takes ringwire's requests only when the option says lockdown", "[surroundings]") {
  World world;
  CHECK(ringwire::loop::wanted_requests(world.surroundings) == ringwire::uring::Requests::any);
  world.options.lockdown = true;
  CHECK(ringwire::loop::wanted_requests(world.surroundings) == ringwire::uring::Requests::ours);
}

TEST_CASE("a wait ends at a time of the clock, at once when that has passed, or never", "[surroundings]") {
  World world;
  world.kernel.time = 100;
  CHECK(ringwire::loop::time_until(world.surroundings, 130) == 30);
  CHECK(ringwire::loop::time_until(world.surroundings, 100) == 0);
  CHECK(ringwire::loop::time_until(world.surroundings, 7) == 0);
  CHECK(ringwire::loop::time_until(world.surroundings, UINT64_MAX) == ringwire::kernel::wait_forever);
  world.kernel.time = 0;
  CHECK(ringwire::loop::time_until(world.surroundings, UINT64_MAX - 1) == INT64_MAX);
}
