// Reads an endpoint piece by piece; each fault has its own sentence, which names the address.
#include "lib/net/address.hpp"

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/net/unix.hpp"

#include <fmt/core.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

namespace ringwire::net {
namespace {

using Family = Endpoint::Family;
using Transport = Endpoint::Transport;

constexpr std::size_t host_size_max = 253;  // A DNS name's limit, RFC 1035.

struct Protocol {
  std::string_view name;
  Transport transport;
  Family family;
};

constexpr std::array protocols{
    Protocol{"tcp", Transport::stream, Family::any},
    Protocol{"tcp4", Transport::stream, Family::ipv4},
    Protocol{"tcp6", Transport::stream, Family::ipv6},
    Protocol{"udp", Transport::datagram, Family::any},
    Protocol{"udp4", Transport::datagram, Family::ipv4},
    Protocol{"udp6", Transport::datagram, Family::ipv6},
    Protocol{"unix", Transport::stream, Family::unix_socket},
};

const Protocol* find_protocol(std::string_view name) noexcept {
  for (const Protocol& protocol : protocols) {
    if (protocol.name == name) return &protocol;
  }
  return nullptr;
}

bool is_name_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_';
}

// "127.0.0.1", "fe80::1", "fe80::1%2" with port 0; nothing for names and for zones given by name.
std::optional<Address> parse_numeric(const std::string& host) {
  Address address;
  if (inet_pton(AF_INET, host.c_str(), address.ip.data()) == 1) {
    address.family = Address::Family::ipv4;
    return address;
  }
  const std::size_t percent = host.find('%');
  if (inet_pton(AF_INET6, host.substr(0, percent).c_str(), address.ip.data()) != 1) return std::nullopt;
  address.family = Address::Family::ipv6;
  if (percent != std::string::npos) {
    const auto zone = parse_number(std::string_view{host}.substr(percent + 1), UINT32_MAX);
    if (!zone) return std::nullopt;
    address.zone = *zone;
  }
  return address;
}

// An interface's name may be nearly anything; not what would end the brackets, or the line of a message.
bool is_zone_character(char c) noexcept {
  return c > ' ' && c <= '~' && c != '[' && c != ']' && c != '%';
}

// What is wrong with a host out of brackets; "" = nothing. Whether a name exists is the resolver's matter.
std::string_view fault_of_host(const std::string& host, Family family) {
  if (host.size() > host_size_max) return "the host is too long";
  if (!std::all_of(host.begin(), host.end(), is_name_character)) {
    return "the host has a character no host has";
  }
  if (family == Family::ipv6 && parse_numeric(host)) return "an IPv4 host does not fit tcp6 or udp6";
  return {};
}

// The same for one in brackets.
std::string_view fault_of_bracketed(const std::string& host, Family family) {
  if (family == Family::ipv4) return "an IPv6 host does not fit tcp4 or udp4";
  if (host.size() > host_size_max) return "the host is too long";
  const std::size_t percent = host.find('%');
  std::array<std::uint8_t, 16> ip{};
  const bool cut = host.find('\0') != std::string::npos;  // The C library would not see what follows.
  if (cut || inet_pton(AF_INET6, host.substr(0, percent).c_str(), ip.data()) != 1) {
    return "only an IPv6 address stands in brackets";
  }
  if (percent == std::string::npos) return {};
  if (percent + 1 == host.size()) return "the zone after % is missing";
  const auto zone = host.begin() + static_cast<std::ptrdiff_t>(percent) + 1;
  if (!std::all_of(zone, host.end(), is_zone_character))
    return "the zone after % has a character no zone has";
  return {};
}

// "host:port" or "[host]:port" cut in two; answers the fault.
std::string_view split(std::string_view text, std::string& host, std::string_view& port, bool& bracketed) {
  bracketed = text.starts_with('[');
  std::size_t colon = text.find(':');
  if (bracketed) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return "the closing bracket is missing";
    if (bracket + 1 < text.size() && text[bracket + 1] != ':') return "only a port may follow the brackets";
    host = text.substr(1, bracket - 1);
    colon = bracket + 1 < text.size() ? bracket + 1 : std::string_view::npos;
  } else {
    if (colon != text.rfind(':')) return "an IPv6 host must stand in brackets";
    host = text.substr(0, colon);
  }
  if (colon == std::string_view::npos) return "the port is missing";
  port = text.substr(colon + 1);
  return port.empty() ? "the port is missing" : std::string_view{};
}

std::error_code parse_unix(std::string_view url, std::string_view text, Endpoint& out) {
  if (const std::string_view fault = fault_of_unix_name(text); !fault.empty())
    return invalid_address(url, fault);
  out = {Family::unix_socket, Endpoint::Transport::stream, std::string{text}, 0, std::string{url}};
  return {};
}

Address any_address(Address::Family family, std::uint16_t port) noexcept {
  Address address;
  address.family = family;
  address.port = port;
  return address;
}

}  // namespace

std::error_code invalid_address(std::string_view url, std::string_view fault) {
  return base::fail(Error::invalid_address, fmt::format("{}: {}", url, fault));
}

std::optional<std::uint32_t> parse_number(std::string_view text, std::uint32_t max) noexcept {
  std::uint32_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || number > max) return std::nullopt;
  return number;
}

std::error_code parse_endpoint(std::string_view url, Endpoint& out) {
  const std::size_t mark = url.find("://");
  if (mark == std::string_view::npos)
    return invalid_address(url, "the protocol is missing, as in tcp://host:port");
  const Protocol* protocol = find_protocol(url.substr(0, mark));
  if (protocol == nullptr) {
    return base::fail(Error::unsupported_protocol,
                      fmt::format("{}: unsupported protocol \"{}\"", url, url.substr(0, mark)));
  }

  const std::string_view rest = url.substr(mark + 3);
  if (protocol->family == Family::unix_socket) return parse_unix(url, rest, out);
  if (rest.empty()) return invalid_address(url, "host and port are missing");
  if (rest.find('/') != std::string_view::npos) return invalid_address(url, "a path has no meaning here");

  Endpoint endpoint{protocol->family, protocol->transport, {}, 0, std::string{url}};
  std::string_view port_text;
  bool bracketed = false;
  std::string_view fault = split(rest, endpoint.host, port_text, bracketed);
  if (fault.empty()) {
    fault = bracketed ? fault_of_bracketed(endpoint.host, protocol->family)
                      : fault_of_host(endpoint.host, protocol->family);
  }
  if (!fault.empty()) return invalid_address(url, fault);

  const auto port = parse_number(port_text, UINT16_MAX);
  if (!port) return invalid_address(url, "the port is not a number from 0 to 65535");
  endpoint.port = static_cast<std::uint16_t>(*port);
  out = std::move(endpoint);
  return {};
}

std::error_code resolve(kernel::Kernel& kernel, const Endpoint& endpoint, std::vector<Address>& out) {
  if (endpoint.family == Family::unix_socket) {
    out.push_back(to_unix_address(endpoint.host));
    return {};
  }
  if (endpoint.host.empty()) {
    if (endpoint.family != Family::ipv4) out.push_back(any_address(Address::Family::ipv6, endpoint.port));
    if (endpoint.family != Family::ipv6) out.push_back(any_address(Address::Family::ipv4, endpoint.port));
    return {};
  }
  if (auto address = parse_numeric(endpoint.host)) {
    address->port = endpoint.port;
    out.push_back(*address);
    return {};
  }

  const int family = endpoint.family == Family::any    ? AF_UNSPEC
                     : endpoint.family == Family::ipv4 ? AF_INET
                                                       : AF_INET6;
  std::vector<kernel::SocketName> names;
  const int result = kernel.resolve(endpoint.host, family, names);
  if (result < 0 && result != -ENOENT) {
    const std::error_code code = base::to_error(result);
    return base::fail(code, fmt::format("{}: {}", endpoint.text, code.message()));
  }
  const auto begin = static_cast<std::ptrdiff_t>(out.size());
  for (const kernel::SocketName& name : names) {
    Address address = to_address(name);
    address.port = endpoint.port;
    if (address.family != Address::Family::none) out.push_back(address);
  }
  if (static_cast<std::ptrdiff_t>(out.size()) == begin) {
    return invalid_address(endpoint.text, fmt::format("the name \"{}\" has no address", endpoint.host));
  }
  std::stable_partition(out.begin() + begin, out.end(),
                        [](const Address& address) { return address.family == Address::Family::ipv4; });
  return {};
}

Address host_of(const Address& address) noexcept {
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (address.family == Address::Family::unix_socket) return {};
  Address host = address;
  host.port = 0;
  if (host.family == Address::Family::ipv6 && std::equal(mapped.begin(), mapped.end(), host.ip.begin())) {
    host.family = Address::Family::ipv4;
    host.zone = 0;
    std::copy_n(address.ip.begin() + mapped.size(), 4, host.ip.begin());
    std::fill(host.ip.begin() + 4, host.ip.end(), std::uint8_t{0});
  }
  return host;
}

kernel::SocketName to_name(const Address& address) noexcept {
  RINGWIRE_ASSERT(address.family != Address::Family::none);
  if (address.family == Address::Family::unix_socket) return to_unix_name(address);
  kernel::SocketName name;
  if (address.family == Address::Family::ipv4) {
    sockaddr_in plain{};
    plain.sin_family = AF_INET;
    plain.sin_port = htons(address.port);
    std::memcpy(&plain.sin_addr, address.ip.data(), sizeof plain.sin_addr);
    std::memcpy(&name.storage, &plain, sizeof plain);
    name.size = sizeof plain;
  } else {
    sockaddr_in6 plain{};
    plain.sin6_family = AF_INET6;
    plain.sin6_port = htons(address.port);
    plain.sin6_scope_id = address.zone;
    std::memcpy(&plain.sin6_addr, address.ip.data(), sizeof plain.sin6_addr);
    std::memcpy(&name.storage, &plain, sizeof plain);
    name.size = sizeof plain;
  }
  return name;
}

Address to_address(const kernel::SocketName& name) noexcept {
  if (name.storage.ss_family == AF_UNIX) return to_unix_address(name);
  Address address;
  if (name.storage.ss_family == AF_INET && name.size >= sizeof(sockaddr_in)) {
    sockaddr_in plain{};
    std::memcpy(&plain, &name.storage, sizeof plain);
    address.family = Address::Family::ipv4;
    address.port = ntohs(plain.sin_port);
    std::memcpy(address.ip.data(), &plain.sin_addr, sizeof plain.sin_addr);
  } else if (name.storage.ss_family == AF_INET6 && name.size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 plain{};
    std::memcpy(&plain, &name.storage, sizeof plain);
    address.family = Address::Family::ipv6;
    address.port = ntohs(plain.sin6_port);
    address.zone = plain.sin6_scope_id;
    std::memcpy(address.ip.data(), &plain.sin6_addr, sizeof plain.sin6_addr);
  }
  return address;
}

}  // namespace ringwire::net
