// The script is drawn from the seed like everything else, so a seed is one whole evening.
#include "trial.hpp"

#include <ringwire/sim.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace sim_chat {
namespace {

struct Guest {
  char name;
  ringwire::sim::Peer peer;
  int said = 0;
  bool left = false;  // By his own will.
};

// A line is the speaker's name and a number that counts: "b17".
void speak(Guest& guest) {
  guest.peer.send(guest.name + std::to_string(++guest.said) + "\n");
}

void act(ringwire::sim::World& world, Guest& guest) {
  if (guest.left) return;
  switch (world.draw(16)) {
    case 0:
      return guest.peer.pause_reading();
    case 1:
    case 2:
      return guest.peer.resume_reading();
    case 3:
      guest.left = world.draw(8) == 0;
      return guest.left ? guest.peer.finish() : speak(guest);
    default:
      return speak(guest);
  }
}

// Whole lines, and of each speaker one number after the other. The last line may be cut off by a reset.
std::string check_lines(const Guest& guest) {
  std::istringstream heard{guest.peer.received().substr(0, guest.peer.received().rfind('\n') + 1)};
  std::map<char, int> latest;
  for (std::string line; std::getline(heard, line);) {
    int number = 0;
    const char* const end = line.data() + line.size();
    const bool is_line = line.size() > 1 && line[0] >= 'a' && line[0] <= 'c' &&
                         std::from_chars(line.data() + 1, end, number).ptr == end;
    if (!is_line) return std::string{guest.name} + " heard \"" + line + "\", which is no line";
    int& before = latest[line[0]];
    if (before != 0 && number != before + 1) {
      return std::string{guest.name} + " heard " + line + " after number " + std::to_string(before);
    }
    before = number;
  }
  return {};
}

// Who came later has heard less of the beginning; the end is the same for all who stayed.
std::string check_stayers(const std::vector<Guest>& guests) {
  std::string_view longest;
  for (const bool judges : {false, true}) {
    for (const Guest& guest : guests) {
      if (guest.left || guest.peer.is_gone() || guest.peer.has_end()) continue;
      const std::string_view heard = guest.peer.received();
      if (!judges && heard.size() > longest.size()) longest = heard;
      if (judges && !longest.ends_with(heard)) return std::string{guest.name} + " heard something else";
    }
  }
  return {};
}

}  // namespace

std::string try_room(Room& room, std::uint64_t seed) {
  // Little room everywhere: what takes a flood elsewhere happens here after a few lines. Small rings and
  // few buffers also make a world cheap.
  ringwire::sim::World world{{.seed = seed, .whims = 20, .breaks = 1, .socket_buffer_size = 100}};
  const ringwire::Options options{.outbound_high_mark = 100,
                                  .outbound_low_mark = 50,
                                  .outbound_limit = 100,
                                  .recv_buffers_count = 8,
                                  .recv_buffer_size = 64,
                                  .sq_entries = 16,
                                  .cq_entries = 32,
                                  .log_level = ringwire::LogLevel::off};
  if (const auto error = world.start(room, "tcp4://:9000", options)) return ringwire::explain(error);

  std::vector<Guest> guests;
  for (int turn = 0; turn < 150; ++turn) {
    if (guests.size() < 3 && world.draw(4) == 0) {
      guests.push_back({static_cast<char>('a' + guests.size()), world.connect()});
    }
    if (!guests.empty()) act(world, guests[world.draw(static_cast<std::uint32_t>(guests.size()))]);
    for (std::uint32_t steps = world.draw(16); steps > 0; --steps) world.step();
  }

  // The evening ends well: everybody listens, and what is under way arrives.
  world.heal();
  for (Guest& guest : guests) guest.peer.resume_reading();
  if (!world.settle()) return world.trouble().empty() ? "the room does not come to rest" : world.trouble();
  for (const Guest& guest : guests) {
    if (std::string wrong = check_lines(guest); !wrong.empty()) return wrong;
  }
  if (std::string wrong = check_stayers(guests); !wrong.empty()) return wrong;
  return world.run_to_end();
}

}  // namespace sim_chat
