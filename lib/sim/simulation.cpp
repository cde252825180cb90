// What could happen next, one of it, and what must never happen.
#include "lib/sim/simulation.hpp"

#include "lib/base/assert.hpp"
#include "lib/net/address.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace ringwire::sim {
namespace {

// Laps in a row in which a loop neither took an SQE nor a completion to the kernel and slept through none. A
// loop may look again a few times (mail, the end of its work); beyond this it burns a CPU.
constexpr unsigned idle_laps_max = 64;

constexpr kernel::Nanoseconds time_most = 20'000'000;

}  // namespace

std::error_code Simulation::start(engine::Handlers handlers, std::span<const std::string_view> addresses,
                                  const Options& options) {
  RINGWIRE_ASSERT(stepper_ == nullptr);
  stepper_ = std::make_unique<engine::Stepper>(*engine_kernel_, std::move(handlers), options);
  if (const auto error = stepper_->start(addresses)) return error;
  idle_laps_.assign(stepper_->actors_count(), 0);
  return {};
}

SimPeer& Simulation::connect(std::size_t address) {
  const Address place = engine().addresses().at(address);
  const bool is_unix = place.family == Address::Family::unix_socket;
  return peers_.emplace_back(is_unix ? kernel_.connect(net::to_name(place)) : kernel_.connect(place.port), 0);
}

void Simulation::heal() noexcept {
  healed_ = plain_ = true;
  kernel_.faults().heal();
  kernel_.fail_call(UINT64_MAX, false);
}

void Simulation::collect() {
  possible_.clear();
  for (std::size_t actor = 0; actor < stepper_->actors_count(); ++actor) {
    if (stepper_->is_running(actor) && kernel_.is_awake(stepper_->ring_fd(actor))) {
      possible_.push_back({Kind::lap, actor});
    }
  }
  std::size_t index = 0;
  for (kernel::sim::Operation* operation : kernel_.ready()) {
    possible_.push_back({Kind::attempt, index++, 0, operation});
  }
  for (std::size_t peer = 0; peer < peers_.size(); ++peer) {
    const kernel::sim::Stream* stream = peers_[peer].stream();
    if (stream == nullptr) continue;
    for (const unsigned side : {0U, 1U}) {
      if (stream->in_flight(side)) possible_.push_back({Kind::deliver, peer, side});
    }
    if (peers_[peer].can_move()) possible_.push_back({Kind::move, peer});
  }
  if (kernel_.datagrams().in_flight() > 0) possible_.push_back({Kind::carry, 0});
  for (std::size_t peer = 0; peer < datagram_peers_.size(); ++peer) {
    if (datagram_peers_[peer].can_move()) possible_.push_back({Kind::chat, peer});
  }
  if (stepper_->has_work()) possible_.push_back({Kind::work, 0});
  deeds_.clear();
  if (outsider_ != nullptr) outsider_->collect(deeds_);
  for (const std::size_t deed : deeds_) possible_.push_back({Kind::act, deed});
}

bool Simulation::wait_for_time() {
  const kernel::Nanoseconds until = kernel_.next_timeout();
  if (until == UINT64_MAX) return false;
  kernel_.set_time(std::max(until, kernel_.now()));
  return true;
}

void Simulation::meet_connected() {
  for (auto& stream : kernel_.take_connected()) peers_.emplace_back(std::move(stream), 1);
}

bool Simulation::step() {
  ++steps_;
  meet_connected();
  if (!plain_ && choices_.chance(time_rate_)) pass(1 + choices_.draw_size(time_most));
  collect();
  quiet_ = possible_.empty();
  if (quiet_) return wait_for_time();

  const auto count = static_cast<std::uint32_t>(possible_.size());
  run(possible_[plain_ ? turn_++ % count : choices_.draw(count)]);
  return true;
}

void Simulation::run(const Step& step) {
  if (trace_) note(step);
  switch (step.kind) {
    case Kind::lap:
      return run_lap(step.index);
    case Kind::attempt:
      return kernel_.attempt(*step.operation);
    case Kind::deliver:
      return deliver(step);
    case Kind::move:
      return peers_[step.index].move(choices_, plain_);
    case Kind::act:
      return outsider_->act(step.index);
    case Kind::carry:
      return kernel_.datagrams().carry(choices_, kernel_.faults());
    case Kind::chat:
      return datagram_peers_[step.index].move();
    case Kind::work:
      return stepper_->work();
  }
}

void Simulation::run_lap(std::size_t actor) {
  ++laps_;
  const std::uint64_t before = kernel_.completions() + kernel_.submissions();
  const bool had_news = kernel_.unreaped(stepper_->ring_fd(actor)) > 0;
  if (outsider_ != nullptr) outsider_->on_lap(true);
  stepper_->lap(actor);
  if (outsider_ != nullptr) outsider_->on_lap(false);
  const bool moved = had_news || kernel_.completions() + kernel_.submissions() != before;
  const bool sleeps = stepper_->is_running(actor) && !kernel_.is_awake(stepper_->ring_fd(actor));
  idle_laps_[actor] = moved || sleeps ? 0 : idle_laps_[actor] + 1;
  if (idle_laps_[actor] > idle_laps_max && trouble_.empty()) {
    trouble_ = fmt::format("actor {} spins: {} laps in a row did nothing", actor, idle_laps_[actor]);
  }
}

void Simulation::deliver(const Step& step) {
  kernel::sim::Stream& stream = *peers_[step.index].stream();
  const std::size_t flight = stream.flight(step.side);
  if (plain_ || flight == 0) return stream.deliver(step.side, flight, true);
  const std::size_t size = flight - choices_.draw_size(static_cast<std::uint32_t>(flight));
  stream.deliver(step.side, size, choices_.draw(2) == 0);
}

bool Simulation::step_now() {
  ++steps_;
  meet_connected();
  collect();
  quiet_ = possible_.empty();
  if (quiet_) return false;
  const auto count = static_cast<std::uint32_t>(possible_.size());
  run(possible_[plain_ ? turn_++ % count : choices_.draw(count)]);
  return true;
}

void Simulation::note(const Step& step) {
  static constexpr std::array names{"lap", "attempt", "deliver", "move", "act", "carry", "chat", "work"};
  fmt::format_to(std::back_inserter(*trace_), "{:>6} {:>12} {} {}", steps_, kernel_.now(),
                 names[static_cast<std::size_t>(step.kind)], step.index);
  if (step.kind == Kind::deliver) fmt::format_to(std::back_inserter(*trace_), " from side {}", step.side);
  if (step.operation != nullptr) *trace_ += ' ' + kernel_.describe(*step.operation);
  *trace_ += '\n';
}

std::string Simulation::trouble() const {
  return kernel_.violation().empty() ? trouble_ : kernel_.violation();
}

std::string Simulation::leftovers() {
  std::string found;
  const auto count = [&](std::size_t number, const char* what) {
    if (number > 0) found += fmt::format("{}{} {}", found.empty() ? "" : ", ", number, what);
  };
  count(kernel_.operations_count(), "operations armed");
  stepper_ = nullptr;
  count(kernel_.files().count(), "descriptors open");
  count(kernel_.rings_count(), "rings open");
  count(kernel_.maps_count(), "pieces of memory mapped");
  return found;
}

}  // namespace ringwire::sim
