// The load generator's command line.
#include "settings.hpp"

#include <cstdlib>
#include <string_view>

namespace load {
namespace {

// A name without a value.
bool read_switch(std::string_view name, Settings& settings) {
  if (name == "--udp") {
    settings.udp = true;
  } else if (name == "--websocket") {
    settings.websocket = true;
  } else if (name == "--churn") {
    settings.churn = true;
  } else if (name == "--json") {
    settings.json = true;
  } else {
    return false;
  }
  return true;
}

bool read_number(std::string_view name, const char* value, Settings& settings) {
  char* end = nullptr;
  const double number = std::strtod(value, &end);
  if (end == value || *end != '\0' || !(number >= 0)) return false;
  const auto count = static_cast<std::size_t>(number);
  if (name == "--port") {
    settings.port = static_cast<std::uint16_t>(count);
  } else if (name == "--connections") {
    settings.connections = count;
  } else if (name == "--size") {
    settings.size = count;
  } else if (name == "--depth") {
    settings.depth = count;
  } else if (name == "--seconds") {
    settings.seconds = number;
  } else if (name == "--messages") {
    settings.messages = count;
  } else if (name == "--rate") {
    settings.rate = number;
  } else if (name == "--seed") {
    settings.seed = count;
  } else if (name == "--piece") {
    settings.piece = count;
  } else if (name == "--server-pid") {
    settings.server_pid = static_cast<int>(count);
  } else {
    return false;
  }
  return true;
}

bool makes_sense(const Settings& settings) {
  const bool somewhere = (settings.port != 0) != !settings.unix_path.empty();
  const bool one_kind = settings.udp + settings.websocket + settings.churn <= 1;
  const bool sized =
      settings.size > 0 && settings.size <= (1 << 20) && (!settings.udp || settings.size <= 65'507);
  // An open loop is ended by time; datagrams and churn are closed loops, a cycle of churn has one message.
  const bool paced = settings.rate == 0 || (settings.seconds > 0 && !settings.udp && !settings.churn);
  return somewhere && one_kind && sized && paced && settings.connections > 0 && settings.depth > 0 &&
         settings.piece > 0 && (settings.seconds > 0 || settings.messages > 0) &&
         !(settings.udp && (!settings.unix_path.empty() || settings.size < 8)) &&
         !(settings.churn && settings.depth > 1);
}

}  // namespace

const char* const usage =
    "usage: load (--port N [--host A] | --unix PATH) (--seconds S | --messages N)\n"
    "            [--udp | --websocket | --churn] [--connections N] [--size BYTES] [--depth N]\n"
    "            [--rate MESSAGES_A_SECOND] [--seed N] [--piece BYTES] [--server-pid PID] [--json]\n"
    "sizes up to 1 MiB; --rate is an open loop, needs --seconds, and counts latency from when a message was "
    "due\n";

bool parse(int count, char** words, Settings& settings) {
  for (int index = 1; index < count; ++index) {
    const std::string_view name{words[index]};
    if (read_switch(name, settings)) continue;
    if (++index == count) return false;
    if (name == "--host") {
      settings.host = words[index];
    } else if (name == "--unix") {
      settings.unix_path = words[index];
    } else if (!read_number(name, words[index], settings)) {
      return false;
    }
  }
  return makes_sense(settings);
}

}  // namespace load
