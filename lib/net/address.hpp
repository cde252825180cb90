// From "tcp://host:port" or "unix://path" to socket addresses, and between ringwire's addresses and the
// kernel's.
//
// Leaves to others: sockets (`listener.hpp`), and an address as text (`ringwire::Address`). Invariant: a
// parsed endpoint has a supported protocol, a port, and a host that fits the protocol.
#pragma once

#include <ringwire/address.hpp>

#include "lib/kernel/kernel.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace ringwire::net {

/// What a user wrote to name a place to listen on or to connect to.
struct Endpoint {
  /// Which IP versions the protocol allows: tcp and udp any, tcp4 and udp4 ipv4, tcp6 and udp6 ipv6; or a
  /// unix socket.
  enum class Family : std::uint8_t { any, ipv4, ipv6, unix_socket };

  /// What is spoken there: connections (tcp), or datagrams without any (udp).
  enum class Transport : std::uint8_t { stream, datagram };

  Family family = Family::any;
  Transport transport = Transport::stream;
  /// A name or a numeric address without brackets; "" = every address of this host.
  /// Of a unix socket its path, or "@" and an abstract name.
  std::string host;
  /// 0 = the kernel's choice.
  std::uint16_t port = 0;
  /// As it was written, for messages.
  std::string text;
};

/// `Error::invalid_address`, with the url and its fault as detail. May throw bad_alloc.
[[nodiscard]] std::error_code invalid_address(std::string_view url, std::string_view fault);

/// All of `text` as a number of at most `max`, digits only.
[[nodiscard]] std::optional<std::uint32_t> parse_number(std::string_view text, std::uint32_t max) noexcept;

/// Reads "tcp://host:port", also tcp4, tcp6, udp, udp4 and udp6, IPv6 hosts in brackets; "unix://path",
/// "unix://@name". `out` is untouched on failure.
///
/// Failure: `Error::invalid_address` or `Error::unsupported_protocol`, with the address and its fault as
/// detail. May throw bad_alloc.
[[nodiscard]] std::error_code parse_endpoint(std::string_view url, Endpoint& out);

/// Appends the addresses of an endpoint, the one to try first in front.
///
/// A unix socket has one. A numeric or empty host never reaches the kernel. No host: all IPv6 addresses, then
/// all IPv4. A name that has both is answered IPv4 first, as gnet does. May block on a name; may throw
/// bad_alloc.
[[nodiscard]] std::error_code resolve(kernel::Kernel& kernel, const Endpoint& endpoint,
                                      std::vector<Address>& out);

/// Whose address it is: port 0, and an IPv4 host in IPv6 clothes (::ffff:1.2.3.4) as IPv4. Empty for a unix
/// socket.
[[nodiscard]] Address host_of(const Address& address) noexcept;

/// An address as the kernel takes it; it must not be empty.
[[nodiscard]] kernel::SocketName to_name(const Address& address) noexcept;

/// An address of the kernel; empty when it is neither IPv4 nor IPv6 nor a unix socket's.
[[nodiscard]] Address to_address(const kernel::SocketName& name) noexcept;

}  // namespace ringwire::net
