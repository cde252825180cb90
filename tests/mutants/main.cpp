// `./dev mutants`: planted bugs, one after the other, each of which the simulator must catch.
//
// A mutant that survives is a hole in the rules or in the mix of runs; both are worth more than the mutant.
#include "mutants.hpp"
#include "tests/mutants/planted.hpp"
#include "tests/sim/many.hpp"

#include <fmt/core.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace ringwire::test {

int planted = 0;

namespace {

constexpr std::size_t mutants_count = sizeof mutants / sizeof mutants[0];

constexpr const char* help = R"(usage: mutants [OPTIONS]

  --only NAME          only this one
  --some N --from K    only N of them, beginning with number K (they rotate)
  --seeds N            at most so many seeds for each (default 2000)
  --list               print their names
  --help

Exit code 1: one was not caught, or the code without any of them breaks a rule.)";

struct Settings {
  std::string_view only;
  std::uint64_t seeds = 2000;
  std::uint64_t some = mutants_count;
  std::uint64_t from = 0;
};

// Runs one; true when it was caught.
bool hunt(std::size_t index, std::uint64_t seeds) {
  planted = static_cast<int>(index) + 1;
  Batch batch;
  batch.count = seeds;
  batch.quiet = true;
  const Figures figures = run_batch(batch);
  planted = 0;
  const std::string_view name = mutants[index].name;
  if (!figures.failed) {
    fmt::print("SURVIVED {:28} {} seeds, {:.1f} s  {}\n", name, figures.runs, figures.seconds,
               mutants[index].what);
    return false;
  }
  fmt::print("caught   {:28} seed {:>4}, {:.1f} s  {}\n", name, *figures.failed, figures.seconds,
             mutants[index].what);
  return true;
}

int run(const Settings& settings) {
  Batch control;
  control.count = 500;
  const Figures healthy = run_batch(control);
  if (healthy.failed) {
    fmt::print("without any mutant seed {} breaks a rule: see ./dev sim\n", *healthy.failed);
    return 1;
  }
  std::size_t tried = 0;
  std::size_t caught = 0;
  for (std::uint64_t step = 0; step < settings.some && step < mutants_count; ++step) {
    const std::size_t index = (settings.from + step) % mutants_count;
    if (!settings.only.empty() && mutants[index].name != settings.only) continue;
    ++tried;
    if (hunt(index, settings.seeds)) ++caught;
    std::fflush(stdout);
  }
  fmt::print("{} of {} mutants caught, within {} seeds each\n", caught, tried, settings.seeds);
  return tried > 0 && caught == tried ? 0 : 1;
}

[[noreturn]] void misused(std::string_view word) {
  fmt::print(stderr, "mutants: what is {}?\n{}\n", word, help);
  std::exit(2);
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) misused(text);
  return value;
}

int start(const std::vector<std::string_view>& words) {
  Settings settings;
  for (std::size_t index = 0; index < words.size(); ++index) {
    const std::string_view word = words[index];
    if (word == "--help" || word == "-h") return fmt::print("{}\n", help), 0;
    if (word == "--list") {
      for (const Mutant& mutant : mutants) fmt::print("{:28} {}\n", mutant.name, mutant.what);
      return 0;
    }
    if (index + 1 == words.size()) misused(word);
    const std::string_view value = words[++index];
    if (word == "--only") {
      settings.only = value;
    } else if (word == "--seeds") {
      settings.seeds = number(value);
    } else if (word == "--some") {
      settings.some = number(value);
    } else if (word == "--from") {
      settings.from = number(value);
    } else {
      misused(word);
    }
  }
  return run(settings);
}

}  // namespace
}  // namespace ringwire::test

int main(int argument_count, char** arguments) {
  return ringwire::test::start({arguments + 1, arguments + argument_count});
}
