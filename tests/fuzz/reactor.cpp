// The whole reactor on the simulated kernel, with the fuzzer deciding what a seed decides elsewhere: a byte
// that leads to new code is kept, so that the search goes where no seed has been.
#include "lib/base/assert.hpp"
#include "lib/kernel/sim/choices.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/sim/plan.hpp"
#include "tests/sim/swarm.hpp"
#include "tests/sim/trial.hpp"

namespace ringwire::test {

void fuzz_reactor(std::span<const std::uint8_t> input) {
  if (input.empty()) return;
  const auto scenario = static_cast<Scenario>(input.front() % scenario_names.size());
  kernel::sim::ByteChoices choices{input.subspan(1)};
  const Outcome outcome = run_swarm(choices, scenario);
  RINGWIRE_ASSERT(outcome.violation.empty(), "{}\n  ./dev sim --scenario {} --replay {} --trace",
                  outcome.violation, scenario_names[static_cast<std::size_t>(scenario)],
                  to_text(choices.taken()));
}

}  // namespace ringwire::test
