// Somebody outside the simulated process with a datagram socket: what he still wants to send, and what he has
// got.
//
// Owns one socket of the simulated network. Leaves to others: when he moves, which the simulation decides.
#pragma once

#include "lib/kernel/sim/sim_kernel.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace ringwire::sim {

/// A peer without a connection.
class SimDatagramPeer {
 public:
  /// Bound to a port of its own.
  explicit SimDatagramPeer(kernel::sim::SimKernel& kernel);

  /// Sends one datagram to a port, after all others.
  void send(std::uint16_t to, std::string bytes) { outbox_.push_back({port(), to, std::move(bytes)}); }
  /// Closes its socket: what is sent to it from now on is lost, as what waits in it.
  void leave() noexcept;

  /// Datagrams received, in order; the caller may take them out.
  [[nodiscard]] std::vector<kernel::sim::Packet>& received() noexcept { return received_; }
  /// Datagrams that have not left it.
  [[nodiscard]] std::size_t outbox_count() const noexcept { return outbox_.size(); }
  /// Its port.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// It has left.
  [[nodiscard]] bool is_gone() const noexcept { return end_ == nullptr; }

  /// Could it do something now?
  [[nodiscard]] bool can_move() const noexcept;
  /// Takes what has arrived, and sends a datagram.
  void move();

 private:
  kernel::sim::SimKernel& kernel_;
  std::shared_ptr<kernel::sim::DatagramEnd> end_;
  std::uint16_t port_;
  std::deque<kernel::sim::Packet> outbox_;
  std::vector<kernel::sim::Packet> received_;
};

}  // namespace ringwire::sim
