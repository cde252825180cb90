// The swarm: no seed breaks a rule, each is the same run again, and what fails is made small.
#include "tests/sim/swarm.hpp"

#include "tests/sim/trial.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/wait.hpp"

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace ringwire::test {
namespace {

using kernel::sim::Choices;
using kernel::sim::ListChoices;
using kernel::sim::SeededChoices;
using Numbers = std::vector<std::uint32_t>;

Scenario scenario_of(std::uint64_t seed) {
  return static_cast<Scenario>(seed % scenario_names.size());
}

TEST_CASE("thousands of schedules with faults break no rule", "[swarm]") {
  const std::uint64_t seeds = scaled(2000, 200);
  Outcome sum;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    SeededChoices choices{seed};
    const Outcome outcome = run_swarm(choices, scenario_of(seed));
    INFO("./dev sim --seed " << seed);
    REQUIRE(outcome.violation == "");
    sum.connections += outcome.connections;
    sum.bytes += outcome.bytes;
    sum.faults += outcome.faults;
  }
  // It did something.
  CHECK(sum.connections > seeds);
  CHECK(sum.bytes > seeds * 1000);
  CHECK(sum.faults > seeds * 10);
}

TEST_CASE("one seed run twice gives the same trace and the same figures, in each scenario", "[swarm]") {
  for (std::uint64_t seed = 100; seed < 100 + scenario_names.size(); ++seed) {
    std::string traces[2];
    Outcome outcomes[2];
    for (unsigned run = 0; run < 2; ++run) {
      SeededChoices choices{seed};
      Swarm swarm{choices, draw_plan(choices, scenario_of(seed))};
      swarm.world().keep_trace();
      outcomes[run] = swarm.run();
      traces[run] = swarm.world().trace();
    }
    CHECK((traces[0] == traces[1]));
    CHECK(outcomes[0].steps == outcomes[1].steps);
    CHECK(outcomes[0].completions == outcomes[1].completions);
    CHECK(outcomes[0].bytes == outcomes[1].bytes);
  }
}

TEST_CASE("what a seed drew is the same run as a list", "[swarm]") {
  SeededChoices seeded{17};
  const Outcome first = run_swarm(seeded, Scenario::mixed);
  ListChoices list{seeded.taken()};
  const Outcome again = run_swarm(list, Scenario::mixed);
  CHECK(list.taken() == seeded.taken());
  CHECK(again.steps == first.steps);
  CHECK(again.completions == first.completions);
}

TEST_CASE("every scenario is found by its name, other names are not", "[swarm]") {
  for (std::size_t index = 0; index < scenario_names.size(); ++index) {
    CHECK(find_scenario(scenario_names[index]) == static_cast<Scenario>(index));
  }
  CHECK_FALSE(find_scenario("chaos"));
}

// ---- trials

// Fails when any of twenty draws is 7.
std::string dislikes_seven(Choices& choices) {
  for (unsigned count = 0; count < 20; ++count) {
    if (choices.draw(10) == 7) return "a seven";
  }
  return {};
}

TEST_CASE("a trial tells the violation and all that was drawn up to it", "[swarm]") {
  const Numbers wanted{1, 2, 7, 3};
  ListChoices choices{wanted};
  const Verdict verdict = try_in_child(dislikes_seven, choices, true);
  CHECK(verdict.failed);
  CHECK(verdict.what == "a seven");
  CHECK(verdict.choices == Numbers{1, 2, 7});
  ListChoices zeros{{}};
  CHECK_FALSE(try_in_child(dislikes_seven, zeros, true).failed);
}

TEST_CASE("a trial survives a subject that aborts, and tells what it had drawn", "[swarm]") {
  const Subject aborts = [](Choices& choices) -> std::string {
    if (choices.draw(10) == 4) std::abort();
    return {};
  };
  const Numbers wanted{4};
  ListChoices choices{wanted};
  const Verdict verdict = try_in_child(aborts, choices, true);
  CHECK(verdict.failed);
  CHECK_FALSE(verdict.what.empty());
  CHECK(verdict.choices == wanted);
}

TEST_CASE("a failure that needs one draw of 7 shrinks to a list of just that", "[swarm]") {
  const Numbers found{3, 9, 0, 4, 5, 1, 7, 2, 2, 8, 7, 6};
  CHECK(shrink(dislikes_seven, found, 500) == Numbers{7});
}

TEST_CASE("a failure that needs two draws in order keeps both, and nothing else", "[swarm]") {
  const Subject subject = [](Choices& choices) -> std::string {
    bool seen = false;
    for (unsigned count = 0; count < 12; ++count) {
      const std::uint32_t answer = choices.draw(100);
      if (seen && answer >= 40) return "large after three";
      seen = seen || answer == 3;
    }
    return {};
  };
  const Numbers found{50, 60, 3, 1, 2, 99, 98, 5};
  const Numbers small = shrink(subject, found, 500);
  REQUIRE(small.size() == 2);
  CHECK(small[0] == 3);
  CHECK(small[1] >= 40);
  CHECK(small[1] < 80);  // Halved as long as it failed.
}

TEST_CASE("shrinking stops after the trials it may make", "[swarm]") {
  unsigned limit = 3;
  const Numbers found{3, 9, 0, 4, 5, 1, 7};
  const Numbers small = shrink(dislikes_seven, found, limit);
  ListChoices choices{small};
  CHECK(dislikes_seven(choices) == "a seven");
  CHECK(shrink(dislikes_seven, found, 0) == found);
}

TEST_CASE("a list is written and read back; what is no list is refused", "[swarm]") {
  for (const Numbers& numbers : {Numbers{}, Numbers{0}, Numbers{3, 0, 1}, Numbers{UINT32_MAX}}) {
    CHECK(parse_choices(to_text(numbers)) == numbers);
  }
  CHECK(to_text(Numbers{3, 0, 1}) == "3,0,1");
  for (const std::string_view text : {"x", "1;2", "1,,2", ",", "-1", "4294967296", "1 2"}) {
    INFO(text);
    CHECK_FALSE(parse_choices(text));
  }
}

}  // namespace
}  // namespace ringwire::test
