// Calling the user's factory, whatever it does.
#include "lib/engine/handlers.hpp"

#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"

#include <fmt/core.h>

namespace ringwire::engine {

std::error_code Handlers::make(std::size_t loops, const base::Log& log) {
  RINGWIRE_ASSERT(own_.empty());
  if (shared_ != nullptr) return {};
  if (!factory_) return base::fail(Error::handler_failed, "the handler factory is empty");

  own_.reserve(loops);
  for (std::size_t loop = 0; loop < loops; ++loop) {
    std::unique_ptr<Handler> handler;
    try {
      handler = factory_(loop);
    } catch (...) {
      base::log_exception(log, "the handler factory");
      return base::fail(
          Error::handler_failed,
          fmt::format("the handler factory threw an exception for loop {}; the log has its text", loop));
    }
    if (handler == nullptr) {
      return base::fail(Error::handler_failed,
                        fmt::format("the handler factory answered nullptr for loop {}", loop));
    }
    own_.push_back(std::move(handler));
  }
  return {};
}

Handler& Handlers::of(std::size_t loop) const noexcept {
  if (shared_ != nullptr) return *shared_;
  RINGWIRE_ASSERT(loop < own_.size(), "loop {} of {}", loop, own_.size());
  return *own_[loop];
}

}  // namespace ringwire::engine
