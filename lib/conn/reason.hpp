// Why a connection was closed, in 16 bits: every connection has one, and nearly all are empty.
//
//   category:4 | value:12
//
// Leaves to others: what a reason means. Invariant: the error that comes out is the one that went in.
#pragma once

#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"

#include <cstdint>
#include <system_error>

namespace ringwire::conn {

/// An error of ringwire's or of the system's; empty = by us.
class Reason {
 public:
  Reason() noexcept = default;
  /// Of the three categories that closes know, and an errno or an `Error`.
  explicit Reason(std::error_code error) noexcept {
    if (!error) return;
    RINGWIRE_ASSERT(error.value() > 0, "{}", error.value());
    RINGWIRE_ASSERT(error.value() <= value_max, "{}", error.value());
    packed_ = static_cast<std::uint16_t>(category_of(error) << value_bits | error.value());
  }

  /// The error it was made of.
  [[nodiscard]] std::error_code error() const noexcept {
    const int value = packed_ & value_max;
    switch (packed_ >> value_bits) {
      case ours:
        return {value, error_category()};
      case system:
        return {value, std::system_category()};
      case generic:
        return {value, std::generic_category()};
      default:
        return {};
    }
  }

 private:
  static constexpr unsigned value_bits = 12;
  static constexpr int value_max = (1 << value_bits) - 1;
  static constexpr int ours = 1;
  static constexpr int system = 2;
  static constexpr int generic = 3;

  static int category_of(std::error_code error) noexcept {
    if (error.category() == error_category()) return ours;
    if (error.category() == std::system_category()) return system;
    RINGWIRE_ASSERT(error.category() == std::generic_category(), "{} of an unknown kind", error.value());
    return generic;
  }

  std::uint16_t packed_ = 0;
};

}  // namespace ringwire::conn
