// The words of the command line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ringwire::torture {

/// What `--help` prints.
extern const char* const help;

/// What is to be done.
struct Settings {
  std::uint64_t seconds = 0;  // Of torture.
  std::uint64_t churn = 0;    // Cycles of connect, echo, close, after it.
  std::uint64_t seed = 1;
  bool help = false;
};

/// The settings these words ask for; nothing when one is not understood.
[[nodiscard]] std::optional<Settings> parse(const std::vector<std::string_view>& words);

}  // namespace ringwire::torture
