// Which optional kernel features may be tried.
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

}  // namespace ringwire::loop
