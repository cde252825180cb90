// The listeners of one thread, and who of those they accept comes in.
//
// A loop that accepts itself has one, and so has the balancer. With a limit on all connections accepts are
// made one by one, and none is armed while the engine is full; who was accepted all the same (by two
// listeners, one place) waits here until there is room. Leaves to others: what becomes of a connection.
// Invariant: an accepted descriptor is handed on, waits in its acceptor, or was refused and closed.
#pragma once

#include "lib/kernel/kernel.hpp"
#include "lib/loop/acceptor.hpp"
#include "lib/loop/admission.hpp"
#include "lib/loop/arrival.hpp"
#include "lib/loop/mailbox.hpp"
#include "lib/loop/surroundings.hpp"
#include "lib/uring/ring.hpp"

#include <cstdint>
#include <deque>

namespace ringwire::loop {

/// Listening sockets and their door.
class Entrance {
 public:
  /// A connection that has come in; `fd` < 0 = none.
  struct Entered {
    int fd = -1;
    Arrival arrival{};
  };

  /// `bell` wakes its thread when there is room again.
  Entrance(const Surroundings& surroundings, Mailbox& bell) noexcept : with_{surroundings}, bell_{bell} {}
  Entrance(const Entrance&) = delete;
  Entrance& operator=(const Entrance&) = delete;

  /// Adds a listening socket, which it owns from now on; `is_tcp`: not a unix socket. Before the first lap.
  void add(int fd, bool is_tcp);
  /// Are there none?
  [[nodiscard]] bool empty() const noexcept { return acceptors_.empty(); }

  /// Takes a completion of one of its operations: accept, accept_cancel, accept_close.
  [[nodiscard]] Entered on_completion(const uring::Completion& done, kernel::Nanoseconds now) noexcept;
  /// The next of those who waited for room, if there is some; while the listeners close, also of those that
  /// are still in a backlog.
  [[nodiscard]] Entered take_waiting() noexcept;

  /// Arms what is due. False when the ring had no room: it is still due.
  [[nodiscard]] bool flush(uring::Ring& ring, kernel::Nanoseconds now) noexcept;
  /// When the first pause ends; UINT64_MAX when none pauses.
  [[nodiscard]] kernel::Nanoseconds first_resume() const noexcept;

  /// Pauses so far, of all listeners.
  [[nodiscard]] std::uint64_t pauses_count() const noexcept;

  /// Decides to stop listening. Who waits for room comes in all the same.
  void begin_close() noexcept;
  /// Are all closed, and nobody waits?
  [[nodiscard]] bool is_closed() const noexcept;
  /// Closes what is open: the ring is gone, or never was.
  void close_now() noexcept;

 private:
  [[nodiscard]] Entered let_in(Acceptor& acceptor, int fd) noexcept;
  [[nodiscard]] Entered look() noexcept;

  Surroundings with_;
  Mailbox& bell_;
  std::uint32_t waiter_ = 0;  // Our number with `with_.admission`.
  std::deque<Acceptor> acceptors_;
  bool closing_ = false;
};

}  // namespace ringwire::loop
