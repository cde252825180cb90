// Which optional kernel features a ring, or a datagram socket, uses, and how to take them away.
//
// Each is tried on the ring or the socket itself, never read off a version number. Names are what
// `Options::mask` and RINGWIRE_MASK take.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace ringwire::uring {

/// A feature that newer kernels have and we can do without.
enum class Feature : std::uint8_t {
  /// Completions are delivered when we enter, without interrupting us. Linux 6.1. Without: COOP_TASKRUN.
  defer_taskrun,
  /// The ring's descriptor need not be looked up on each enter. Linux 5.18. Without: a little slower.
  registered_ring,
  /// An idle loop does not show as waiting for I/O. Linux 6.15. Without: it does, and costs nothing.
  no_iowait,
  /// A thread without a ring posts to one (synchronous MSG_RING). Linux 6.13. Without: an eventfd.
  wake_ring,
  /// A multishot receive ends after so many bytes. Linux 6.17. Without: it brings what 33 buffers hold in one
  /// lap, and the loop's other connections wait longer for their turn.
  recv_credit,
  /// Datagrams of one length to one peer leave in one send, which the kernel cuts. Linux 4.18; of sockets.
  /// Without: a send for each.
  udp_segment,
  /// Datagrams of one length of one peer come in one receive. Linux 5.0; of sockets. Without: one for each.
  udp_gro,
};

/// How many there are.
inline constexpr std::size_t features_count = 7;

/// A set of features. A value.
class Features {
 public:
  /// None.
  constexpr Features() noexcept = default;
  /// Every one.
  [[nodiscard]] static constexpr Features all() noexcept {
    Features set;
    set.bits_ = (1U << features_count) - 1;
    return set;
  }

  /// Those that a datagram socket has; a ring knows nothing of them.
  [[nodiscard]] static constexpr Features of_sockets() noexcept {
    Features set;
    set.bits_ = bit(Feature::udp_segment) | bit(Feature::udp_gro);
    return set;
  }

  /// Those that a ring has.
  [[nodiscard]] static constexpr Features of_rings() noexcept {
    Features set = all();
    set.remove(of_sockets());
    return set;
  }

  /// Is it in the set?
  [[nodiscard]] constexpr bool has(Feature feature) const noexcept { return (bits_ & bit(feature)) != 0; }
  /// Puts it in.
  constexpr void add(Feature feature) noexcept { bits_ |= bit(feature); }
  /// Puts all of `other` in.
  constexpr void add(Features other) noexcept { bits_ |= other.bits_; }
  /// Takes it out.
  constexpr void remove(Feature feature) noexcept { bits_ &= ~bit(feature); }
  /// Takes all of `mask` out.
  constexpr void remove(Features mask) noexcept { bits_ &= ~mask.bits_; }

  /// "defer_taskrun no_iowait", or "none". May throw bad_alloc.
  [[nodiscard]] std::string to_string() const;

  /// Equal when the same features are in.
  friend constexpr bool operator==(Features, Features) noexcept = default;

 private:
  static constexpr unsigned bit(Feature feature) noexcept { return 1U << static_cast<unsigned>(feature); }

  unsigned bits_ = 0;
};

/// Adds the features named in `text` ("all", or names separated by commas) to `mask`. An unknown name is
/// `Error::invalid_option`, and `explain` lists the known ones.
[[nodiscard]] std::error_code parse_mask(std::string_view text, Features& mask);

}  // namespace ringwire::uring
