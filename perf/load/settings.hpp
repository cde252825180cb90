// What the load generator is told.
//
// Leaves to others: meaning (streams, datagrams, churn).
#pragma once

#include <cstdint>
#include <string>

namespace load {

struct Settings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string unix_path;  // Instead of host and port.
  std::size_t connections = 64;
  std::size_t size = 64;
  std::size_t depth = 1;
  double seconds = 0;        // 0: until `messages` have been echoed.
  std::size_t messages = 0;  // Over all connections; 0: for `seconds`.
  double rate = 0;           // Messages a second over all connections; 0: a closed loop.
  std::uint64_t seed = 1;
  std::size_t piece = 256 << 10;  // Bytes one call sends or receives at most.
  int server_pid = 0;
  bool udp = false;
  bool websocket = false;
  bool churn = false;
  bool json = false;
};

/// Reads the command line; false when it makes no sense.
bool parse(int count, char** words, Settings& settings);

/// What it could have been.
extern const char* const usage;

}  // namespace load
