// The buffers that connections of one loop receive into: many small ones, and a few large ones for those
// whose bytes come in bulk.
//
// A small one is enough for a request, and there are enough for all who send one at once. Of a stream each
// would bring little: sixteen completions and fifteen copies where one in place would do. Leaves to others:
// who receives into which (conn/recv.cpp). Invariant: without large ones everything works with the small
// ones.
#pragma once

#include <ringwire/options.hpp>

#include "lib/uring/pool.hpp"

#include <cstddef>
#include <cstdint>
#include <system_error>

namespace ringwire::uring {

/// Two pools.
class RecvPools {
 public:
  /// Nothing is mapped yet. The groups have these numbers.
  RecvPools(kernel::Kernel& kernel, std::uint16_t small_bgid, std::uint16_t large_bgid) noexcept
      : small_{kernel, small_bgid}, large_{kernel, large_bgid} {}

  /// Maps and lends all that `options` ask for. As `BufferPool::open`.
  [[nodiscard]] std::error_code open(Ring& ring, const Options& options) {
    if (const auto error = small_.open(ring, options.recv_buffers_count, options.recv_buffer_size))
      return error;
    if (options.large_recv_buffer_size <= options.recv_buffer_size) return {};
    if (options.large_recv_buffers_count == 0) return {};
    return large_.open(ring, options.large_recv_buffers_count, options.large_recv_buffer_size);
  }

  /// As `BufferPool::close`.
  void close() noexcept {
    small_.close();
    large_.close();
  }

  /// One of them.
  [[nodiscard]] BufferPool& of(bool large) noexcept { return large ? large_ : small_; }
  /// One of them.
  [[nodiscard]] const BufferPool& of(bool large) const noexcept { return large ? large_ : small_; }
  /// Are there large ones?
  [[nodiscard]] bool has_large() const noexcept { return large_.is_open(); }

  /// Once a lap, when nothing is held.
  void publish() noexcept {
    small_.publish();
    if (has_large()) large_.publish();
  }
  /// Buffers held, of both.
  [[nodiscard]] std::size_t held_count() const noexcept { return small_.held_count() + large_.held_count(); }

  /// As `BufferPool::share`, of a large one: what fits into a small one is copied sooner than it is accounted
  /// for, and a slow reader must not keep the buffers that everybody needs.
  [[nodiscard]] Buffer share(Bytes bytes) noexcept { return large_.share(bytes); }

 private:
  BufferPool small_;
  BufferPool large_;
};

}  // namespace ringwire::uring
