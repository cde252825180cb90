// What a lap costs in time: with nothing to do, with completions to dispatch, with echoes.
//
// The scripted kernel's part of each lap is in the figures, so compare them with themselves only;
// instructions without it are counted in tests/instructions.
#include "tests/instructions/world.hpp"

#include <benchmark/benchmark.h>

namespace {

using ringwire::test::World;
using ringwire::uring::Op;

// Connections that say nothing.
void lap_idle(benchmark::State& state) {
  World world;
  world.connect(static_cast<std::size_t>(state.range(0)));
  world.lap();
  for (auto _ : state) world.lap();
}
BENCHMARK(lap_idle)->Arg(0)->Arg(1'000);

// Completions that mean nothing, so that reaping and dispatching is all there is.
void dispatch(benchmark::State& state) {
  World world;
  for (auto _ : state) {
    for (std::int64_t index = 0; index < state.range(0); ++index) world.wake();
    world.lap();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(dispatch)->Arg(1)->Arg(64)->Arg(256);

// Each connection sends 64 bytes and gets them back.
void lap_echoes(benchmark::State& state) {
  World world;
  world.connect(static_cast<std::size_t>(state.range(0)));
  world.lap();
  for (auto _ : state) {
    for (std::int64_t slot = 0; slot < state.range(0); ++slot)
      world.receive(static_cast<std::uint32_t>(slot), 64);
    world.lap();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(lap_echoes)->Arg(1)->Arg(64);

}  // namespace
