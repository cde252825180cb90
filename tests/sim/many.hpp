// Many seeds on all CPUs: workers in processes of their own, so that a failed assertion ends a seed and not
// the count.
//
// Leaves to others: what a run is (`swarm.hpp`), what becomes of one that failed (`trial.hpp`).
#pragma once

#include "lib/kernel/sim/faults.hpp"
#include "tests/sim/plan.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace ringwire::test {

/// Which seeds.
struct Batch {
  std::uint64_t first = 0;
  std::uint64_t count = 10'000;
  std::optional<Scenario> scenario;  // None: all in turn.
  unsigned jobs = 0;                 // Processes; 0 = one for each CPU.
  bool quiet = false;                // What workers print is dropped.
};

/// What happened in them, added up.
struct Figures {
  std::uint64_t runs = 0;
  std::uint64_t steps = 0;
  std::uint64_t completions = 0;
  std::uint64_t faults = 0;
  std::uint64_t connections = 0;
  std::uint64_t bytes = 0;
  std::array<std::uint64_t, kernel::sim::faults_count> kinds{};
  std::map<std::pair<std::uint8_t, int>, std::uint64_t> errors;  // By opcode and (positive) errno.
  double seconds = 0;
  std::optional<std::uint64_t> failed;  // A seed that broke a rule; the rest was not run.
};

/// The kind of run a seed is.
[[nodiscard]] Scenario scenario_of(const Batch& batch, std::uint64_t seed);

/// Runs them until all are done or one fails.
[[nodiscard]] Figures run_batch(const Batch& batch);

}  // namespace ringwire::test
