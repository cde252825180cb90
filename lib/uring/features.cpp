// Names of features, both ways.
#include "lib/uring/features.hpp"

#include <ringwire/error.hpp>

#include "lib/base/error.hpp"

#include <fmt/core.h>

#include <array>
#include <optional>

namespace ringwire::uring {
namespace {

constexpr std::array<std::string_view, features_count> names{
    "defer_taskrun", "registered_ring", "no_iowait", "wake_ring", "recv_credit", "udp_segment", "udp_gro"};

std::optional<Feature> find_feature(std::string_view name) noexcept {
  for (std::size_t index = 0; index < names.size(); ++index) {
    if (names[index] == name) return static_cast<Feature>(index);
  }
  return std::nullopt;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

std::string Features::to_string() const {
  std::string text;
  for (std::size_t index = 0; index < names.size(); ++index) {
    if (!has(static_cast<Feature>(index))) continue;
    if (!text.empty()) text += ' ';
    text += names[index];
  }
  return text.empty() ? "none" : text;
}

std::error_code parse_mask(std::string_view text, Features& mask) {
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view name = trim(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);

    if (name.empty()) continue;
    if (name == "all") {
      mask = Features::all();
    } else if (const auto feature = find_feature(name)) {
      mask.add(*feature);
    } else {
      return base::fail(Error::invalid_option,
                        fmt::format("mask (Options::mask or RINGWIRE_MASK) names '{}'; known are: all {}",
                                    name, Features::all().to_string()));
    }
  }
  return {};
}

}  // namespace ringwire::uring
