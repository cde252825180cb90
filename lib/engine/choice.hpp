// Which kernel an engine runs on: io_uring, or epoll where that cannot be had.
//
// Decided once, before on_boot, by opening rings and closing them again. Nobody above knows the outcome but
// for the log. Leaves to others: what differs between the two (docs/kernel.md).
#pragma once

#include <ringwire/options.hpp>

#include "lib/kernel/kernel.hpp"

#include <system_error>

namespace ringwire::engine {

/// What there is to choose from.
struct Kernels {
  kernel::Kernel& uring;
  kernel::Kernel& epoll;
};

/// Those of this process. Without state, so handles that outlive an engine may still name them.
[[nodiscard]] Kernels real_kernels() noexcept;

/// Points `chosen` at the kernel that `options` and RINGWIRE_KERNEL ask for. Falls back to epoll, with one
/// warning, when it is left to us and io_uring is forbidden, too old, or does not fit RLIMIT_MEMLOCK; fails
/// with that reason when io_uring was asked for. A bad value is `Error::invalid_option`.
[[nodiscard]] std::error_code choose_kernel(const Options& options, const Kernels& kernels,
                                            kernel::Kernel*& chosen);

}  // namespace ringwire::engine
