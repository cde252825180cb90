// Errors ringwire adds to the system's, and the sentence that says cause and cure.
//
// Leaves to others: errno values stay `std::error_code` of the system category, unchanged.
#pragma once

#include <string>
#include <system_error>

namespace ringwire {

/// Reasons that are no errno. Compare with `error == ringwire::Error::closed`.
enum class Error {
  /// The peer ended the stream (FIN). The reason in `on_close` when the peer left first.
  end_of_stream = 1,
  /// The connection a `ConnRef` named is gone, or its loop has ended.
  closed,
  /// Nothing was received or sent for the connection's idle timeout.
  idle_timeout,
  /// Nothing was received for the connection's read timeout, though we were receiving.
  read_timeout,
  /// Bytes waited, and the peer took none of them for the connection's write timeout.
  write_timeout,
  /// A write was beyond `Options::outbound_limit` or `send_budget`, and `outbound_policy` says close.
  outbound_limit,
  /// The connection has been open for as long as it may be.
  lifetime_ended,
  /// The peer did not take our last bytes within `Options::close_timeout`.
  close_timeout,
  /// An exception left the handler; the connection was closed, nothing else.
  handler_failed,
  /// The engine stopped: the deadline for flushing passed, or the request came after the end.
  engine_stopped,
  /// An address is not `protocol://host:port` or `unix://path`.
  invalid_address,
  /// The protocol before `://` is not one of tcp, tcp4, tcp6, unix, udp, udp4, udp6, or has no meaning here.
  unsupported_protocol,
  /// An option has a value outside its range; `explain` names it.
  invalid_option,
  /// The kernel has no io_uring (ENOSYS), or lacks something we cannot do without (older than 6.1).
  kernel_too_old,
  /// io_uring exists but this process may not use it (EPERM): sysctl or seccomp.
  io_uring_forbidden,
  /// RLIMIT_MEMLOCK does not cover the ring and its buffers.
  memlock_too_small,
  /// `Options::lockdown` was asked for, and the kernel refused a part of it; `explain` names which.
  lockdown_failed,
};

/// The category of `Error`; its name is "ringwire".
[[nodiscard]] const std::error_category& error_category() noexcept;

/// Makes a `std::error_code` of an `Error`. Found by `std::error_code{Error::closed}`.
[[nodiscard]] std::error_code make_error_code(Error error) noexcept;

/// Says in one or more sentences what went wrong, why, and what to do about it.
///
/// For an error that `run` has just returned on this thread the text has the particulars too: the address,
/// the option, the limits in force. Any thread, any time. Throws only std::bad_alloc.
///
/// Example: `if (auto error = run(echo, "tcp://:9000")) fmt::print(stderr, "{}\n",
/// ringwire::explain(error));`
[[nodiscard]] std::string explain(std::error_code error);

}  // namespace ringwire

template <>
struct std::is_error_code_enum<ringwire::Error> : std::true_type {};
