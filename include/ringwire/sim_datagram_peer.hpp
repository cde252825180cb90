// A peer of a simulated world that has no connection: it sends datagrams, and keeps what comes back.
//
// Leaves to others: the world it lives in, which includes this (`sim.hpp`), and what the network does to its
// datagrams: `World::set_fault` with "datagram_lost", "datagram_doubled", "datagram_late".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringwire::sim {

class SimDatagramPeer;

/// Somebody outside the simulated process with a datagram socket on 127.0.0.1.
///
/// What it is told to send leaves it at steps of its own, one datagram a step: nothing here calls your
/// handler.
/// Thread: its world's. Lifetime: a small value, to be copied freely; valid as long as its `World`.
/// Failure: nobody is told that a datagram was lost. After `leave` every deed does nothing.
///
/// Example: `auto alice = world.add_datagram_peer(); alice.send_to(9000, "hello"); world.settle();`
class DatagramPeer {
 public:
  /// For `World`.
  explicit DatagramPeer(SimDatagramPeer& peer) noexcept : peer_{&peer} {}

  /// Sends one datagram, at most 65,507 bytes, behind all others: to a udp address of the engine
  /// (`Engine::addresses` has its port), or to a socket that `LoopRef::open_session` opened (whose port
  /// `sender` has, once something has come from it).
  void send_to(std::uint16_t port, std::string_view bytes);
  /// Closes its socket: what is on its way to it is lost, and who is connected to it learns that nobody is
  /// there (ECONNREFUSED).
  void leave() noexcept;

  /// How many datagrams have come to it.
  [[nodiscard]] std::size_t received_count() const noexcept;
  /// One of them, from 0 on in the order they came; whole. Valid until the world moves on.
  [[nodiscard]] const std::string& received(std::size_t index) const noexcept;
  /// Who sent it: a port of the engine's.
  [[nodiscard]] std::uint16_t sender(std::size_t index) const noexcept;
  /// Datagrams it was told to send that have not left it.
  [[nodiscard]] std::size_t unsent_count() const noexcept;
  /// It has left.
  [[nodiscard]] bool is_gone() const noexcept;
  /// Its port: what the handler finds in `datagram.remote_address().port`, and what `open_session` may be
  /// told ("udp4://127.0.0.1:PORT").
  [[nodiscard]] std::uint16_t port() const noexcept;

 private:
  SimDatagramPeer* peer_;
};

}  // namespace ringwire::sim
