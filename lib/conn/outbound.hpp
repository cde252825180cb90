// Bytes written and not yet taken by the kernel, and who wants to know when
// they are.
//
// Leaves to others: the send itself. Invariant: what `gather` showed stays
// where it is until `consume` or `clear`.
#pragma once

#include <ringwire/buffer.hpp>
#include <ringwire/bytes.hpp>
#include <ringwire/function.hpp>

#include "lib/base/chunks.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>

namespace ringwire::conn {

/// The outbound half of a connection.
class Outbound {
 public:
  /// Pieces sent at once: 16 chunks of 64 KiB are the 1 MiB high mark.
  static constexpr std::size_t pieces_max = 16;

  /// A send of several pieces: what sendmsg(2) is given.
  struct Message {
    msghdr header{};
    std::array<iovec, pieces_max> pieces{};
  };

  /// Appends a copy of all parts. Throws bad_alloc; some may be in then, so the
  /// connection must end.
  void append(base::ChunkPool& pool, std::span<const Bytes> parts);

  /// Below this size a copy costs less than a piece of its own in the send, and
  /// two changes of a counter.
  static constexpr std::size_t copied_below = 1024;
  /// Appends `bytes` without a copy, or, when they are few, a copy. Throws
  /// bad_alloc, then nothing changed.
  void borrow(base::ChunkPool& pool, const Buffer& bytes);

  /// Calls `done` when everything appended so far has been consumed. May throw
  /// bad_alloc; then `done` is left to the caller.
  void notify(Done&& done);

  /// The first bytes, for a send of one piece.
  [[nodiscard]] Bytes front() const noexcept { return queue_.front(); }

  /// Is it all in one piece?
  [[nodiscard]] bool is_single() const noexcept { return queue_.front().size() == queue_.size(); }

  /// The first pieces, for a send of several; nullptr when there is no memory.
  /// Stays until `consume` or `clear`.
  [[nodiscard]] const msghdr* gather() noexcept;

  /// The kernel took `size` bytes.
  void consume(base::ChunkPool& pool, std::size_t size) noexcept;

  /// Drops everything that waits; callbacks stay until taken with `take_done`.
  void clear(base::ChunkPool& pool) noexcept;

  /// A callback that is to be called now: its bytes are gone, or, with `all`,
  /// whatever became of them.
  [[nodiscard]] std::optional<Done> take_done(bool all) noexcept;

  /// Is there a callback whose bytes are gone?
  [[nodiscard]] bool has_done() const noexcept;

  /// Bytes waiting.
  [[nodiscard]] std::size_t size() const noexcept { return queue_.size(); }
  /// Nothing waits.
  [[nodiscard]] bool empty() const noexcept { return queue_.empty(); }

 private:
  struct Waiting {
    std::uint64_t end;  // Called when `consumed` reaches this.
    Done done;
  };

  // What an idle connection does not have: it is there while any of it is.
  struct Busy {
    std::unique_ptr<Message> message;              // Several pieces are under way.
    std::unique_ptr<std::deque<Waiting>> waiting;  // Somebody waits.
    std::uint64_t consumed = 0;                    // Since somebody does.
  };
  void drop_message() noexcept;

  base::ChunkQueue queue_;
  std::unique_ptr<Busy> busy_;
};

}  // namespace ringwire::conn
