// What a loop, or the balancer, is put into the world with.
//
// Owns nothing; everything named here outlives them.
#pragma once

#include <ringwire/handler.hpp>
#include <ringwire/options.hpp>

#include "lib/base/log.hpp"
#include "lib/conn/budget.hpp"
#include "lib/kernel/kernel.hpp"
#include "lib/uring/allowed.hpp"
#include "lib/uring/features.hpp"

#include <cstdint>
#include <system_error>

namespace ringwire::loop {

class Admission;

/// Whom a loop, or the balancer, tells what concerns the whole engine: that somebody wants it to stop (a
/// handler's `Action::shutdown`, or a signal), and that its addresses will soon be free.
class Owner {
 public:
  Owner() = default;
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  /// Called on a loop's thread, any number of times.
  virtual void stop_wanted() noexcept = 0;

  /// Called on the thread that accepts, before it closes its listening sockets.
  virtual void listeners_closing() noexcept = 0;

 protected:
  ~Owner() = default;
};

/// What a loop works with; all of it outlives the loop.
struct Surroundings {
  kernel::Kernel& kernel;
  Handler& handler;
  const Options& options;
  const base::Log& log;
  Owner& owner;
  Admission* admission = nullptr;      // Only where there is a limit it keeps.
  conn::SendBudget* budget = nullptr;  // nullptr: what waits to be sent is not counted across loops.
};

/// How long to wait until a time of the clock, as `Ring::submit_and_wait` takes it; UINT64_MAX = for ever.
[[nodiscard]] std::int64_t time_until(const Surroundings& with, kernel::Nanoseconds until) noexcept;

/// All features but those masked by `Options::mask` and RINGWIRE_MASK. A bad name is `Error::invalid_option`.
[[nodiscard]] std::error_code wanted_features(const Surroundings& with, uring::Features& wanted);

/// What its ring is to take, as `Options::lockdown` says.
[[nodiscard]] uring::Requests wanted_requests(const Surroundings& with) noexcept;

}  // namespace ringwire::loop
