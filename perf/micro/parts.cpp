// What the parts of a loop cost in time: the wheel, the mailbox, the table of slots.
//
// Leaves to others: laps (laps.cpp), and whether a figure is good.
#include "lib/base/mailbox.hpp"
#include "lib/base/slots.hpp"
#include "lib/loop/mailbox.hpp"
#include "lib/loop/wheel.hpp"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <deque>
#include <random>
#include <vector>

namespace {

using ringwire::base::SlotTable;
using ringwire::loop::Mail;
using ringwire::loop::Timer;
using ringwire::loop::Wheel;

constexpr ringwire::kernel::Nanoseconds ms = 1'000'000;

// One is armed and cancelled while so many others wait.
void wheel_arm_cancel(benchmark::State& state) {
  std::mt19937_64 random{1};
  std::deque<Timer> others(static_cast<std::size_t>(state.range(0)));
  Timer timer;
  Wheel wheel{0};
  for (Timer& other : others) wheel.arm(other, ms * (1 + random() % 3'600'000));
  for (auto _ : state) {
    wheel.arm(timer, ms * (1 + random() % 3'600'000));
    wheel.cancel(timer);
  }
}
BENCHMARK(wheel_arm_cancel)->Arg(0)->Arg(1'000)->Arg(1'000'000);

// The wheel turns by a millisecond; one timer fires, and is armed again for a second later.
void wheel_turn(benchmark::State& state) {
  std::deque<Timer> timers(1'000);
  Wheel wheel{0};
  ringwire::kernel::Nanoseconds now = 0;
  for (Timer& timer : timers) wheel.arm(timer, now += ms);
  now = 0;
  for (auto _ : state) {
    now += ms;
    wheel.advance(now, [&](Timer& timer) { wheel.arm(timer, now + 1'000 * ms); });
  }
}
BENCHMARK(wheel_turn);

// Letters posted, then read, all by one thread.
void mailbox_post_take(benchmark::State& state) {
  ringwire::base::Mailbox<Mail> mailbox{1 << 20};
  std::vector<Mail> letters;
  std::uint64_t read = 0;
  for (auto _ : state) {
    for (std::int64_t index = 0; index < state.range(0); ++index) {
      benchmark::DoNotOptimize(mailbox.post([&read](auto*, auto) { ++read; }));
    }
    mailbox.take(letters);
    for (Mail& letter : letters) letter(nullptr, {});
    letters.clear();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  if (read != static_cast<std::uint64_t>(state.iterations() * state.range(0)))
    state.SkipWithError("letters are missing");
}
BENCHMARK(mailbox_post_take)->Arg(1)->Arg(64);

// As large as a connection.
struct Occupant {
  Occupant(std::uint32_t slot_, std::uint32_t generation_) : slot{slot_}, generation{generation_} {}
  std::uint32_t slot;
  std::uint32_t generation;
  std::uint64_t rest[21] = {};
};

// A slot is taken and given back while so many are taken.
void slots_acquire_release(benchmark::State& state) {
  SlotTable<Occupant> table{1 << 20};
  for (std::int64_t index = 0; index < state.range(0); ++index) benchmark::DoNotOptimize(table.acquire());
  for (auto _ : state) table.release(table.acquire()->slot);
}
BENCHMARK(slots_acquire_release)->Arg(0)->Arg(10'000);

// By slot and generation, as a completion names it.
void slots_find(benchmark::State& state) {
  SlotTable<Occupant> table{1 << 20};
  const auto count = static_cast<std::uint32_t>(state.range(0));
  std::vector<std::uint32_t> generations;
  for (std::uint32_t index = 0; index < count; ++index) generations.push_back(table.acquire()->generation);
  std::mt19937 random{1};
  for (auto _ : state) {
    const std::uint32_t slot = random() % count;
    benchmark::DoNotOptimize(table.find(slot, generations[slot]));
  }
}
BENCHMARK(slots_find)->Arg(64)->Arg(10'000);

}  // namespace

BENCHMARK_MAIN();
