// Which errnos an operation can answer: the ERRORS sections of its manual pages, and what io_uring adds.
//
// The one table that the injection of faults and the errno matrix read.
#pragma once

#include <cstdint>
#include <span>

namespace ringwire::kernel::sim {

/// The errnos (positive) operation IORING_OP_… can answer; empty for one the simulator does not know.
[[nodiscard]] std::span<const int> errors_of(std::uint8_t opcode) noexcept;

/// The opcodes for which there are any, ascending.
[[nodiscard]] std::span<const std::uint8_t> opcodes_with_errors() noexcept;

/// "RECV"; "?" for an opcode the simulator does not know.
[[nodiscard]] const char* opcode_name(std::uint8_t opcode) noexcept;

/// "ECONNRESET"; of a positive errno.
[[nodiscard]] const char* error_name(int error) noexcept;

}  // namespace ringwire::kernel::sim
