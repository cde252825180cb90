// What can go wrong in the simulated kernel, how often it does, and how often it did.
//
// Each kind is something a real kernel does. Leaves to others: what a kind means, which stands where it
// happens.
#pragma once

#include "lib/kernel/sim/choices.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

namespace ringwire::kernel::sim {

/// Kinds of faults.
enum class Fault : std::uint8_t {
  short_recv,         // fewer bytes than have arrived
  short_send,         // a send ends early, short and positive
  recv_ends,          // a multishot receive ends with its data: no F_MORE
  recv_ends_empty,    // a multishot receive ends without data (EINTR, EAGAIN, ECANCELED)
  starved,            // ENOBUFS though there are buffers
  recv_fails,         // any errno of recv(2), or of a broken connection
  send_fails,         // any errno of send(2)
  accept_ends,        // a multishot accept ends with a descriptor: no F_MORE
  accept_fails,       // any errno of accept(2), EMFILE and ECONNABORTED among them
  connect_fails,      // any errno of connect(2)
  close_fails,        // close(2) complains, and the descriptor is gone; or it was cancelled, and is not
  read_fails,         // EINTR and others from an eventfd or signalfd
  cancel_late,        // EALREADY: the operation is under way, and ends one way or the other
  cancel_missed,      // the cancel answers 0, the operation completes all the same
  cancel_reordered,   // the cancelled completion comes after the cancel's own
  message_refused,    // MSG_RING: the other ring's queue cannot take it now
  enter_interrupted,  // EINTR
  enter_busy,         // EBUSY, EAGAIN: nothing is submitted
  submit_partly,      // fewer SQEs are taken than were submitted
  call_fails,         // a socket call answers an errno
  datagram_lost,      // the network drops a datagram
  datagram_doubled,   // it delivers one twice
  datagram_late,      // one overtakes others
  inline_attempt,     // no fault: an operation is tried at submission, not later
  burst,              // one pass completes a multishot many times
};

/// How many kinds there are.
inline constexpr std::size_t faults_count = 25;

/// Its name, as the command line takes it.
[[nodiscard]] std::string_view name_of(Fault fault) noexcept;

/// Rates and counts.
class Faults {
 public:
  /// No faults at all.
  explicit Faults(Choices& choices) noexcept : choices_{choices} {}

  /// From now on `fault` happens in so many of 1,000 cases.
  void set_rate(Fault fault, std::uint32_t per_mille) noexcept { rates_[index(fault)] = per_mille; }
  /// The rate.
  [[nodiscard]] std::uint32_t rate(Fault fault) const noexcept { return rates_[index(fault)]; }
  /// At most so many faults from now on; `inline_attempt` is none.
  void set_budget(std::uint64_t budget) noexcept { budget_ = budget; }
  /// No more faults; what is broken stays so.
  void heal() noexcept;

  /// Does it happen now? Counts it if so.
  [[nodiscard]] bool happens(Fault fault);
  /// The errno (negative) an operation IORING_OP_… ends with, because `fault` happens or it was forced; 0 =
  /// neither.
  [[nodiscard]] int strike(Fault fault, std::uint8_t opcode);
  /// Once `skip` questions of this opcode have been asked, the next one is answered `error` (positive).
  void force(std::uint8_t opcode, int error, std::uint32_t skip) noexcept { forced_ = {opcode, error, skip}; }
  /// Has the forced error happened to an operation?
  [[nodiscard]] bool has_struck() const noexcept { return struck_ != 0; }
  /// Notes a completion: is it the one that tells of the forced error?
  void note_completion(std::uint8_t opcode, int res) noexcept {
    told_ = told_ || (struck_ != 0 && res == struck_ && opcode == forced_.opcode);
  }
  /// Has a completion told of it?
  [[nodiscard]] bool was_told() const noexcept { return told_; }
  /// The error forced into the operation that asks now, negative; 0 = none. Counts it.
  [[nodiscard]] int take_forced(std::uint8_t opcode);
  /// How often it did.
  [[nodiscard]] std::uint64_t count(Fault fault) const noexcept { return counts_[index(fault)]; }
  /// All of them together; `inline_attempt` is none.
  [[nodiscard]] std::uint64_t total() const noexcept;

  /// Counts one that was not drawn but asked for.
  void note(Fault fault) noexcept { ++counts_[index(fault)]; }
  /// One of the errnos that an operation (IORING_OP_…) can answer, negative; counted in `errors`. 0 when none
  /// is known.
  [[nodiscard]] int draw_error(std::uint8_t opcode);
  /// How often each errno was injected into each opcode.
  [[nodiscard]] const std::map<std::pair<std::uint8_t, int>, std::uint64_t>& errors() const noexcept {
    return errors_;
  }
  /// Notes that `error` (negative) was injected into `opcode`.
  void count_error(std::uint8_t opcode, int error) { ++errors_[{opcode, error}]; }

 private:
  static constexpr std::size_t index(Fault fault) noexcept { return static_cast<std::size_t>(fault); }

  struct Forced {
    std::uint8_t opcode = 0;
    int error = 0;  // 0 = nothing is forced.
    std::uint32_t skip = 0;
  };

  Choices& choices_;
  Forced forced_;
  int struck_ = 0;  // The forced error once it has happened, negative.
  bool told_ = false;
  std::uint64_t budget_ = UINT64_MAX;
  std::array<std::uint32_t, faults_count> rates_{};
  std::array<std::uint64_t, faults_count> counts_{};
  std::map<std::pair<std::uint8_t, int>, std::uint64_t> errors_;
};

}  // namespace ringwire::kernel::sim
