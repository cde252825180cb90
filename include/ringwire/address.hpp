// The address of one end of a connection: an IP address and a port, or a unix socket's name, as a value.
//
// Leaves to others: parsing "tcp://…" (`run`, `LoopRef::connect`) and every socket call.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringwire {

/// An IPv4 or IPv6 address with a port, the name of a unix socket, or nothing yet.
///
/// A plain value: copy it, compare it, keep it; any thread.
///
/// Example: `log("{} connected", conn.remote_address().to_string());  // 127.0.0.1:51234`
struct Address {
  /// Which kind of address this is; `none` for a default-constructed one. (Not `unix`: compilers define that
  /// as 1.)
  enum class Family : std::uint8_t { none, ipv4, ipv6, unix_socket };

  /// Bytes a unix socket's name may have: 108, one of them the end of a path, or the NUL before an abstract
  /// name. Source: unix(7).
  static constexpr std::size_t unix_name_max = 108;

  Family family = Family::none;
  /// Host byte order. 0 asks the kernel to choose when listening.
  std::uint16_t port = 0;
  /// IPv6 zone (interface index) of a link-local address; 0 when there is none.
  std::uint32_t zone = 0;
  /// Network byte order; an IPv4 address uses the first four.
  std::array<std::uint8_t, 16> ip{};
  /// How many bytes of `unix_bytes` are the name; 0 = a client that has none, as most have.
  std::uint8_t unix_size = 0;
  /// The unix socket's name as the kernel has it: a path without its closing NUL, or a NUL and an abstract
  /// name. All others are 0.
  std::array<char, unix_name_max> unix_bytes{};

  /// "127.0.0.1", "::1", "fe80::1%2"; of a unix socket "/run/x.sock", "@name" or, unnamed, ""; "" for `none`.
  /// Throws only std::bad_alloc.
  [[nodiscard]] std::string host() const;

  /// "127.0.0.1:9000", "[::1]:9000", "unix:/run/x.sock", "unix:@name" (abstract), "unix:" (unnamed); "" for
  /// `none`. Throws only std::bad_alloc.
  [[nodiscard]] std::string to_string() const;

  /// The file of a unix socket; "" for an abstract or unnamed one, and for IP addresses. Points into this
  /// value.
  [[nodiscard]] std::string_view path() const noexcept {
    return unix_size == 0 || unix_bytes[0] == '\0' ? std::string_view{}
                                                   : std::string_view{unix_bytes.data(), unix_size};
  }

  /// Same family, address, zone, port and name.
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the 0 behind <=> for a pointer.
  friend auto operator<=>(const Address&, const Address&) = default;
};

}  // namespace ringwire
