// The address of one end of a connection: an IP address and a port, as a value.
//
// Leaves to others: parsing "tcp://…" (`run`, `LoopRef::connect`) and every socket call.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

namespace ringwire {

/// An IPv4 or IPv6 address with a port, or nothing yet.
///
/// A plain value: copy it, compare it, keep it; any thread.
///
/// Example: `log("{} connected", conn.remote_address().to_string());  // 127.0.0.1:51234`
struct Address {
  /// Which kind of address this is; `none` for a default-constructed one.
  enum class Family : std::uint8_t { none, ipv4, ipv6 };

  Family family = Family::none;
  /// Host byte order. 0 asks the kernel to choose when listening.
  std::uint16_t port = 0;
  /// IPv6 zone (interface index) of a link-local address; 0 when there is none.
  std::uint32_t zone = 0;
  /// Network byte order; an IPv4 address uses the first four.
  std::array<std::uint8_t, 16> ip{};

  /// "127.0.0.1", "::1", "fe80::1%2"; "" for `none`. Throws only std::bad_alloc.
  [[nodiscard]] std::string host() const;

  /// "127.0.0.1:9000", "[::1]:9000"; "" for `none`. Throws only std::bad_alloc.
  [[nodiscard]] std::string to_string() const;

  /// Same family, address, zone and port.
  friend auto operator<=>(const Address&, const Address&) = default;
};

}  // namespace ringwire
