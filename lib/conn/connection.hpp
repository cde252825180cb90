// One connection: what it has received, what it must send, what the kernel holds of it.
//
//            begin_close            outbound empty            peer's FIN, or time's up
//   open ──────────────▶ flushing ────────────────▶ lingering ───────────────────────▶ ending ──────▶ closed
//     └───────────────────────────── fail, abort ───────────────────────────────────────▲   nothing armed
//
// Each operation is one file with two halves: `arm_x` lends something to the kernel, `on_x` takes it back,
// records what came and marks the connection due or news. Only the loop's flush arms; only its react tells
// the handler. Invariant: while a bit of `armed_` is set the kernel may still use this object; it is released
// only when none is.
#pragma once

#include <ringwire/conn.hpp>

#include "lib/base/queue.hpp"
#include "lib/conn/inbound.hpp"
#include "lib/conn/outbound.hpp"
#include "lib/conn/reason.hpp"
#include "lib/conn/shared.hpp"
#include "lib/uring/ring.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

namespace ringwire::conn {

/// Who opened a connection: the balancer counts only those it handed over.
enum class Origin : std::uint8_t { accepted, connected };

/// What has happened to a connection since the handler was last told; taken by `take_news`.
struct Happened {
  bool traffic : 1 = false;   // Bytes came, or somebody called `wake`.
  bool eof : 1 = false;       // The peer's FIN.
  bool writable : 1 = false;  // Down to the low mark.
  bool drain : 1 = false;     // The engine stops.
};

/// What few connections have; made when it is first asked for. A timeout of 0 is none.
struct Rare {
  std::vector<Done> closed_callbacks;
  std::chrono::milliseconds idle_timeout{0};
  std::chrono::milliseconds read_timeout{0};
  std::chrono::milliseconds write_timeout{0};
  std::chrono::milliseconds lifetime{0};
  std::optional<std::chrono::milliseconds> close_timeout;  // Instead of the option's; 0 = reset at once.
  kernel::Nanoseconds received_at = 0;                     // When bytes last came, or receiving went on.
  kernel::Nanoseconds taken_at = 0;  // When the kernel last took some, or the first began to wait.
};

/// The private side of `ringwire::Conn`.
class Connection : public Conn, public base::QueueLink<Due>, public base::QueueLink<News> {
 public:
  /// Takes over the connected socket `fd`; marks itself due, to arm its receive. May throw bad_alloc when
  /// `Options` give it timeouts; then `fd` is left to the caller.
  Connection(std::uint32_t slot, std::uint32_t generation, Shared& shared, int fd, Origin origin);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // recv.cpp
  /// Should a receive be armed?
  [[nodiscard]] bool wants_recv() const noexcept;
  /// Lends the kernel the right to fill buffers of the pool, until it says otherwise.
  void arm_recv(uring::Ring& ring) noexcept;
  /// Takes back a buffer, the end of the stream, or the receive itself.
  void on_recv(const uring::Completion& done) noexcept;
  /// Must the armed receive be cancelled, because the handler paused, or so much has arrived?
  [[nodiscard]] bool wants_pause() const noexcept;
  /// Cancels the receive; what it has received by then still arrives.
  void arm_pause(uring::Ring& ring) noexcept;
  /// The cancel itself is done; the receive answers for itself.
  void on_pause(const uring::Completion& done) noexcept;
  /// After `resume`: makes news of what the pause has held back. In the flush, so that a handler that pauses
  /// and resumes without end holds up its loop by a lap at most.
  void tell_held_back() noexcept;
  /// Should the handler be told of the end of the stream now? If it has paused meanwhile, it will be told
  /// later.
  [[nodiscard]] bool claim_eof() noexcept;

  // send.cpp
  /// Should a send be armed?
  [[nodiscard]] bool wants_send() const noexcept;
  /// Lends the kernel the outbound bytes. One send at a time: two would interleave.
  void arm_send(uring::Ring& ring) noexcept;
  /// Takes back what was sent of them.
  void on_send(const uring::Completion& done) noexcept;
  /// Should the handler be told that there is room again? If it has filled it meanwhile, it will be told
  /// later.
  [[nodiscard]] bool claim_writable() noexcept;

  // close.cpp
  /// Decides to close without loss. `reason` is what `on_close` will be told.
  void begin_close(std::error_code reason) noexcept;
  /// Decides to close now: the network, or the clock, said so. The first reason stands.
  void fail(std::error_code reason) noexcept;
  /// The same with a reset: what is queued is given up.
  void abandon(std::error_code reason) noexcept;
  /// Our FIN is due: everything is sent, and we are closing or have been asked to.
  [[nodiscard]] bool wants_fin() const noexcept;
  /// Sends FIN, and decides what to wait for.
  void send_fin() noexcept;
  /// Closes when both FINs have passed though nobody asked for it: no event would ever come again.
  void end_if_both_ended() noexcept;
  /// Should the close be armed?
  [[nodiscard]] bool wants_close() const noexcept;
  /// Cancels what is armed and closes the descriptor, in one chain.
  void arm_close(uring::Ring& ring) noexcept;
  /// The cancel is done; what it cancelled answers for itself.
  void on_cancel(const uring::Completion& done) noexcept;
  /// The descriptor is closed.
  void on_close(const uring::Completion& done) noexcept;
  /// Closed, and nothing is lent any more: `on_close` can be told and the slot released.
  [[nodiscard]] bool is_closed() const noexcept { return state_ == State::ending && fd_ < 0 && armed_ == 0; }

  // timeouts.cpp
  /// Could time change anything? Quicker than `deadline`, and asked each time it moved bytes.
  [[nodiscard]] bool has_timeouts() const noexcept {
    return rare_ != nullptr || state_ != State::open || shared_.options.idle_timeout.count() != 0;
  }
  /// When time changes something: the first timeout, or the end of our patience. 0 = never.
  [[nodiscard]] kernel::Nanoseconds deadline() const noexcept;
  /// Looks at the clock; may begin to close.
  void on_time(kernel::Nanoseconds now) noexcept;

  // For the loop's react.
  /// What the handler is to be told, in the order of the fields. Clears it, but for what a pause holds back.
  [[nodiscard]] Happened take_news() noexcept;
  /// The handler has returned: leftovers are copied and the held buffer goes home.
  void settle() noexcept;
  /// The next write callback to call now; with `all`, also those whose bytes will never leave.
  [[nodiscard]] std::optional<Done> take_done(bool all) noexcept { return outbound_.take_done(all); }
  /// Sends `on_traffic` once though nothing came.
  void wake() noexcept;
  /// Sends `on_drain` once, unless it is closing already.
  void drain() noexcept;
  /// Has `drain` been called?
  [[nodiscard]] bool is_draining() const noexcept { return draining_; }
  /// Calls `done` after `on_close`. May throw bad_alloc; then `done` is left to the caller.
  void notify_closed(Done&& done);
  /// The callbacks of `notify_closed`, to be called now.
  [[nodiscard]] std::vector<Done> take_closed_callbacks() noexcept;
  /// Calls `done` when all that has been written so far is taken by the kernel. May throw bad_alloc; then
  /// `done` is left to the caller.
  void notify_sent(Done&& done);

  /// Its place in the loop's table.
  [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }
  /// Which occupant of that place it is.
  [[nodiscard]] std::uint32_t generation() const noexcept { return generation_; }
  /// Who opened it.
  [[nodiscard]] Origin origin() const noexcept { return origin_; }
  /// Is the handler still offered bytes? Not after it closed, but after the peer's reset what came before it.
  [[nodiscard]] bool offers_traffic() const noexcept { return !closed_by_us_; }
  /// Is the handler, which had `before` bytes and took some, to be offered the rest once more?
  [[nodiscard]] bool redelivers(std::size_t before) const noexcept {
    return inbound_.size() > 0 && inbound_.size() < before && offers_traffic() && !paused_;
  }
  /// Neither closing nor closed.
  [[nodiscard]] bool is_open() const noexcept { return state_ == State::open; }
  /// May bytes still be written? Not once our FIN has been asked for.
  [[nodiscard]] bool takes_writes() const noexcept { return state_ == State::open && !fin_wanted_; }
  /// Why it was closed; empty = by us.
  [[nodiscard]] std::error_code reason() const noexcept { return reason_.error(); }

 private:
  friend class ringwire::Conn;  // The public face, conn.cpp.

  enum class State : std::uint8_t { open, flushing, lingering, ending };

  // Bits of armed_: what the kernel holds.
  static constexpr std::uint8_t recv_bit = 1 << 0;
  static constexpr std::uint8_t send_bit = 1 << 1;
  static constexpr std::uint8_t pause_bit = 1 << 2;
  static constexpr std::uint8_t cancel_bit = 1 << 3;
  static constexpr std::uint8_t close_bit = 1 << 4;

  [[nodiscard]] uring::Token token(uring::Op op) const noexcept { return {op, generation_, slot_}; }
  [[nodiscard]] uring::Op recv_op() const noexcept {
    return recv_large_ ? uring::Op::recv_large : uring::Op::recv;
  }
  [[nodiscard]] bool armed(std::uint8_t bit) const noexcept { return (armed_ & bit) != 0; }
  void lend(std::uint8_t bit) noexcept;
  void take_back(std::uint8_t bit) noexcept;
  void mark_due() noexcept;
  void mark_news() noexcept;
  [[nodiscard]] std::uint32_t credit_of(const uring::BufferPool& pool) const noexcept;
  void choose_pool(std::size_t size) noexcept;
  void take_bytes(std::uint16_t bid, std::size_t size) noexcept;
  void note_eof() noexcept;
  void fail_without_memory() noexcept;
  void count_sent(std::uint32_t size) noexcept;
  void judge_eof(bool sent_short) noexcept;
  [[nodiscard]] bool is_inbound_full() const noexcept;
  [[nodiscard]] bool fits(std::size_t size) noexcept;
  template <typename Append>
  [[nodiscard]] Written queue(std::size_t size, Append&& append);
  [[nodiscard]] Rare& rare();
  void note_receiving() noexcept;
  void note_room(bool was_full) noexcept;
  [[nodiscard]] bool sends_in_full() const noexcept;
  [[nodiscard]] std::chrono::milliseconds idle_timeout() const noexcept;
  [[nodiscard]] kernel::Nanoseconds idle_deadline() const noexcept;
  [[nodiscard]] kernel::Nanoseconds read_deadline() const noexcept;
  [[nodiscard]] kernel::Nanoseconds write_deadline() const noexcept;
  [[nodiscard]] kernel::Nanoseconds lifetime_deadline() const noexcept;

  // What every completion looks at comes first: with the links that is 48 bytes.
  Shared& shared_;
  int fd_;
  std::uint32_t slot_;
  std::uint32_t generation_;
  std::uint32_t send_size_ = 0;  // Bytes the kernel was lent.
  State state_ = State::open;
  std::uint8_t armed_ = 0;
  Origin origin_;
  Happened happened_;
  bool send_in_full_ : 1 = true;   // And not to come back before all of them are gone.
  bool recv_starved_ : 1 = false;  // The pool was empty: look for data before the next buffer.
  bool recv_large_ : 1 = false;    // Into large buffers: the receive that is armed, or the next one.
  bool paused_ : 1 = false;        // By the handler: nothing is received, and nothing told of what was.
  bool resumed_ : 1 = false;       // No longer, and what was held back is to be told.
  bool closed_by_us_ : 1 = false;  // Not by the network.
  bool eof_ : 1 = false;           // The peer's FIN has come.
  bool fin_wanted_ : 1 = false;    // Ours is to follow the last byte.
  bool fin_sent_ : 1 = false;      // It has.
  bool draining_ : 1 = false;      // That we stop is told, or was.
  bool above_high_mark_ : 1 = false;
  bool sent_short_ : 1 = false;   // The last send ended before its last byte: the next one tells whether
                                  // that was the end.
  bool eof_doubted_ : 1 = false;  // Until then an end of the stream may be what a reset looks like.
  Reason reason_;
  Inbound inbound_;
  Outbound outbound_;
  kernel::Nanoseconds active_at_;  // When bytes last moved.
  kernel::Nanoseconds milestone_;  // Open: when it opened. Closing: when our patience ends.
  Context context_;
  std::unique_ptr<Rare> rare_;
};

}  // namespace ringwire::conn
