// Bytes received and not yet taken by the handler.
//
//   one buffer arrived          held: the kernel's buffer, in place, no copy
//   a second one, or leftovers  kept: everything copied together, the buffers go home
//
// Invariant: at most one buffer is held, and never while bytes are kept; `settle` leaves none held.
#pragma once

#include <ringwire/buffer.hpp>
#include <ringwire/bytes.hpp>

#include "lib/base/byte_queue.hpp"
#include "lib/uring/recv_pools.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace ringwire::conn {

/// The inbound half of a connection.
class Inbound {
 public:
  /// Adds the first `size` bytes of buffer `bid`, a large one or not, which its pool has taken. May throw
  /// bad_alloc; the buffer is home then.
  void add(uring::RecvPools& pools, bool large, std::uint16_t bid, std::size_t size);

  /// Everything, in one piece; valid until the next call that is not const.
  [[nodiscard]] Bytes view(const uring::RecvPools& pools) const noexcept;

  /// Drops `size` bytes from the front; there must be as many. Moves nothing:
  /// views stay readable until `add` or `settle`.
  void discard(std::size_t size) noexcept;

  /// The first `size` bytes, of which there must be as many, as an owned
  /// buffer: the kernel's own, without a copy, when they are all that is left
  /// of it, fill a good part of it, and the pool has enough; else a copy. Views
  /// stay readable until `add` or `settle`. Throws bad_alloc, then nothing
  /// changed.
  [[nodiscard]] Buffer take(uring::RecvPools& pools, std::size_t size);

  /// Nobody looks any more: what is left is copied, the buffer goes home. May
  /// throw bad_alloc; the buffer is home then.
  void settle(uring::RecvPools& pools);

  /// Drops everything; the buffer goes home.
  void clear(uring::RecvPools& pools) noexcept;

  /// Bytes not yet discarded.
  [[nodiscard]] std::size_t size() const noexcept {
    if (holds_) return held_end_ - held_begin_;
    return kept_ != nullptr ? kept_->size() : 0;
  }
  /// Is a buffer of the pool held?
  [[nodiscard]] bool holds() const noexcept { return holds_; }

 private:
  void keep(Bytes bytes);
  void keep_held(uring::RecvPools& pools);

  std::unique_ptr<base::ByteQueue> kept_;  // Only while there are any.
  std::uint32_t held_begin_ = 0;
  std::uint32_t held_end_ = 0;
  std::uint16_t held_bid_ = 0;
  bool holds_ = false;
  bool held_large_ = false;
};

}  // namespace ringwire::conn
