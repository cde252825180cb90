// `./dev sim`: many seeds through the whole reactor on the simulated kernel, counted; a failure shrunk and
// printed.
//
// Leaves to others: what a run is and what must hold in it (`swarm.hpp`), how a failure is made smaller
// (`trial.hpp`).
#include "tests/sim/many.hpp"
#include "tests/sim/swarm.hpp"
#include "tests/sim/trial.hpp"

#include "lib/kernel/sim/errors.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace ringwire::test {
namespace {

constexpr const char* help = R"(usage: sim [OPTIONS]

  --seeds N            run N seeds (default 10000), each a schedule with faults of its own
  --first S            begin with seed S (default 0)
  --seed S             run only seed S, here and now
  --scenario NAME      only this kind of run; default: all in turn
                       (mixed buffers descriptors overflow closing balance stopping calm datagrams)
  --replay LIST        run a list of choices, as printed with a failure, instead of a seed
  --trace              with --seed or --replay: print every step
  --jobs N             processes (default: one for each CPU)
  --verbose            also print how often each fault and each errno was injected
  --help

The same seed and the same build give the same trace, byte for byte. Exit code 1: a rule was broken; the run
is printed as a seed and as a list of choices that is as short as it could be made.)";

struct Settings {
  Batch batch;
  std::optional<std::uint64_t> seed;
  std::optional<std::vector<std::uint32_t>> replay;
  bool trace = false;
  bool verbose = false;
};

Subject subject_of(Scenario scenario) {
  return [scenario](kernel::sim::Choices& choices) { return run_swarm(choices, scenario).violation; };
}

int report_failure(std::uint64_t seed, Scenario scenario) {
  const Subject subject = subject_of(scenario);
  kernel::sim::SeededChoices choices{seed};
  const Verdict verdict = try_in_child(subject, choices, false);
  const std::string_view name = scenario_names[static_cast<std::size_t>(scenario)];
  fmt::print("seed {} ({}): {}\n", seed, name,
             verdict.failed ? verdict.what : "it does not fail when run again");
  if (!verdict.failed) return 1;

  const std::vector<std::uint32_t> small = shrink(subject, verdict.choices, 3000);
  kernel::sim::ListChoices list{small};
  fmt::print("{} choices shrunk to {}: {}\n  ./dev sim --scenario {} --replay {} --trace\n",
             verdict.choices.size(), small.size(), try_in_child(subject, list, true).what, name,
             small.empty() ? "0" : to_text(small));
  return 1;
}

void print_figures(const Settings& settings, const Figures& figures) {
  fmt::print(
      "{} seeds from {} in {:.0f} s: {} steps, {} completions, {} faults injected, {} connections, {} bytes "
      "checked\n",
      figures.runs, settings.batch.first, figures.seconds, figures.steps, figures.completions, figures.faults,
      figures.connections, figures.bytes);
  if (!settings.verbose) return;
  for (std::size_t kind = 0; kind < kernel::sim::faults_count; ++kind) {
    fmt::print("  {:18}{:>12}\n", name_of(static_cast<kernel::sim::Fault>(kind)), figures.kinds[kind]);
  }
  for (const std::uint8_t opcode : kernel::sim::opcodes_with_errors()) {
    fmt::print("  {}:", kernel::sim::opcode_name(opcode));
    for (const int error : kernel::sim::errors_of(opcode)) {
      const auto found = figures.errors.find({opcode, error});
      fmt::print(" {} {}", kernel::sim::error_name(error), found == figures.errors.end() ? 0 : found->second);
    }
    fmt::print("\n");
  }
}

int run_many(const Settings& settings) {
  const Figures figures = run_batch(settings.batch);
  if (figures.failed) return report_failure(*figures.failed, scenario_of(settings.batch, *figures.failed));
  print_figures(settings, figures);
  return 0;
}

int run_one(const Settings& settings) {
  const std::uint64_t seed = settings.seed.value_or(0);
  std::unique_ptr<kernel::sim::Choices> choices;
  if (settings.replay) {
    choices = std::make_unique<kernel::sim::ListChoices>(*settings.replay);
  } else {
    choices = std::make_unique<kernel::sim::SeededChoices>(seed);
  }
  Swarm swarm{*choices, draw_plan(*choices, scenario_of(settings.batch, seed))};
  if (settings.trace) swarm.world().keep_trace();
  const Outcome outcome = swarm.run();
  if (settings.trace) fmt::print("{}", swarm.world().trace());
  fmt::print("{} steps, {} completions, {} faults, {} connections, {} bytes checked: {}\n", outcome.steps,
             outcome.completions, outcome.faults, outcome.connections, outcome.bytes,
             outcome.violation.empty() ? "every rule held" : outcome.violation);
  return outcome.violation.empty() ? 0 : 1;
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size()) return value;
  fmt::print(stderr, "sim: '{}' is not a number\n", text);
  std::exit(2);
}

[[noreturn]] void misused(std::string_view what) {
  fmt::print(stderr, "sim: {}\n{}\n", what, help);
  std::exit(2);
}

// Takes the option at `index` and its value; answers how many words that were.
int read_option(Settings& settings, const std::vector<std::string_view>& words, std::size_t index) {
  const std::string_view word = words[index];
  if (word == "--trace") return settings.trace = true, 1;
  if (word == "--verbose") return settings.verbose = true, 1;
  if (index + 1 == words.size()) misused(fmt::format("unknown option, or a value is missing: {}", word));
  const std::string_view value = words[index + 1];
  if (word == "--seeds") return settings.batch.count = number(value), 2;
  if (word == "--first") return settings.batch.first = number(value), 2;
  if (word == "--seed") return settings.seed = number(value), 2;
  if (word == "--jobs") return settings.batch.jobs = static_cast<unsigned>(number(value)), 2;
  if (word == "--scenario") {
    settings.batch.scenario = find_scenario(value);
    if (!settings.batch.scenario) misused(fmt::format("no scenario is named {}", value));
    return 2;
  }
  if (word == "--replay") {
    settings.replay = parse_choices(value);
    if (!settings.replay) misused("--replay takes numbers separated by commas");
    return 2;
  }
  misused(fmt::format("unknown option: {}", word));
}

int start(const std::vector<std::string_view>& words) {
  Settings settings;
  for (std::size_t index = 0; index < words.size();) {
    if (words[index] == "--help" || words[index] == "-h") {
      fmt::print("{}\n", help);
      return 0;
    }
    index += static_cast<std::size_t>(read_option(settings, words, index));
  }
  return settings.seed || settings.replay ? run_one(settings) : run_many(settings);
}

}  // namespace
}  // namespace ringwire::test

int main(int argument_count, char** arguments) {
  return ringwire::test::start({arguments + 1, arguments + argument_count});
}
