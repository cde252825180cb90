// Loops without a listener: for programs that only connect.
//
// Leaves to others: the events (`handler.hpp`), what a connection can do (`conn.hpp`).
#pragma once

#include <ringwire/connect.hpp>
#include <ringwire/engine.hpp>
#include <ringwire/handler.hpp>
#include <ringwire/options.hpp>

#include <memory>
#include <string_view>
#include <system_error>

namespace ringwire {

/// An engine that listens to nobody, with the same Handler and the same events as one that does.
///
/// Thread: `start`, `stop` and the destructor from one thread, which gets `on_boot` and `on_shutdown`; none
/// of them from an event. `connect` and `enroll` from any thread. Lifetime: the handler outlives the client.
/// Source: gnet Client, whose Dial blocks and knows no timeout.
///
/// Example:
/// ```
/// ringwire::Client client{handler};
/// if (auto error = client.start()) return ringwire::explain(error);
/// auto dial = client.connect("tcp://127.0.0.1:9000", {.timeout = 2s});
/// ```
class Client {
 public:
  /// Does nothing yet; copies `options`. Those about listening mean nothing here.
  explicit Client(Handler& handler, const Options& options = {});
  /// The same with a handler for each loop, as `run(HandlerFactory, …)`; they live as long as the client.
  explicit Client(HandlerFactory factory, const Options& options = {});
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  /// Stops, if that has not been done.
  ~Client();

  /// Starts the loops and returns when they run. Failure: as `run`; and `Error::engine_stopped` when
  /// `on_boot` answered `Action::shutdown`. Once: a second call is answered `Error::engine_stopped`.
  [[nodiscard]] std::error_code start();

  /// Opens a connection on the loop with the fewest; see `LoopRef::connect`. `Error::closed` before `on_boot`
  /// and after a `start` that failed.
  Connecting connect(std::string_view address, const ConnectOptions& options = {}, Connected done = nullptr);

  /// Takes over a connected socket; see `LoopRef::enroll`. `Error::closed` before `on_boot` and after a
  /// `start` that failed.
  std::error_code enroll(int fd, Connected done = nullptr);

  /// The engine: counts, loops. From `on_boot` on, unless `start` failed.
  [[nodiscard]] Engine& engine() noexcept;

  /// Stops as `Engine::stop` does and waits until every connection is closed and every loop has ended. Twice
  /// is harmless. A client whose handler answered `Action::shutdown` has ended already; this waits for it.
  void stop() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ringwire
