// Simulated datagram sockets, and the network between them, which loses, doubles and reorders as it is told.
//
//   send ──▶ flight (on the way) ──carry──▶ a socket's queue ──receive──▶
//                                    └─ lost; nobody there; the queue is full: gone without a word
//
// Ports are the whole address: everything happens on 127.0.0.1. Leaves to others: when something is carried,
// descriptors, operations. Invariant: a datagram arrives whole or not at all.
#pragma once

#include "lib/kernel/kernel.hpp"
#include "lib/kernel/sim/choices.hpp"
#include "lib/kernel/sim/faults.hpp"

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ringwire::kernel::sim {

/// A datagram on its way, or waiting in a socket.
struct Packet {
  std::uint16_t from = 0;
  std::uint16_t to = 0;
  std::string bytes;
};

/// A datagram socket. It receives once it is bound.
struct DatagramEnd {
  std::uint16_t port = 0;
  bool reuse_port = false;
  std::uint16_t peer =
      0;               // Connected: only what comes from there arrives, and what finds nobody there is told.
  int error = 0;       // -errno, for whoever asks next.
  bool joins = false;  // UDP_GRO
  std::deque<Packet> queue;
};

/// All datagram sockets of a world, and what is between them.
class DatagramNet {
 public:
  /// The longest datagram, as with IPv4.
  static constexpr std::size_t size_most = 65'507;
  /// The most of them that one send is cut into, and one receive joined of.
  static constexpr std::size_t segments_most = 64;

  /// A socket that is full drops what arrives: so many datagrams wait in one.
  void set_queue_max(std::size_t count) noexcept { queue_max_ = count; }
  /// So many of one sender's are on the way at most; then it has to wait.
  void set_flight_max(std::size_t count) noexcept { flight_max_ = count; }

  /// Binds a socket: 0, or -EADDRINUSE unless all sockets of the port share it.
  [[nodiscard]] int bind(const std::shared_ptr<DatagramEnd>& end, std::uint16_t port);
  /// Is a socket bound to this port?
  [[nodiscard]] bool is_bound(std::uint16_t port) const noexcept;
  /// Datagrams that wait in the sockets of this port.
  [[nodiscard]] std::size_t queued(std::uint16_t port) const noexcept;
  /// May this sender send now?
  [[nodiscard]] bool can_send(std::uint16_t from) const noexcept;
  /// Sends: the number of bytes, or -EMSGSIZE.
  [[nodiscard]] int send(Packet packet);

  /// Datagrams taken from the sockets of this port.
  [[nodiscard]] std::uint64_t sent(std::uint16_t port) const noexcept;
  /// Datagrams on the way.
  [[nodiscard]] std::size_t in_flight() const noexcept { return flight_.size(); }
  /// One of them arrives, or is lost: the oldest, unless a fault says otherwise.
  void carry(Choices& choices, Faults& faults);

  /// Datagrams dropped because a queue was full.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }
  /// Datagrams that have reached a socket.
  [[nodiscard]] std::uint64_t arrived() const noexcept { return arrived_; }

 private:
  void arrive(Packet packet);
  void refuse(const Packet& packet);

  std::size_t queue_max_ = 64;
  std::size_t flight_max_ = 64;
  std::vector<std::weak_ptr<DatagramEnd>> ends_;  // In the order they were bound.
  std::deque<Packet> flight_;                     // In the order they were sent.
  std::map<std::uint16_t, std::uint64_t> sent_;   // By port.
  std::uint64_t dropped_ = 0;
  std::uint64_t arrived_ = 0;
};

/// Where the kernel is to cut what is sent (UDP_SEGMENT); 0 = it is one datagram.
[[nodiscard]] std::size_t segment_size_of(const msghdr& message) noexcept;

}  // namespace ringwire::kernel::sim
