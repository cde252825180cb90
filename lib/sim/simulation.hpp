// One simulated world: an engine on the simulated kernel, clients around it, and a scheduler that decides
// what is next.
//
// Each step does one thing: a lap of a loop, an attempt of an operation, a delivery on the network, a move of
// a client; with nothing to do, time passes. Which one is drawn from `Choices`, so a seed is a schedule.
// Invariant: one thread, no clock, no address and no hash seed decides anything: the same choices give the
// same trace.
#pragma once

#include <ringwire/handler.hpp>
#include <ringwire/options.hpp>

#include "lib/engine/stepper.hpp"
#include "lib/kernel/sim/sim_kernel.hpp"
#include "lib/sim/datagram_peer.hpp"
#include "lib/sim/peer.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace ringwire::sim {

/// Someone whose deeds the scheduler orders among all other steps: clients that follow a script.
class Outsider {
 public:
  Outsider() = default;
  Outsider(const Outsider&) = delete;
  Outsider& operator=(const Outsider&) = delete;
  virtual ~Outsider() = default;

  /// Adds a number for each thing that could be done now.
  virtual void collect(std::vector<std::size_t>& possible) = 0;
  /// Does one of them.
  virtual void act(std::size_t deed) = 0;
  /// A loop begins a lap, or ends it: between the two it is the engine that runs, and those it calls.
  virtual void on_lap(bool /*begins*/) {}
};

/// The world. Everything in it is made and destroyed with it.
class Simulation {
 public:
  /// `choices` outlives it.
  explicit Simulation(kernel::sim::Choices& choices) noexcept : choices_{choices}, kernel_{choices} {}
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  /// The kernel, to set limits and faults before `start`.
  [[nodiscard]] kernel::sim::SimKernel& kernel() noexcept { return kernel_; }
  /// Boots an engine and opens its rings. A handler that no factory makes outlives the simulation.
  [[nodiscard]] std::error_code start(engine::Handlers handlers, std::span<const std::string_view> addresses,
                                      const Options& options);
  /// The engine; only after `start`.
  [[nodiscard]] Engine& engine() noexcept { return stepper_->engine(); }
  /// Has every loop ended (or none ever ran)?
  [[nodiscard]] bool is_over() const noexcept { return stepper_ == nullptr || stepper_->is_over(); }

  /// A client connects to the address with this index. Valid as long as the simulation.
  SimPeer& connect(std::size_t address = 0);
  /// Clients, and far ends of connections the engine made, in the order they came.
  [[nodiscard]] std::deque<SimPeer>& peers() noexcept { return peers_; }

  /// Somebody who sends and receives datagrams. Valid as long as the simulation.
  SimDatagramPeer& add_datagram_peer() { return datagram_peers_.emplace_back(kernel_); }
  /// All of them, in the order they came.
  [[nodiscard]] std::deque<SimDatagramPeer>& datagram_peers() noexcept { return datagram_peers_; }

  /// What `outsider` could do becomes a step of this world; nullptr = nobody. It outlives the simulation.
  void set_outsider(Outsider* outsider) noexcept { outsider_ = outsider; }
  /// The engine calls `kernel`, which passes on to `kernel()`; only before `start`. It outlives the
  /// simulation.
  void set_interposer(kernel::Kernel& kernel) noexcept { engine_kernel_ = &kernel; }

  /// Makes peers of the far ends of connections the engine has made; each step does so too.
  void meet_connected();

  /// Does one thing; false when nothing can ever happen again by itself.
  bool step();
  /// Does one thing without letting time pass; false when nothing can move now.
  bool step_now();
  /// From now on nothing fails and everybody gets his turn: what is left must come to an end.
  void heal() noexcept;
  /// Time moves on by so much, whatever sleeps.
  void pass(kernel::Nanoseconds duration) noexcept { kernel_.set_time(kernel_.now() + duration); }
  /// Everybody gets his turn, in a fixed order, and does all he can; faults stay as they are. Ends with
  /// `false`, but not after `heal`.
  void set_plain(bool plain) noexcept { plain_ = plain || healed_; }
  /// In so many of 1,000 steps the clock runs though there is work.
  void set_time_rate(std::uint32_t per_mille) noexcept { time_rate_ = per_mille; }
  /// Writes a line for each step to the trace.
  void keep_trace() { trace_.emplace(); }
  /// The trace so far.
  [[nodiscard]] const std::string& trace() const { return *trace_; }

  /// Did the last step only let time pass, because nothing could move?
  [[nodiscard]] bool was_quiet() const noexcept { return quiet_; }
  /// Steps done.
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }
  /// Laps run.
  [[nodiscard]] std::uint64_t laps() const noexcept { return laps_; }
  /// What is wrong with the world right now, in words: a rule of the kernel broken, a loop that spins. Empty
  /// = nothing.
  [[nodiscard]] std::string trouble() const;
  /// What did not come home, after the end: descriptors, memory, operations, rings. Destroys the engine
  /// first.
  [[nodiscard]] std::string leftovers();

 private:
  enum class Kind : std::uint8_t { lap, attempt, deliver, move, act, carry, chat, work };
  struct Step {
    Kind kind;
    std::size_t index;
    unsigned side = 0;
    kernel::sim::Operation* operation = nullptr;
  };

  void collect();
  [[nodiscard]] bool wait_for_time();
  void run(const Step& step);
  void run_lap(std::size_t actor);
  void deliver(const Step& step);
  void note(const Step& step);

  kernel::sim::Choices& choices_;
  kernel::sim::SimKernel kernel_;
  kernel::Kernel* engine_kernel_ = &kernel_;
  Outsider* outsider_ = nullptr;
  std::unique_ptr<engine::Stepper> stepper_;
  std::deque<SimPeer> peers_;
  std::deque<SimDatagramPeer> datagram_peers_;
  std::vector<Step> possible_;
  std::vector<std::size_t> deeds_;   // Of the outsider.
  std::vector<unsigned> idle_laps_;  // Of each actor: laps in a row that changed nothing.
  std::optional<std::string> trace_;
  std::string trouble_;
  std::uint64_t steps_ = 0;
  std::uint64_t laps_ = 0;
  std::size_t turn_ = 0;
  std::uint32_t time_rate_ = 15;
  bool healed_ = false;
  bool plain_ = false;
  bool quiet_ = false;
};

}  // namespace ringwire::sim
