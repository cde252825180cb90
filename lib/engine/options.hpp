// Looks at every option before anything is started.
#pragma once

#include <ringwire/options.hpp>

#include "lib/base/log.hpp"
#include "lib/kernel/kernel.hpp"

#include <system_error>

namespace ringwire::engine {

/// `Error::invalid_option` for the first value out of its range; `explain` names it and says the range.
[[nodiscard]] std::error_code check_options(const Options& options);

/// Sets `options.lockdown` where RINGWIRE_LOCKDOWN is 1; 0, or no such variable, leaves it as it is. Anything
/// else is `Error::invalid_option`: a lockdown that was meant must not be missed. May throw bad_alloc.
[[nodiscard]] std::error_code read_lockdown(kernel::Kernel& kernel, Options& options);

/// How many loops `options` mean on this machine: at least one.
[[nodiscard]] std::size_t loops_count(const Options& options, kernel::Kernel& kernel);

/// The log that `options` and RINGWIRE_LOG ask for.
[[nodiscard]] base::Log make_log(const Options& options, kernel::Kernel& kernel);

}  // namespace ringwire::engine
