// The example of docs/simulate.md keeps its word: the planted mistakes are found, and nothing else is.
#include <ringwire/sim.hpp>

#include "examples/sim_chat/flaws.hpp"
#include "examples/sim_chat/room.hpp"
#include "examples/sim_chat/trial.hpp"
#include "tests/support/catch.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace {

using ringwire::test::contains;

template <typename Tried>
std::optional<ringwire::sim::Failure> try_rooms(std::uint64_t count) {
  return ringwire::sim::for_each_seed(0, count, [](std::uint64_t seed) {
    Tried room;
    return sim_chat::try_room(room, seed);
  });
}

TEST_CASE("a room that does not look whether a line was taken is caught within 200 seeds") {
  const auto failure = try_rooms<sim_chat::CarelessRoom>(200);
  REQUIRE(failure);
  INFO(failure->to_string());
  CHECK_THAT(failure->what, contains(" heard "));
}

TEST_CASE("a room that takes what arrives for a line is caught within 200 seeds") {
  const auto failure = try_rooms<sim_chat::HastyRoom>(200);
  REQUIRE(failure);
  CHECK_THAT(failure->what, contains("which is no line"));
}

TEST_CASE("a seed that fails is named, and fails in the same way again") {
  const auto failure = try_rooms<sim_chat::CarelessRoom>(200);
  REQUIRE(failure);
  CHECK_THAT(failure->to_string(), contains("seed " + std::to_string(failure->seed) + ": "));
  CHECK_THAT(failure->to_string(), contains("RINGWIRE_SEED=" + std::to_string(failure->seed)));

  sim_chat::CarelessRoom again;
  CHECK(sim_chat::try_room(again, failure->seed) == failure->what);
}

TEST_CASE("the mended room survives 1,000 seeds") {
  const auto failure = try_rooms<sim_chat::Room>(1000);
  INFO((failure ? failure->to_string() : ""));
  CHECK_FALSE(failure);
}

}  // namespace
