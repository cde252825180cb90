// Runs seeds over the room and over its flawed sisters. Try it: `sim_chat 1000`.
#include <ringwire/sim.hpp>

#include "flaws.hpp"
#include "room.hpp"
#include "trial.hpp"

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

template <typename Tried>
bool try_seeds(const char* name, std::uint64_t count) {
  const auto failure = ringwire::sim::for_each_seed(0, count, [](std::uint64_t seed) {
    Tried room;
    return sim_chat::try_room(room, seed);
  });
  const std::string all_well = std::to_string(count) + " seeds, all well";
  std::cout << name << ": " << (failure ? failure->to_string() : all_well) << std::endl;
  return !failure;
}

int main(int argument_count, char** arguments) {
  const std::uint64_t count = argument_count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1000;
  try_seeds<sim_chat::CarelessRoom>("careless room", count);
  try_seeds<sim_chat::HastyRoom>("hasty room", count);
  return try_seeds<sim_chat::Room>("room", count) ? 0 : 1;
}
