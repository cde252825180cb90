// Formats a log line and hands it over whole. A line that cannot be made is replaced by one that says so.
#include "lib/base/log.hpp"

#include <fmt/core.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>

namespace ringwire::base {
namespace {

constexpr std::array<std::string_view, 5> level_names{"debug", "info", "warn", "error", "off"};

std::string_view name_of(LogLevel level) {
  return level_names[static_cast<std::size_t>(level)];
}

// One call, so that lines of several threads do not mix.
void write_to_stderr(LogLevel level, std::string_view line) {
  const std::string whole = fmt::format("ringwire: {}: {}\n", name_of(level), line);
  std::fwrite(whole.data(), 1, whole.size(), stderr);
}

}  // namespace

void Log::write(LogLevel level, fmt::string_view format, fmt::format_args values) const noexcept {
  try {
    (sink_ != nullptr ? sink_ : write_to_stderr)(level, fmt::vformat(format, values));
  } catch (...) {
    std::fputs("ringwire: error: a log line was lost while it was formatted\n", stderr);
  }
}

void log_exception(const Log& log, std::string_view what) noexcept {
  try {
    throw;
  } catch (const std::exception& exception) {
    log.error("{} threw: {}", what, exception.what());
  } catch (...) {
    log.error("{} threw something that is no std::exception", what);
  }
}

LogLevel parse_log_level(std::string_view name, LogLevel otherwise) noexcept {
  for (std::size_t level = 0; level < level_names.size(); ++level) {
    if (level_names[level] == name) return static_cast<LogLevel>(level);
  }
  return otherwise;
}

}  // namespace ringwire::base
