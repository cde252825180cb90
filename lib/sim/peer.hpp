// A client (or a far server) outside the simulated process: what it still wants to send, and what it has got.
//
// Owns one end of a simulated connection. Leaves to others: when it moves, which the simulation decides.
#pragma once

#include "lib/kernel/sim/choices.hpp"
#include "lib/kernel/sim/stream.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ringwire::sim {

/// One end, played by a test.
class SimPeer {
 public:
  /// `side` 0 has connected to us, side 1 was connected to. With no stream it was refused.
  SimPeer(std::shared_ptr<kernel::sim::Stream> stream, unsigned side) noexcept
      : stream_{std::move(stream)}, side_{side} {}

  // -- what it does

  /// Sends these bytes, after all others.
  void send(std::string_view bytes) { outbox_ += bytes; }
  /// Sends FIN after them; it goes on receiving.
  void finish() noexcept { finishing_ = true; }
  /// Goes away with a reset, at once.
  void reset() noexcept;
  /// Stops reading, or goes on.
  void set_reading(bool reading) noexcept { reading_ = reading; }

  // -- what it has seen

  /// Everything received.
  [[nodiscard]] const std::string& received() const noexcept { return received_; }
  /// It was never connected: nobody listened, or the backlog was full.
  [[nodiscard]] bool was_refused() const noexcept { return stream_ == nullptr; }
  /// The engine's FIN came, behind all of its bytes.
  [[nodiscard]] bool has_end() const noexcept { return ended_; }
  /// The connection broke: errno; 0 = it did not.
  [[nodiscard]] int error() const noexcept { return error_; }
  /// Bytes that have left it.
  [[nodiscard]] std::size_t sent_size() const noexcept { return sent_; }
  /// Bytes that wait in it.
  [[nodiscard]] std::size_t outbox_size() const noexcept { return outbox_.size(); }
  /// It has been told to finish.
  [[nodiscard]] bool is_finishing() const noexcept { return finishing_; }
  /// It has closed its end, of itself or because the connection had ended.
  [[nodiscard]] bool is_gone() const noexcept { return stream_ == nullptr || gone_; }
  /// Its local port.
  [[nodiscard]] std::uint16_t port() const noexcept;

  // -- for the simulation

  /// Could it do something now?
  [[nodiscard]] bool can_move() const noexcept;
  /// Reads and sends what it can; closes when both directions have ended.
  void move(kernel::sim::Choices& choices, bool plainly);
  /// The connection.
  [[nodiscard]] kernel::sim::Stream* stream() const noexcept { return stream_.get(); }
  /// Which end of it.
  [[nodiscard]] unsigned side() const noexcept { return side_; }

 private:
  void read();
  void write(kernel::sim::Choices& choices, bool plainly);
  void fail(int error) noexcept;

  std::shared_ptr<kernel::sim::Stream> stream_;
  unsigned side_;
  std::string outbox_;
  std::string received_;
  std::size_t sent_ = 0;
  bool finishing_ = false;
  bool finished_ = false;
  bool reading_ = true;
  bool ended_ = false;
  bool gone_ = false;
  int error_ = 0;
};

}  // namespace ringwire::sim
