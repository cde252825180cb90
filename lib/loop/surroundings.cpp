// Which optional kernel features may be tried, and what a ring may be asked.
#include "lib/loop/surroundings.hpp"

namespace ringwire::loop {

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
