// `failures`: in each of a few fixed worlds the N-th kernel call fails, or the N-th allocation of the engine,
// for every N, once and for good.
//
// Whatever fails, the rules of the swarm must hold: a connection may end with an error, the engine may not
// start; nothing crashes, nothing is left behind. Each pair runs in a process of its own, so that one which
// aborts is counted and the others go on.
#include "tests/sim/pausing_kernel.hpp"
#include "tests/sim/swarm.hpp"
#include "tests/sim/trial.hpp"
#include "tests/support/failing_new.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringwire::test {
namespace {

enum class What : std::uint8_t { call, allocation };

// What fails.
struct Failure {
  What what = What::call;
  std::uint64_t nth = UINT64_MAX - 1;
  bool for_good = false;
};

// A fixed world: the same every time, without any other fault.
Plan plan_of(kernel::sim::Choices& choices, std::size_t world) {
  Plan plan = draw_plan(choices, static_cast<Scenario>(world % scenario_names.size()));
  for (std::uint32_t& rate : plan.fault_rates) rate = 0;
  plan.steps = 400;
  plan.descriptors_max = 1024;
  plan.may_not_start = true;
  if (world % 2 == 1) {  // Every line of the log is made, and goes nowhere.
    plan.options.log_level = LogLevel::debug;
    plan.options.log_sink = [](LogLevel, std::string_view) {};
  }
  return plan;
}

// A swarm whose handler and kernel are spared; what they call of the engine is not.
class FailingSwarm final : public Swarm, private sim::Outsider {
 public:
  FailingSwarm(kernel::sim::Choices& choices, Plan plan, const Failure& failure)
      : Swarm{choices, std::move(plan)}, choices_{choices}, kernel_{world().kernel()} {
    world().set_outsider(this);
    world().set_interposer(kernel_);
    const bool calls = failure.what == What::call;
    if (calls) world().kernel().fail_call(failure.nth, failure.for_good);
    fail_allocation(calls ? UINT64_MAX - 1 : failure.nth, !calls && failure.for_good);
  }

  Action on_open(Conn& conn) override {
    const Counting pause{false};
    return Swarm::on_open(conn);
  }
  Action on_traffic(Conn& conn) override {
    const Counting pause{false};
    return Swarm::on_traffic(conn);
  }
  Action on_eof(Conn& conn) override {
    const Counting pause{false};
    return Swarm::on_eof(conn);
  }
  Action on_writable(Conn& conn) override {
    const Counting pause{false};
    return Swarm::on_writable(conn);
  }
  Action on_drain(Conn& conn) override {
    const Counting pause{false};
    return Swarm::on_drain(conn);
  }
  Action on_close(Conn& conn, std::error_code reason) override {
    const Counting pause{false};
    return Swarm::on_close(conn, reason);
  }

 private:
  Action react_traffic(Conn& conn, Link& link) override {
    expect(link, take(conn, link));
    if (choices_.draw(2) == 0 && !link.outside)
      write_size(conn, link, choices_.draw(plan().write_max), choices_.draw(2) == 0);
    return Action::none;
  }

  // An exception leaves the handler, who has taken nothing then.
  Bytes take(Conn& conn, Link& link) {
    const std::size_t part = choices_.draw(static_cast<std::uint32_t>(conn.inbound_size()) + 1);
    const std::uint32_t way = choices_.draw(3);
    try {
      const Counting go_on{true};
      if (way == 0) return conn.next();
      if (way == 1) return conn.next(part).value();
      if (conn.peek().size() < part) return {};
      return conn.next(part).value();
    } catch (const std::bad_alloc&) {
      link.closing = true;
      throw;
    }
  }

  Written write_to(Conn& conn, std::span<const Bytes> parts) override {
    const Counting go_on{true};
    return Swarm::write_to(conn, parts);
  }

  void collect(std::vector<std::size_t>& /*possible*/) override {}
  void act(std::size_t /*deed*/) override {}
  void on_lap(bool begins) override { lap_.reset(), begins ? void(lap_.emplace(true)) : void(); }

  kernel::sim::Choices& choices_;
  PausingKernel kernel_;
  std::optional<Counting> lap_;
};

// How many calls and allocations a world has when nothing fails.
std::pair<std::uint64_t, std::uint64_t> measure(std::size_t world) {
  kernel::sim::SeededChoices choices{world};
  FailingSwarm swarm{choices, plan_of(choices, world), {}};
  const Outcome outcome = swarm.run();
  if (!outcome.violation.empty()) {
    fmt::print("world {}: {} though nothing fails\n", world, outcome.violation);
    std::exit(1);
  }
  return {swarm.world().kernel().calls_count(), allocations_count()};
}

std::string try_failure(kernel::sim::Choices& choices, std::size_t world, const Failure& failure) {
  FailingSwarm swarm{choices, plan_of(choices, world), failure};
  return swarm.run().violation;
}

struct Settings {
  std::uint64_t worlds = 24;
  std::uint64_t stride = 1;  // Only every so many-th N.
  std::optional<std::uint64_t> only_world;
  std::optional<Failure> only;
};

struct Count {
  std::uint64_t pairs = 0;
  std::map<std::string, std::pair<std::uint64_t, std::string>> broken;  // How often, and the first.
};

std::string command_of(std::size_t world, const Failure& failure) {
  return fmt::format("failures --world {} --{} {}{}", world,
                     failure.what == What::call ? "call" : "allocation", failure.nth,
                     failure.for_good ? " --for-good" : "");
}

void try_all(std::size_t world, Failure failure, std::uint64_t count, std::uint64_t stride, Count& total) {
  for (failure.nth = world % stride; failure.nth < count; failure.nth += stride) {
    kernel::sim::SeededChoices choices{world};
    const Verdict verdict =
        try_in_child([&](auto& drawn) { return try_failure(drawn, world, failure); }, choices, true);
    ++total.pairs;
    if (!verdict.failed) continue;
    auto& [times, first] = total.broken[verdict.what];
    if (times++ == 0) first = command_of(world, failure);
  }
}

int try_everything(const Settings& settings) {
  unsigned passed = 0;
  unsigned failed = 0;
  Count total;
  for (std::size_t world = 0; world < settings.worlds; ++world) {
    const auto [calls, allocations] = measure(world);
    Count count;
    for (const bool for_good : {false, true}) {
      try_all(world, {What::call, 0, for_good}, calls, settings.stride, count);
      try_all(world, {What::allocation, 0, for_good}, allocations, settings.stride, count);
    }
    total.pairs += count.pairs;
    ++(count.broken.empty() ? passed : failed);
    fmt::print("world {:>2} ({}): {} calls, {} allocations, {} pairs: {}\n", world,
               scenario_names[world % scenario_names.size()], calls, allocations, count.pairs,
               count.broken.empty() ? "every rule held" : "RULES WERE BROKEN");
    for (const auto& [what, times] : count.broken) {
      fmt::print("  {} x {}\n    first: {}\n", times.first, what, times.second);
    }
    std::fflush(stdout);
  }
  fmt::print("{} pairs of a world and a failing call or allocation\n", total.pairs);
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

int try_one(std::size_t world, const Failure& failure) {
  kernel::sim::SeededChoices choices{world};
  const std::string violation = try_failure(choices, world, failure);
  fmt::print("{}\n", violation.empty() ? "every rule held" : violation);
  return violation.empty() ? 0 : 1;
}

int start(const std::vector<std::string>& words) {
  Settings settings;
  Failure only;
  bool has_only = false;
  for (std::size_t index = 0; index < words.size(); ++index) {
    const std::string& word = words[index];
    if (word == "--for-good") {
      only.for_good = true;
      continue;
    }
    if (index + 1 == words.size()) {
      fmt::print(
          "usage: failures [--worlds N] [--stride N] | --world W (--call | --allocation) N [--for-good]\n");
      return word == "--help" ? 0 : 2;
    }
    const std::uint64_t value = std::strtoull(words[++index].c_str(), nullptr, 10);
    if (word == "--worlds") settings.worlds = value;
    if (word == "--stride") settings.stride = std::max<std::uint64_t>(value, 1);
    if (word == "--world") settings.only_world = value;
    if (word != "--call" && word != "--allocation") continue;
    only.what = word == "--call" ? What::call : What::allocation;
    only.nth = value;
    has_only = true;
  }
  return has_only ? try_one(settings.only_world.value_or(0), only) : try_everything(settings);
}

}  // namespace
}  // namespace ringwire::test

int main(int argument_count, char** arguments) {
  return ringwire::test::start({arguments + 1, arguments + argument_count});
}
