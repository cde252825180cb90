// One listening socket on a ring: multishot accept that survives whatever accept(2) can answer.
//
// Used by a loop that is alone, and by the balancer. Leaves to others: what becomes of an accepted
// descriptor.
//
//   listening ◀──▶ paused (no descriptors left: try again later) ──▶ closing ──▶ closed
#pragma once

#include "lib/base/log.hpp"
#include "lib/kernel/kernel.hpp"
#include "lib/loop/pause.hpp"
#include "lib/uring/ring.hpp"

#include <cstdint>

namespace ringwire::loop {

/// What kind of socket listens, and how to accept on it.
struct Manner {
  bool is_tcp = true;       // Not a unix socket.
  bool one_by_one = false;  // No multishot: somebody decides each time whether there is room.
};

/// Accepts connections on one listening socket, which it owns from now on.
class Acceptor {
 public:
  /// Clients that a last look takes at most: the longest backlog there usually is.
  static constexpr int looks_max = 65'536;

  /// `index` tells the listeners of one ring apart.
  Acceptor(int fd, std::uint32_t index, const base::Log& log, Manner manner = {}) noexcept
      : log_{log}, fd_{fd}, index_{index}, manner_{manner} {}

  /// Not a unix socket's.
  [[nodiscard]] bool is_tcp() const noexcept { return manner_.is_tcp; }

  /// Keeps an accepted connection until there is room for it; meanwhile it accepts no other.
  void keep_waiting(int fd) noexcept;
  /// Is one kept?
  [[nodiscard]] bool has_waiting() const noexcept { return waiting_fd_ >= 0; }
  /// Gives it away.
  [[nodiscard]] int take_waiting() noexcept;

  /// Should the accept be armed?
  [[nodiscard]] bool wants_accept(kernel::Nanoseconds now) const noexcept;
  /// Lends the kernel the right to accept, until it says otherwise.
  void arm_accept(uring::Ring& ring) noexcept;
  /// Takes back a connection: its descriptor, or -1 when there is none.
  [[nodiscard]] int on_accept(const uring::Completion& done, kernel::Nanoseconds now) noexcept;

  /// Decides to stop listening. Then: the accept is cancelled; when nothing is armed any more, whoever is in
  /// the backlog is taken by a last look; and the socket is closed.
  void begin_close() noexcept;
  /// Should the accept be cancelled? A socket closed under an accept goes on listening.
  [[nodiscard]] bool wants_cancel() const noexcept;
  /// Cancels it.
  void arm_cancel(uring::Ring& ring) noexcept;
  /// Is it time for the last look? A client that came while the accept was being cancelled has woken nobody
  /// else: who also listens there (another process, another loop) would not know of it.
  [[nodiscard]] bool wants_look() const noexcept;
  /// The next of those in the backlog; -1 when the last look has ended.
  [[nodiscard]] int look(kernel::Kernel& kernel) noexcept;
  /// Nobody more is taken.
  void end_look() noexcept { looks_left_ = 0; }
  /// Should the close be armed?
  [[nodiscard]] bool wants_close() const noexcept;
  /// Closes the socket.
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

  /// Arms what is due, the close or, if it may, the accept. False when the ring had no room: it is still due.
  [[nodiscard]] bool flush(uring::Ring& ring, kernel::Nanoseconds now, bool may_accept) noexcept;

  /// Pauses so far.
  [[nodiscard]] std::uint64_t pauses_count() const noexcept { return pauses_count_; }
  /// When a pause ends; 0 when there is none.
  [[nodiscard]] kernel::Nanoseconds resume_at() const noexcept { return pause_.until(); }

 private:
  [[nodiscard]] uring::Token token(uring::Op op) const noexcept { return {op, 0, index_}; }

  const base::Log& log_;
  int fd_;
  std::uint32_t index_;
  Manner manner_;
  int waiting_fd_ = -1;
  int looks_left_ = looks_max;  // Who comes later has woken whoever else listens.
  bool cancelled_ = false;      // A cancel was armed: one is enough.
  bool accept_armed_ = false;
  bool cancel_armed_ = false;
  bool close_armed_ = false;
  bool closing_ = false;
  bool broken_ = false;  // accept(2) said that it will never work.
  std::uint64_t pauses_count_ = 0;
  Pause pause_;  // Accept ran out of descriptors or memory.
};

}  // namespace ringwire::loop
