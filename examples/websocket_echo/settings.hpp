// What the command line can change about a session.
//
// Read by all loops at once; never written after `run` began.
#pragma once

#include <chrono>
#include <cstddef>

/// Settings of the sessions.
struct Settings {
  /// Offer permessage-deflate, with small windows: about 34 KB a connection instead of 288 KB.
  bool deflate = false;
  /// Longest message accepted, in bytes; a longer one closes the websocket with code 1009.
  std::size_t message_max = 1 << 20;
  /// A connection on which nothing moves for this long is closed; 0 = never.
  std::chrono::seconds idle_timeout{120};
  /// Print a line when a websocket opens or closes.
  bool log_sessions = false;
};
