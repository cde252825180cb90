// One run in a process of its own, so that a failed assertion is an answer and not the end.
//
// Leaves to others: which runs, and what becomes of the answers.
#pragma once

#include "tests/sim/plan.hpp"
#include "tests/sim/swarm.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ringwire::test {

/// How a trial ended.
struct Verdict {
  bool failed = false;
  std::string what;                    // The violation, or the signal that ended it.
  std::vector<std::uint32_t> choices;  // All that was drawn.
};

/// What is tried: draws from the choices, answers a violation or "".
using Subject = std::function<std::string(kernel::sim::Choices&)>;

/// Runs a subject with these choices in a child process. `quiet`: its standard error is dropped.
[[nodiscard]] Verdict try_in_child(const Subject& subject, kernel::sim::Choices& choices, bool quiet);

/// Makes a failing list shorter and plainer, as long as it still fails. At most `trials_max` trials.
[[nodiscard]] std::vector<std::uint32_t> shrink(const Subject& subject, std::vector<std::uint32_t> choices,
                                                unsigned trials_max);

/// "3,0,1" and back; nothing when it is no such list.
[[nodiscard]] std::string to_text(const std::vector<std::uint32_t>& choices);
[[nodiscard]] std::optional<std::vector<std::uint32_t>> parse_choices(std::string_view text);

}  // namespace ringwire::test
