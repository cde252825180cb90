// The handlers of one engine: one for all its loops, or one for each, made by the user's factory.
//
// Owns what the factory made. Leaves to others: their events, and how many loops there are.
// Invariant: once `make` went well every loop has a handler, which stays the same until this is destroyed.
#pragma once

#include <ringwire/handler.hpp>

#include "lib/base/log.hpp"

#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace ringwire::engine {

/// One handler, or one for each loop.
class Handlers {
 public:
  /// `shared` serves all loops, and outlives this.
  Handlers(Handler& shared) noexcept : shared_{&shared} {}  // NOLINT(google-explicit-constructor)
  /// `factory` makes one for each loop.
  Handlers(HandlerFactory factory) noexcept  // NOLINT(google-explicit-constructor)
      : factory_{std::move(factory)} {}

  /// Makes what is to be made, in the order of the loops. `Error::handler_failed` when the factory answers
  /// nullptr, throws (the log has its text), or is none. Once.
  [[nodiscard]] std::error_code make(std::size_t loops, const base::Log& log);

  /// How many different ones there are: one, or as many as loops. After `make`.
  [[nodiscard]] std::size_t count() const noexcept { return shared_ != nullptr ? 1 : own_.size(); }
  /// That of a loop. After `make`.
  [[nodiscard]] Handler& of(std::size_t loop) const noexcept;

 private:
  Handler* shared_ = nullptr;
  HandlerFactory factory_;
  std::vector<std::unique_ptr<Handler>> own_;
};

}  // namespace ringwire::engine
