// Datagrams of one size to one peer that leave in one request, one after the other: a train.
//
//   message ──▶ name of the peer
//           ├─▶ pieces:  | first | each | each | last, perhaps shorter |
//           └─▶ control: UDP_SEGMENT = size of the first: where to cut
//
// Leaves to others: which datagrams (`DatagramSocket`), and what becomes of each. Invariant: all but the last
// are as long as the first, and together they are no longer than one datagram may be.
#pragma once

#include "lib/base/list.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace ringwire::loop {

struct Outgoing;
struct Queued;

/// The request of several datagrams. The first of them owns it, from when it is armed until it comes back; it
/// never moves, because the kernel reads it.
class Train {
 public:
  /// The most that each kernel with UDP_SEGMENT takes (UDP_MAX_SEGMENTS; later ones take 128).
  static constexpr std::size_t count_most = 64;
  /// Bytes of all of them: what one IPv4 datagram holds.
  static constexpr std::size_t size_most = 65'507;

  /// Only the first, which must not be empty.
  explicit Train(const Outgoing& first) noexcept;
  Train(const Train&) = delete;
  Train& operator=(const Train&) = delete;
  ~Train();

  /// May this one be the next?
  [[nodiscard]] bool takes(const Outgoing& next) const noexcept;
  /// Adds it; it stands in no list.
  void add(Outgoing& next) noexcept;
  /// Is there no place behind the last one?
  [[nodiscard]] bool is_full() const noexcept { return closed_ || count_ == count_most; }

  /// Those behind the first, in order.
  [[nodiscard]] base::List<Outgoing, Queued>& others() noexcept { return others_; }
  /// How many there are, the first included.
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  /// Bytes of all of them.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// How long each is but the last.
  [[nodiscard]] std::size_t segment_size() const noexcept { return segment_size_; }
  /// What sendmsg(2) is given: valid until the next `add`.
  [[nodiscard]] const msghdr& message() noexcept;

 private:
  std::uint16_t segment_size_;
  bool closed_ = false;  // The last one is shorter.
  std::size_t count_ = 1;
  std::size_t size_;
  base::List<Outgoing, Queued> others_;
  msghdr message_;
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(std::uint16_t))> control_{};
  std::array<iovec, count_most> pieces_;
};

}  // namespace ringwire::loop
