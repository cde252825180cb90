// One listening socket on a ring: multishot accept that survives whatever accept(2) can answer.
//
// Used by a loop that is alone, and by the balancer. Leaves to others: what becomes of an accepted
// descriptor.
//
//   listening ◀──▶ paused (no descriptors left: try again later) ──▶ closing ──▶ closed
#pragma once

#include "lib/base/log.hpp"
#include "lib/kernel/kernel.hpp"
#include "lib/uring/ring.hpp"

#include <cstdint>
#include <deque>

namespace ringwire::loop {

/// Accepts connections on one listening socket, which it owns from now on.
class Acceptor {
 public:
  /// First and longest pause after accept ran out of descriptors or memory; each further one doubles.
  static constexpr kernel::Nanoseconds pause_min = 10'000'000;
  static constexpr kernel::Nanoseconds pause_max = 100'000'000;

  /// `index` tells the listeners of one ring apart; `is_tcp` is told of what it accepts.
  Acceptor(int fd, std::uint32_t index, const base::Log& log, bool is_tcp = true) noexcept
      : log_{log}, fd_{fd}, index_{index}, is_tcp_{is_tcp} {}

  /// Not a unix socket's.
  [[nodiscard]] bool is_tcp() const noexcept { return is_tcp_; }

  /// Should the accept be armed?
  [[nodiscard]] bool wants_accept(kernel::Nanoseconds now) const noexcept;
  /// Lends the kernel the right to accept, until it says otherwise.
  void arm_accept(uring::Ring& ring) noexcept;
  /// Takes back a connection: its descriptor, or -1 when there is none.
  [[nodiscard]] int on_accept(const uring::Completion& done, kernel::Nanoseconds now) noexcept;

  /// Decides to stop listening.
  void begin_close() noexcept;
  /// Should the close be armed?
  [[nodiscard]] bool wants_close() const noexcept;
  /// Cancels the accept and closes the socket. In this order: a socket closed under an accept goes on
  /// listening.
  void arm_close(uring::Ring& ring) noexcept;
  /// The cancel is done; the accept answers for itself.
  void on_cancel(const uring::Completion& done) noexcept;
  /// The socket is closed and its port free.
  void on_close(const uring::Completion& done) noexcept;
  /// Closed, and nothing is lent any more.
  [[nodiscard]] bool is_closed() const noexcept {
    return fd_ < 0 && !accept_armed_ && !cancel_armed_ && !close_armed_;
  }

  /// Closes the socket if that has not happened: the ring is gone, or never was.
  void close_now(kernel::Kernel& kernel) noexcept;

  /// Arms what is due, the close or the accept. False when the ring had no room: it is still due.
  [[nodiscard]] bool flush(uring::Ring& ring, kernel::Nanoseconds now) noexcept;

  /// When a pause ends; 0 when there is none.
  [[nodiscard]] kernel::Nanoseconds resume_at() const noexcept { return resume_at_; }

 private:
  [[nodiscard]] uring::Token token(uring::Op op) const noexcept { return {op, 0, index_}; }

  const base::Log& log_;
  int fd_;
  std::uint32_t index_;
  bool is_tcp_;
  bool accept_armed_ = false;
  bool cancel_armed_ = false;
  bool close_armed_ = false;
  bool closing_ = false;
  bool broken_ = false;  // accept(2) said that it will never work.
  kernel::Nanoseconds resume_at_ = 0;
  kernel::Nanoseconds pause_ = pause_min;
};

/// When the first of their pauses ends; UINT64_MAX when none pauses.
[[nodiscard]] kernel::Nanoseconds first_resume(const std::deque<Acceptor>& acceptors) noexcept;

}  // namespace ringwire::loop
