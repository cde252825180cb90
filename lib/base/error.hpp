// How a result of the kernel becomes a `std::error_code`, and how the particulars reach `ringwire::explain`.
//
// Leaves to others: the public enum and the text (`ringwire/error.hpp`, implemented in error.cpp). Invariant:
// a thread remembers the detail of its last failure only.
#pragma once

#include <ringwire/error.hpp>

#include <string>
#include <system_error>

namespace ringwire::base {

/// Makes an error of a kernel's result: -errno in the system category, nothing for 0 and above.
[[nodiscard]] inline std::error_code to_error(int result) noexcept {
  return result < 0 ? std::error_code{-result, std::system_category()} : std::error_code{};
}

/// Answers `code`, and keeps `detail` for an `explain(code)` on this thread, until the next failure.
///
/// `detail` is the beginning of a sentence without its full stop, and names the thing that failed.
///
/// Example: `return fail(Error::invalid_address, "tcp://howdy: the port is missing");`
std::error_code fail(std::error_code code, std::string detail) noexcept;

/// The detail of this thread's last failure if that was `code`, else "": to carry it to another thread.
[[nodiscard]] std::string last_detail(std::error_code code);

}  // namespace ringwire::base
