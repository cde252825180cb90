// The same steps as Server::run, one at a time.
#include "lib/engine/stepper.hpp"

#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"

#include <algorithm>

namespace ringwire::engine {

Stepper::~Stepper() {
  for (std::size_t actor = 0; actor < running_.size(); ++actor) {
    if (running_[actor]) close(actor);
  }
  server_.close_signals();
}

std::error_code Stepper::start(std::span<const std::string_view> addresses) {
  if (const auto error = server_.boot(addresses)) return error;
  if (const auto error = server_.open_signals()) return error;

  Action action = Action::none;
  if (const auto error = server_.announce(action)) return error;
  if (action == Action::shutdown) return {};

  server_.hand_out_listeners();
  return open_all();
}

std::error_code Stepper::open_all() {
  running_.assign(server_.loops_.size() + (server_.balancer_ != nullptr ? 1 : 0), true);
  for (std::size_t actor = 0; actor < running_.size(); ++actor) {
    const bool is_loop = actor < server_.loops_.size();
    std::error_code error = is_loop ? server_.loops_[actor]->open() : server_.balancer_->open();
    if (!error) error = server_.lock_thread();
    if (!error) continue;
    for (std::size_t each = 0; each < running_.size(); ++each) close(each);
    return error;
  }
  return {};
}

void Stepper::close(std::size_t actor) noexcept {
  running_[actor] = false;
  if (actor < server_.loops_.size()) {
    server_.loops_[actor]->close();
  } else {
    server_.balancer_->close();
  }
}

int Stepper::ring_fd(std::size_t actor) const noexcept {
  RINGWIRE_ASSERT(actor < running_.size());
  return actor < server_.loops_.size() ? server_.loops_[actor]->ring_fd() : server_.balancer_->ring_fd();
}

bool Stepper::is_over() const noexcept {
  return std::none_of(running_.begin(), running_.end(), [](bool running) { return running; });
}

void Stepper::lap(std::size_t actor) {
  RINGWIRE_ASSERT(actor < running_.size());
  RINGWIRE_ASSERT(running_[actor]);

  const bool goes_on =
      actor < server_.loops_.size() ? server_.loops_[actor]->lap() : server_.balancer_->lap();
  if (goes_on) return;
  close(actor);
  if (is_over()) finish();
}

void Stepper::finish() {
  server_.workers_.drop();
  server_.say_goodbye();
  server_.close_signals();
}

}  // namespace ringwire::engine
