// The other door: an engine without addresses, on a real kernel.
#include <ringwire/client.hpp>
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/engine/choice.hpp"
#include "lib/engine/server.hpp"

#include <atomic>
#include <optional>
#include <utility>

namespace ringwire {

struct Client::State {
  State(engine::Handlers handlers_, const Options& options_) noexcept
      : handlers{std::move(handlers_)}, options{options_} {}

  engine::Handlers handlers;  // Until `start` hands them over.
  Options options;
  std::optional<engine::Server> server;    // From `start` on.
  std::atomic<bool> takes_letters{false};  // From before on_boot: its loops may be asked, from any thread.
  bool runs = false;                       // There is something to stop.
};

Client::Client(Handler& handler, const Options& options)
    : state_{std::make_unique<State>(handler, options)} {}

Client::Client(HandlerFactory factory, const Options& options)
    : state_{std::make_unique<State>(std::move(factory), options)} {}

Client::~Client() {
  stop();
}

std::error_code Client::start() {
  if (state_->server) return Error::engine_stopped;

  kernel::Kernel* kernel = nullptr;
  if (const auto error = engine::choose_kernel(state_->options, engine::real_kernels(), kernel)) return error;
  state_->server.emplace(*kernel, std::move(state_->handlers), state_->options);
  if (const auto error = state_->server->prepare()) return error;
  state_->takes_letters.store(true, std::memory_order_release);
  const auto error = state_->server->start();
  if (error) state_->takes_letters.store(false, std::memory_order_release);
  state_->runs = !error;
  return error;
}

Connecting Client::connect(std::string_view address, const ConnectOptions& options, Connected done) {
  if (!state_->takes_letters.load(std::memory_order_acquire)) return Connecting{Error::closed};
  return state_->server->connect(address, options, std::move(done));
}

std::error_code Client::enroll(int fd, Connected done) {
  if (!state_->takes_letters.load(std::memory_order_acquire)) return Error::closed;
  return state_->server->enroll(fd, std::move(done));
}

Engine& Client::engine() noexcept {
  RINGWIRE_REQUIRE(state_->takes_letters.load(std::memory_order_acquire), "the client has not been started");
  return *state_->server;
}

void Client::stop() noexcept {
  if (std::exchange(state_->runs, false)) state_->server->finish();
}

}  // namespace ringwire
