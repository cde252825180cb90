// One evening in the room, in a simulated world: what the guests do, and what each of them must have heard.
#pragma once

#include "room.hpp"

#include <cstdint>
#include <string>

namespace sim_chat {

/// Spends the evening `seed` in the room and answers what was wrong with it; empty = nothing.
///
/// The rules: whoever listens hears whole lines, of each speaker in order and without a hole; at the end all
/// who stayed have heard the same.
[[nodiscard]] std::string try_room(Room& room, std::uint64_t seed);

}  // namespace sim_chat
