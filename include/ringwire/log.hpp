// Where ringwire's own log lines go, and which of them.
//
// Leaves to others: formatting a handler's own messages.
#pragma once

#include <cstdint>
#include <string_view>

namespace ringwire {

/// How grave a line is. `off` silences everything.
enum class LogLevel : std::uint8_t { debug, info, warn, error, off };

/// Receives one finished line without a newline.
///
/// Called from any of the engine's threads, possibly several at once: lock inside if the target needs it.
/// Must not throw. Default (nullptr): standard error, as `ringwire: warn: …`.
using LogSink = void (*)(LogLevel level, std::string_view line);

}  // namespace ringwire
