// An address as text: IP addresses in the one spelling that RFC 5952 recommends.
//
// Leaves to others: reading text (`lib/net`).
#include <ringwire/address.hpp>

#include <fmt/core.h>

#include <cstddef>
#include <string>

namespace ringwire {
namespace {

constexpr int groups_count = 8;

// A run of zero groups: [begin, end).
struct Run {
  int begin = 0;
  int end = 0;
};

unsigned group(const Address& address, int index) {
  const auto at = static_cast<std::size_t>(index) * 2;
  return static_cast<unsigned>(address.ip[at]) << 8 | address.ip[at + 1];
}

// The longest run of at least two zero groups, the first of equals; it is written as "::".
Run longest_zero_run(const Address& address) {
  Run best;
  for (int begin = 0; begin < groups_count; ++begin) {
    int end = begin;
    while (end < groups_count && group(address, end) == 0) ++end;
    if (end - begin >= 2 && end - begin > best.end - best.begin) best = {begin, end};
  }
  return best;
}

// ::ffff:a.b.c.d, an IPv4 peer on a socket that takes both.
bool is_mapped_ipv4(const Address& address) {
  for (int index = 0; index < 5; ++index) {
    if (group(address, index) != 0) return false;
  }
  return group(address, 5) == 0xFFFF;
}

void append_ipv4(std::string& out, const std::uint8_t* ip) {
  out += fmt::format("{}.{}.{}.{}", ip[0], ip[1], ip[2], ip[3]);
}

void append_ipv6(std::string& out, const Address& address) {
  if (is_mapped_ipv4(address)) {
    out += "::ffff:";
    append_ipv4(out, &address.ip[12]);
  } else {
    const Run zeros = longest_zero_run(address);
    for (int index = 0; index < groups_count; ++index) {
      if (index == zeros.begin && zeros.end > 0) {
        out += "::";
        index = zeros.end - 1;
        continue;
      }
      const bool first = index == 0 || (zeros.end > 0 && index == zeros.end);
      out += fmt::format("{}{:x}", first ? "" : ":", group(address, index));
    }
  }
  if (address.zone != 0) out += fmt::format("%{}", address.zone);
}

}  // namespace

std::string Address::host() const {
  std::string out;
  if (family == Family::unix_socket) {
    out.assign(unix_bytes.data(), unix_size);
    if (!out.empty() && out.front() == '\0') out.front() = '@';
  }
  if (family == Family::ipv4) append_ipv4(out, ip.data());
  if (family == Family::ipv6) append_ipv6(out, *this);
  return out;
}

std::string Address::to_string() const {
  switch (family) {
    case Family::none:
      return {};
    case Family::ipv4:
      return fmt::format("{}:{}", host(), port);
    case Family::ipv6:
      return fmt::format("[{}]:{}", host(), port);
    case Family::unix_socket:
      return "unix:" + host();
  }
  return {};
}

}  // namespace ringwire
