// One connection of the demo, from its first request to its end.
#pragma once

#include <ringwire/asio.hpp>

#include "settings.hpp"

/// Answers HTTP requests on `stream` until one of them becomes a websocket, then echoes messages.
///
/// Returns at once; the session owns itself and ends with its connection. `settings` must outlive it.
void start_session(ringwire::asio::stream stream, const Settings& settings);
