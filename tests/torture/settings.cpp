// Reads the command line.
#include "tests/torture/settings.hpp"

#include <charconv>
#include <system_error>

namespace ringwire::torture {
namespace {

constexpr std::uint64_t seconds_default = 60;

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

}  // namespace

const char* const help = R"(usage: torture [OPTIONS]

An engine with two receive buffers a loop and small queues, and clients that reset, half-close, stall and
come again while descriptors run out. Every byte is compared on both sides.

  --seconds N   torture for so long (default 60, or 0 where --churn is given)
  --churn N     then so many cycles of connect, echo, close; each tenth ends by a reset
  --seed S      of the random numbers (default 1); the kernel's part in it cannot be repeated
  --help

Which kernel: RINGWIRE_KERNEL, RINGWIRE_MASK, RINGWIRE_LOCKDOWN. Exit code 1: a rule was broken.)";

std::optional<Settings> parse(const std::vector<std::string_view>& words) {
  Settings settings;
  std::optional<std::uint64_t> seconds;
  for (std::size_t index = 0; index < words.size(); ++index) {
    const std::string_view word = words[index];
    if (word == "--help" || word == "-h") {
      settings.help = true;
      continue;
    }
    if (++index == words.size()) return {};
    const auto value = number(words[index]);
    if (!value) return {};
    if (word == "--seconds") {
      seconds = value;
    } else if (word == "--churn") {
      settings.churn = *value;
    } else if (word == "--seed") {
      settings.seed = *value;
    } else {
      return {};
    }
  }
  settings.seconds = seconds.value_or(settings.churn == 0 ? seconds_default : 0);
  return settings;
}

}  // namespace ringwire::torture
