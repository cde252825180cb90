// How long to wait, which optional kernel features may be tried, and what a ring may be asked.
#include "lib/loop/surroundings.hpp"

#include <algorithm>

namespace ringwire::loop {

std::int64_t time_until(const Surroundings& with, kernel::Nanoseconds until) noexcept {
  if (until == UINT64_MAX) return kernel::wait_forever;
  const kernel::Nanoseconds now = with.kernel.now();
  return until <= now ? 0 : static_cast<std::int64_t>(std::min<kernel::Nanoseconds>(until - now, INT64_MAX));
}

std::error_code wanted_features(const Surroundings& with, uring::Features& wanted) {
  uring::Features mask;
  if (const auto error = uring::parse_mask(with.options.mask, mask)) return error;
  if (const auto error = uring::parse_mask(with.kernel.environment("RINGWIRE_MASK"), mask)) return error;
  wanted = uring::Features::all();
  wanted.remove(mask);
  return {};
}

uring::Requests wanted_requests(const Surroundings& with) noexcept {
  return with.options.lockdown ? uring::Requests::ours : uring::Requests::any;
}

}  // namespace ringwire::loop
