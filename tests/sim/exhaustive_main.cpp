// `exhaustive`: every story, every window, every choice; counted.
//
// Leaves to others: what a story is (`exhaustive.hpp`), the rules (`swarm.hpp`).
#include "tests/sim/exhaustive.hpp"
#include "tests/sim/trial.hpp"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::test {
namespace {

constexpr const char* help = R"(usage: exhaustive [OPTIONS]

  --quick              windows of fewer decisions: seconds instead of minutes
  --deeper N           windows of N more decisions
  --story NAME         only this story
  --window W           only the window that begins at step W
  --replay LIST        with --story and --window: one run, with these choices
  --trace              with --replay: print every step
  --help

Exit code 1: a rule was broken; the run's story, window and choices are printed.)";

struct Settings {
  int deeper = 0;
  std::string_view story;
  std::int64_t window = -1;
  std::optional<std::vector<std::uint32_t>> replay;
  bool trace = false;
};

// What is running, for the message when it aborts.
struct Current {
  std::string_view story;
  std::uint32_t window = 0;
  const kernel::sim::Choices* choices = nullptr;
};

Current current;

std::string describe_current() {
  const std::string list = to_text(current.choices->taken());
  return fmt::format("exhaustive --story {} --window {} --replay {} --trace", current.story, current.window,
                     list.empty() ? "0" : list);
}

extern "C" void report_signal(int number) {
  if (current.choices != nullptr) fmt::print(stderr, "signal {} in {}\n", number, describe_current());
  std::signal(number, SIG_DFL);
  std::raise(number);
}

std::uint32_t depth_of(const Settings& settings, const Story& story) {
  return static_cast<std::uint32_t>(std::max(1, static_cast<int>(story.depth) + settings.deeper));
}

struct Count {
  std::uint64_t runs = 0;
  std::uint64_t windows = 0;
  std::uint64_t steps = 0;
  std::uint64_t faults = 0;
};

// All runs of one window; false when a rule was broken.
bool explore_window(const Story& story, std::uint32_t window, std::uint32_t depth, Count& count) {
  kernel::sim::EveryChoice every;
  current = {story.name, window, &every};
  ++count.windows;
  do {
    every.restart();
    WindowChoices choices{every};
    StoryRun run{choices, story, window, depth};
    const Outcome outcome = run.run();
    ++count.runs;
    count.steps += outcome.steps;
    count.faults += outcome.faults;
    if (outcome.violation.empty()) continue;
    fmt::print("{}\n  {}\n", outcome.violation, describe_current());
    return false;
  } while (every.advance());
  return true;
}

// How many steps the story takes when everything goes plainly.
std::uint32_t length_of(const Story& story) {
  kernel::sim::EveryChoice every;
  current = {story.name, 0, &every};
  WindowChoices choices{every};
  StoryRun run{choices, story, UINT32_MAX / 2, 0};
  const Outcome outcome = run.run();
  if (outcome.violation.empty()) return run.length();
  fmt::print("{}: {} without any window\n", story.name, outcome.violation);
  std::exit(1);
}

bool explore(const Settings& settings, const Story& story, Count& total) {
  const std::uint32_t length = length_of(story);
  const std::uint32_t depth = depth_of(settings, story);
  Count count;
  bool held = true;
  for (std::uint32_t window = 0; window < length && held; ++window) {
    if (settings.window >= 0 && window != settings.window) continue;
    held = explore_window(story, window, depth, count);
  }
  fmt::print("{:14} {:>4} windows of {} decisions: {:>8} runs, {:>9} steps, {:>7} faults: {}\n", story.name,
             count.windows, depth, count.runs, count.steps, count.faults,
             held ? "every rule held" : "A RULE WAS BROKEN");
  std::fflush(stdout);
  total.runs += count.runs;
  total.windows += count.windows;
  total.steps += count.steps;
  total.faults += count.faults;
  return held;
}

int explore_all(const Settings& settings) {
  const auto begin = std::chrono::steady_clock::now();
  unsigned passed = 0;
  unsigned failed = 0;
  Count total;
  for (const Story& story : stories()) {
    if (!settings.story.empty() && settings.story != story.name) continue;
    ++(explore(settings, story, total) ? passed : failed);
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  fmt::print("{} runs in {} windows of {} stories, {} steps, {} faults, {:.0f} s\n", total.runs,
             total.windows, passed + failed, total.steps, total.faults, elapsed.count());
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

int replay(const Settings& settings) {
  for (const Story& story : stories()) {
    if (story.name != settings.story) continue;
    kernel::sim::ListChoices list{*settings.replay};
    current = {story.name, static_cast<std::uint32_t>(settings.window), &list};
    WindowChoices choices{list};
    StoryRun run{choices, story, current.window, depth_of(settings, story)};
    if (settings.trace) run.world().keep_trace();
    const Outcome outcome = run.run();
    if (settings.trace) fmt::print("{}", run.world().trace());
    fmt::print("{}\n", outcome.violation.empty() ? "every rule held" : outcome.violation);
    return outcome.violation.empty() ? 0 : 1;
  }
  fmt::print(stderr, "exhaustive: --replay wants --story and --window\n");
  return 2;
}

int start(const std::vector<std::string_view>& words) {
  Settings settings;
  for (std::size_t index = 0; index < words.size(); ++index) {
    const std::string_view word = words[index];
    const std::string value{index + 1 < words.size() ? words[index + 1] : std::string_view{}};
    if (word == "--quick") {
      settings.deeper = -2;
    } else if (word == "--trace") {
      settings.trace = true;
    } else if (word == "--deeper") {
      settings.deeper = std::atoi(value.c_str()), ++index;
    } else if (word == "--window") {
      settings.window = std::atoi(value.c_str()), ++index;
    } else if (word == "--story" && !value.empty()) {
      settings.story = words[++index];
    } else if (word == "--replay") {
      settings.replay = parse_choices(value), ++index;
    } else {
      fmt::print("{}\n", help);
      return word == "--help" ? 0 : 2;
    }
  }
  std::signal(SIGABRT, report_signal);
  std::signal(SIGSEGV, report_signal);
  return settings.replay && settings.window >= 0 ? replay(settings) : explore_all(settings);
}

}  // namespace
}  // namespace ringwire::test

int main(int argument_count, char** arguments) {
  return ringwire::test::start({arguments + 1, arguments + argument_count});
}
