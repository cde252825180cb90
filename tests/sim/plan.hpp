// What one simulated run is made of: limits, faults, and how the people in it behave. Drawn once, at its
// beginning.
//
// Swarm testing: each run has a random few of everything, because what all runs have in common hides what
// needs only one.
#pragma once

#include <ringwire/options.hpp>

#include "lib/kernel/sim/choices.hpp"
#include "lib/kernel/sim/faults.hpp"
#include "lib/sim/simulation.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::test {

/// Kinds of runs. `mixed` has a bit of everything; the others have a lot of one thing.
enum class Scenario : std::uint8_t {
  mixed,
  buffers,
  descriptors,
  overflow,
  closing,
  balance,
  stopping,
  calm,
  datagrams
};

/// All of them, by name.
inline constexpr std::array<std::string_view, 9> scenario_names{
    "mixed", "buffers", "descriptors", "overflow", "closing", "balance", "stopping", "calm", "datagrams"};

/// The scenario of this name.
[[nodiscard]] std::optional<Scenario> find_scenario(std::string_view name);

/// One run's parameters.
struct Plan {
  Options options;
  std::string mask;  // What `options.mask` views.
  std::size_t descriptors_max = 1024;
  std::size_t stream_capacity = 1024;
  unsigned ring_features = 0;
  bool wakes = true;
  std::array<std::uint32_t, kernel::sim::faults_count> fault_rates{};
  std::uint32_t steps = 400;      // Before everything heals.
  std::uint32_t peers_max = 6;    // Clients that come.
  std::uint32_t act_rate = 150;   // Of 1,000 steps: a client or another thread does something.
  std::uint32_t stop_rate = 0;    // Of 1,000 acts: the engine is told to stop.
  std::uint32_t close_rate = 20;  // Of 1,000 events: the handler closes, aborts, throws.
  std::uint32_t take_rate = 0;    // Of 1,000 events with bytes: the handler takes and keeps all of them.
  std::uint32_t pause_rate = 0;   // Of 1,000 events: the handler pauses the connection.
  std::uint32_t write_max = 400;  // Bytes the handler writes at once.
  bool may_dial = true;
  std::vector<std::string_view> addresses{"tcp4://:9000"};  // Where the engine listens.
  std::uint8_t client_hosts = 1;
  bool has_policy = false;                           // One of the user's chooses the loops.
  std::vector<std::string_view> datagram_addresses;  // Behind those.
  std::size_t datagram_peers_max = 0;
  std::size_t datagram_queue_max = 64;   // Datagrams one socket holds; more are dropped.
  std::size_t datagram_flight_max = 64;  // Of one sender, on the way; more wait in the sender.
  bool has_dead_socket = false;          // A server that was killed has left its file at the unix path.
  bool may_not_start = false;            // Something is made to fail from the first call on.

  /// May the clock close a connection of which nothing else is known?
  [[nodiscard]] bool times_out() const noexcept {
    return options.idle_timeout.count() != 0 || options.read_timeout.count() != 0 ||
           options.write_timeout.count() != 0 || options.lifetime.count() != 0;
  }

  /// Tells the kernel its part.
  void apply(sim::Simulation& world) const;
};

/// Draws a plan.
[[nodiscard]] Plan draw_plan(kernel::sim::Choices& choices, Scenario scenario);

}  // namespace ringwire::test
