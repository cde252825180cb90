// A server without threads: its loops and its balancer run lap by lap, as whoever drives them says.
//
// For simulations, where one thread plays all of them. Leaves to others: which of them runs next.
// Invariant: what `Server::run` does before, around and after the laps is done here in the same order.
#pragma once

#include "lib/engine/server.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace ringwire::engine {

/// An engine, used once. An *actor* is a loop or, as the last of them, the balancer.
class Stepper {
 public:
  /// As `Server`.
  Stepper(kernel::Kernel& kernel, Handlers handlers, const Options& options)
      : server_{kernel, std::move(handlers), options} {}
  Stepper(const Stepper&) = delete;
  Stepper& operator=(const Stepper&) = delete;
  ~Stepper();

  /// Boots, tells `on_boot`, opens every ring. When that fails everything is closed again. After
  /// `Action::shutdown` from `on_boot` there is nothing to run: `is_over()`.
  [[nodiscard]] std::error_code start(std::span<const std::string_view> addresses);

  /// How many actors there are.
  [[nodiscard]] std::size_t actors_count() const noexcept { return running_.size(); }
  /// The ring of one.
  [[nodiscard]] int ring_fd(std::size_t actor) const noexcept;
  /// Has it not ended yet?
  [[nodiscard]] bool is_running(std::size_t actor) const noexcept { return running_[actor]; }
  /// Has every one ended?
  [[nodiscard]] bool is_over() const noexcept;
  /// Runs one lap of an actor that has not ended. With the last lap of the last one `on_shutdown` is told.
  void lap(std::size_t actor);

  /// Does offloaded work wait for a worker?
  [[nodiscard]] bool has_work() const noexcept { return server_.workers_.has_jobs() && !is_over(); }
  /// Plays a worker for as long as one job takes.
  void work() noexcept { server_.workers_.run_one(); }

  /// The engine, as handlers see it.
  [[nodiscard]] Engine& engine() noexcept { return server_; }

 private:
  [[nodiscard]] std::error_code open_all();
  void close(std::size_t actor) noexcept;
  void finish();

  Server server_;
  std::vector<bool> running_;
};

}  // namespace ringwire::engine
