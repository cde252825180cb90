// One engine: its listeners, loops, balancer and threads, from boot to the last of them.
//
// The private side of `ringwire::Engine`. Leaves to others: everything a loop does.
// Invariant: a loop's memory outlives every thread; threads are joined before anything is destroyed.
#pragma once

#include <ringwire/engine.hpp>
#include <ringwire/handler.hpp>
#include <ringwire/options.hpp>

#include "lib/base/log.hpp"
#include "lib/conn/budget.hpp"
#include "lib/engine/balancer.hpp"
#include "lib/engine/gate.hpp"
#include "lib/engine/handlers.hpp"
#include "lib/engine/listeners.hpp"
#include "lib/engine/workers.hpp"
#include "lib/kernel/kernel.hpp"
#include "lib/loop/admission.hpp"
#include "lib/loop/loop.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

namespace ringwire::engine {

/// An engine, used once.
class Server final : public Engine, public loop::Owner {
 public:
  /// `kernel`, and a handler that is not made by a factory, outlive it; `options` are copied.
  Server(kernel::Kernel& kernel, Handlers handlers, const Options& options);
  ~Server();

  /// Boots, serves, and returns when all is over. See `ringwire::run`.
  [[nodiscard]] std::error_code run(std::span<const std::string_view> addresses);

  /// The same without addresses and without waiting, in two steps: loops that only connect. See
  /// `ringwire::Client`. From `prepare` on they take letters; those that no loop reads are answered.
  [[nodiscard]] std::error_code prepare();
  /// Tells on_boot, and returns when the loops run, or why they do not. After `prepare`.
  [[nodiscard]] std::error_code start();
  /// Stops what `start` began, and waits for its end. Once.
  void finish() noexcept;

  /// A handle to the loop with the fewest connections; ties rotate. Any thread.
  [[nodiscard]] LoopRef least_loaded() noexcept;

  /// Has a worker run `work`, and then `answer` told on the loop of `home`; see `Engine::offload`. Any
  /// thread.
  void offload(const std::shared_ptr<loop::Mailbox>& home, Task work, loop::Mail answer);

  /// Any thread: as `Engine::stop`, for a handler's `Action::shutdown`.
  void stop_wanted() noexcept override;

  /// Whoever accepts is about to close its listeners.
  void listeners_closing() noexcept override { listeners_.retire(); }

 private:
  friend class ringwire::Engine;  // The public face, engine.cpp.
  friend class Stepper;           // The same without threads, stepper.cpp.

  [[nodiscard]] std::error_code boot(std::span<const std::string_view> addresses);
  void hand_out_listeners();
  [[nodiscard]] std::error_code open_signals();
  void close_signals() noexcept;
  [[nodiscard]] std::error_code announce_and_serve();
  [[nodiscard]] std::error_code announce(Action& action);
  void say_goodbye() noexcept;
  [[nodiscard]] std::error_code serve();
  [[nodiscard]] std::error_code launch();
  void join_threads() noexcept;
  void start_threads();
  [[nodiscard]] std::error_code lock_thread();
  void run_loop(loop::Loop& loop);
  void run_balancer();
  void run_worker();
  [[nodiscard]] bool request_stop() noexcept;
  [[nodiscard]] bool request_drain(const DrainOptions& options) noexcept;
  void follow(const DrainOptions& options, bool serves) noexcept;
  template <typename Event>
  bool guard(const char* name, Event&& event) noexcept;

  kernel::Kernel& kernel_;
  Handlers handlers_;  // Before the loops, so that it outlives them.
  Options options_;
  base::Log log_;
  std::unique_ptr<conn::SendBudget> budget_;
  Listeners listeners_;
  std::optional<loop::Admission> admission_;  // Only with a limit that it keeps.
  std::vector<std::unique_ptr<loop::Loop>> loops_;
  std::unique_ptr<Balancer> balancer_;  // Only with two loops or more.
  std::unique_ptr<Gate> gate_;
  std::vector<std::unique_ptr<kernel::Thread>> threads_;
  Workers workers_;
  std::vector<std::unique_ptr<kernel::Thread>> worker_threads_;
  int signal_fd_ = -1;
  enum class Life : std::uint8_t { serving, draining, stopping };
  std::atomic<Life> life_{Life::serving};
  std::atomic<std::size_t> turn_{0};  // Where `least_loaded` begins to look.
};

}  // namespace ringwire::engine
