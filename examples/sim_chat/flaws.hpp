// The room with a mistake planted in it. Each works whenever it is tried by hand: it takes a slow reader, or
// a line that arrives in two pieces.
#pragma once

#include "room.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sim_chat {

/// Does not look whether a line was taken: who reads slowly misses some, and nobody knows.
class CarelessRoom : public Room {
 protected:
  void tell(ringwire::Conn& member, std::string_view line) override { member.write(line); }
};

/// Takes what has arrived for a line.
class HastyRoom : public Room {
 protected:
  std::optional<std::string> next_line(ringwire::Conn& conn) override {
    if (conn.inbound_size() == 0) return std::nullopt;
    return std::string{ringwire::to_text(conn.next())};
  }
};

}  // namespace sim_chat
