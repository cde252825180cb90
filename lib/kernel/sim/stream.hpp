// A simulated TCP connection: two directions of bytes, FIN and RST, and what each end gets to see of them.
//
//   send ──▶ flight (sent, on the way) ──deliver──▶ arrived (in the receiver's socket) ──recv──▶
//
// Answers as Linux's sockets do: bytes before FIN, bytes that arrived before the error of a reset, the error
// once, then EOF for receives and EPIPE for sends. Leaves to others: when something is delivered,
// descriptors, operations.
#pragma once

#include "lib/kernel/kernel.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace ringwire::kernel::sim {

/// A connection between side 0, who called connect(2), and side 1, who accepted.
class Stream {
 public:
  /// Each direction holds at most `capacity` bytes, on the way and arrived.
  explicit Stream(std::size_t capacity) noexcept : capacity_{capacity} {}

  // -- what a side does; results are >= 0 or -errno

  /// Sends as much as there is room for: the count, -EAGAIN when there is none, -ECONNRESET once after a
  /// reset, then -EPIPE.
  [[nodiscard]] int send(unsigned side, std::span<const std::byte> bytes);
  /// Receives what has arrived: the count, 0 for the end, -EAGAIN for nothing yet, -ECONNRESET once after a
  /// reset.
  [[nodiscard]] int recv(unsigned side, std::span<std::byte> target) noexcept;
  /// Sends FIN behind what was sent. -ENOTCONN after a reset.
  int shut_write(unsigned side) noexcept;
  /// Closes this end: FIN, or RST when `reset` or when received bytes were not read.
  void close(unsigned side, bool reset) noexcept;
  /// The network breaks: both ends find `error` (positive), what was on the way is lost. `told` knows
  /// already.
  void fail(int error, unsigned told = nobody) noexcept;

  /// No side.
  static constexpr unsigned nobody = 2;

  // -- what there is

  /// Would `recv` answer something else than -EAGAIN?
  [[nodiscard]] bool can_recv(unsigned side) const noexcept;
  /// Would `send` answer something else than -EAGAIN?
  [[nodiscard]] bool can_send(unsigned side) const noexcept;
  /// Bytes that have arrived at this side and were not received.
  [[nodiscard]] std::size_t arrived(unsigned side) const noexcept { return from(other(side)).arrived.size(); }
  /// The other side's FIN has arrived, and every byte before it was received.
  [[nodiscard]] bool ended(unsigned side) const noexcept;
  /// A reset has reached this side, or was sent by it.
  [[nodiscard]] bool is_reset(unsigned side) const noexcept { return ends_[side].dead; }
  /// Has this side closed?
  [[nodiscard]] bool is_closed(unsigned side) const noexcept { return ends_[side].closed; }

  // -- the network

  /// Is anything of `side`'s on the way?
  [[nodiscard]] bool in_flight(unsigned side) const noexcept;
  /// Bytes `side` has sent, since the beginning.
  [[nodiscard]] std::uint64_t sent(unsigned side) const noexcept { return from(side).sent; }
  /// Bytes `side` has received, since the beginning.
  [[nodiscard]] std::uint64_t received(unsigned side) const noexcept { return from(other(side)).received; }
  /// Bytes of `side`'s on the way.
  [[nodiscard]] std::size_t flight(unsigned side) const noexcept { return from(side).flight.size(); }
  /// Brings up to `size` of the bytes `side` sent to the other one; with all of them, `with_end` also brings
  /// the FIN. With none on the way, it is the FIN or RST that arrives.
  void deliver(unsigned side, std::size_t size, bool with_end);

  /// A fault was injected into one of its operations: what became of it proves nothing.
  bool hurt = false;
  /// The names of both ends.
  std::array<SocketName, 2> names{};

 private:
  struct Direction {  // What one side sends.
    std::string flight;
    std::string arrived;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    bool fin_sent = false;
    bool fin_arrived = false;
    bool rst_sent = false;
  };
  struct End {
    bool closed = false;
    bool dead = false;  // Reset: sends fail, receives end after what has arrived.
    int error = 0;      // Told once, to whichever call comes first.
  };

  [[nodiscard]] static unsigned other(unsigned side) noexcept { return 1 - side; }
  [[nodiscard]] const Direction& from(unsigned side) const noexcept { return directions_[side]; }
  void kill(unsigned side, int error) noexcept;
  void reset(unsigned side) noexcept;

  std::size_t capacity_;
  std::array<Direction, 2> directions_;
  std::array<End, 2> ends_;
};

}  // namespace ringwire::kernel::sim
