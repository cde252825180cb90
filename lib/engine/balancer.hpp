// The balancer: accepts on its own ring, and hands each connection to a loop by a message to that loop's
// ring.
//
//   accept ──CQE──▶ policy ──▶ MSG_RING{res = fd} ──one submit per batch──▶ the loop's completion queue
//
// Invariant: an accepted descriptor is in exactly one place: in a message of ours (`undelivered_`, `refused_`
// or on its way), or with a loop. The loops are told last how many messages they must have got, so none is
// lost when everything stops.
#pragma once

#include <ringwire/options.hpp>

#include "lib/base/list.hpp"
#include "lib/base/log.hpp"
#include "lib/base/slots.hpp"
#include "lib/engine/policy.hpp"
#include "lib/kernel/kernel.hpp"
#include "lib/loop/arrival.hpp"
#include "lib/loop/entrance.hpp"
#include "lib/loop/loop.hpp"
#include "lib/loop/mailbox.hpp"
#include "lib/uring/ring.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <vector>

namespace ringwire::engine {

/// Accepts for all loops. Steppable, as a loop is.
class Balancer {
 public:
  /// The loops outlive it. Their rings must be open before the first lap.
  Balancer(const loop::Surroundings& surroundings, std::vector<loop::Loop*> loops);
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;
  ~Balancer() { close(); }

  /// Gives it a listening socket; `is_tcp`: not a unix socket. Before `open`.
  void add_listener(int fd, bool is_tcp = true);

  /// Sets up its ring, in the thread that will run the laps.
  [[nodiscard]] std::error_code open();
  /// One lap; false when it has stopped and every loop has been told.
  [[nodiscard]] bool lap();
  /// Ends its ring. Same thread.
  void close() noexcept;

  /// Its ring, after `open`.
  [[nodiscard]] int ring_fd() const noexcept { return ring_.fd(); }

  /// Connections it reset because there was no memory to hand them over. Any thread.
  [[nodiscard]] std::size_t refused_count() const noexcept {
    return turned_away_.load(std::memory_order_relaxed);
  }

  /// Times it stopped accepting for want of descriptors or memory. Any thread.
  [[nodiscard]] std::uint64_t accept_pauses() const noexcept {
    return accept_pauses_.load(std::memory_order_relaxed);
  }

  /// Asks it to stop: close the listeners, deliver what was accepted, tell the loops. Any thread.
  void request_stop() noexcept;

 private:
  // A connection on its way to a loop, or the last word to one. Ours until the loop's ring has taken it.
  struct Message : base::Link<Message> {
    Message(std::uint32_t slot_, std::uint32_t generation_) noexcept : slot{slot_}, generation{generation_} {}

    std::uint32_t slot;
    std::uint32_t generation;
    std::uint32_t loop = 0;
    bool is_end = false;
    std::uint32_t content = 0;  // A descriptor; at the end, how many there were.
    loop::Arrival arrival{};
  };

  void submit_and_wait() noexcept;
  void reap() noexcept;
  void flush() noexcept;
  void dispatch(const uring::Completion& done) noexcept;
  void let_waiting_in() noexcept;
  void turn_away(const loop::Entrance::Entered& entered) noexcept;
  void assign(const loop::Entrance::Entered& entered) noexcept;
  void on_sent(const uring::Completion& done) noexcept;
  void send(const Message& message) noexcept;
  [[nodiscard]] bool make_room(unsigned count) noexcept;
  void begin_stop() noexcept;
  void flush_stop() noexcept;

  loop::Surroundings with_;
  std::vector<loop::Loop*> loops_;
  loop::Mailbox bell_;  // Nobody writes to the balancer; it is only woken.
  uring::Ring ring_;
  Policy policy_;
  loop::Entrance entrance_;
  base::SlotTable<Message> messages_;
  base::List<Message, Message> undelivered_;
  base::List<Message, Message> refused_;  // Join them again at `retry_at_`.
  std::vector<Message*> last_words_;      // One for each loop: there must be memory for them at the end.
  kernel::Nanoseconds retry_at_ = 0;
  std::vector<std::uint32_t> delivered_;  // Handed to each loop so far.
  kernel::Nanoseconds now_ = 0;
  int event_fd_ = -1;
  bool event_due_ = false;
  bool queue_full_ = false;  // This lap's flush could not write all it wanted: the next lap does not wait.
  std::array<std::byte, 8> event_bytes_{};
  std::atomic<std::size_t> turned_away_{0};      // Written by its thread, read by all …
  std::atomic<std::uint64_t> accept_pauses_{0};  // … as is this.
  bool stopping_ = false;
  bool ended_ = false;  // The loops' last messages are written.
  std::atomic<bool> stop_requested_{false};
};

}  // namespace ringwire::engine
