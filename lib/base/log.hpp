// ringwire's own log lines: formatted only when somebody wants them, written whole, never an error.
//
// Owns nothing but the two settings. Leaves to others: where lines go (`LogSink`), reading RINGWIRE_LOG.
#pragma once

#include <ringwire/log.hpp>

#include <fmt/core.h>

#include <string_view>

namespace ringwire::base {

/// Writes lines of at least one level to a sink. A value; any thread, if the sink is.
class Log {
 public:
  /// Lets through what is as grave as `level`. `sink` nullptr = standard error.
  Log(LogLevel level, LogSink sink) noexcept : level_(level), sink_(sink) {}

  /// True when a line of this level would be written. To spare computing its values.
  [[nodiscard]] bool enabled(LogLevel level) const noexcept {
    return level >= level_ && level != LogLevel::off;
  }

  /// What only a developer wants: each connection, each refusal by the network.
  template <typename... Values>
  void debug(fmt::format_string<Values...> format, Values&&... values) const noexcept {
    if (enabled(LogLevel::debug)) write(LogLevel::debug, format, fmt::make_format_args(values...));
  }

  /// What an operator likes to know: start, stop, settings that were reduced.
  template <typename... Values>
  void info(fmt::format_string<Values...> format, Values&&... values) const noexcept {
    if (enabled(LogLevel::info)) write(LogLevel::info, format, fmt::make_format_args(values...));
  }

  /// What an operator should look at; the engine goes on.
  template <typename... Values>
  void warn(fmt::format_string<Values...> format, Values&&... values) const noexcept {
    if (enabled(LogLevel::warn)) write(LogLevel::warn, format, fmt::make_format_args(values...));
  }

  /// What was lost.
  template <typename... Values>
  void error(fmt::format_string<Values...> format, Values&&... values) const noexcept {
    if (enabled(LogLevel::error)) write(LogLevel::error, format, fmt::make_format_args(values...));
  }

 private:
  void write(LogLevel level, fmt::string_view format, fmt::format_args values) const noexcept;

  LogLevel level_;
  LogSink sink_;
};

/// Says at level error that `what` threw, and what it said. Inside a catch block only.
void log_exception(const Log& log, std::string_view what) noexcept;

/// Reads "debug", "info", "warn", "error" or "off"; anything else answers `otherwise`.
[[nodiscard]] LogLevel parse_log_level(std::string_view name, LogLevel otherwise) noexcept;

}  // namespace ringwire::base
