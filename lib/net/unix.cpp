// Names of unix sockets: sun_path is 108 bytes, a path ends with a NUL, an abstract name begins with one.
#include "lib/net/unix.hpp"

#include "lib/base/assert.hpp"

#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace ringwire::net {
namespace {

static_assert(sizeof(sockaddr_un::sun_path) == Address::unix_name_max);

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t text_max = Address::unix_name_max - 1;  // Of a path, or of what follows the @.

using Path = std::array<char, Address::unix_name_max>;

// The path with a NUL behind it.
Path terminated(const Address& address) noexcept {
  const std::string_view path = address.path();
  RINGWIRE_ASSERT(!path.empty() && path.size() <= text_max, "a path of {} bytes", path.size());
  Path text{};
  std::copy(path.begin(), path.end(), text.begin());
  return text;
}

// Nothing that would wait, and nothing a listener would take for a client for long: closed at once.
int try_connect(kernel::Kernel& kernel, const Address& address) noexcept {
  const int fd = kernel.open_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) return fd;
  const int result = kernel.connect(fd, to_unix_name(address));
  kernel.close(fd);
  return result;
}

}  // namespace

std::string_view fault_of_unix_name(std::string_view text) noexcept {
  if (text.empty()) return "the path is missing, as in unix:///run/server.sock";
  if (text.find('\0') != std::string_view::npos) return "a NUL ends the name";
  const bool is_abstract = text.front() == '@';
  if (is_abstract && text.size() == 1) return "the name after @ is missing";
  if (text.size() - (is_abstract ? 1 : 0) > text_max) {
    return is_abstract ? "an abstract name has at most 107 bytes" : "a path has at most 107 bytes here";
  }
  return {};
}

Address to_unix_address(std::string_view text) noexcept {
  RINGWIRE_ASSERT(fault_of_unix_name(text).empty(), "{}", fault_of_unix_name(text));
  Address address;
  address.family = Address::Family::unix_socket;
  address.unix_size = static_cast<std::uint8_t>(text.size());
  std::copy(text.begin(), text.end(), address.unix_bytes.begin());
  if (text.front() == '@') address.unix_bytes[0] = '\0';
  return address;
}

kernel::SocketName to_unix_name(const Address& address) noexcept {
  RINGWIRE_ASSERT(address.family == Address::Family::unix_socket);
  sockaddr_un plain{};
  plain.sun_family = AF_UNIX;
  std::memcpy(plain.sun_path, address.unix_bytes.data(), address.unix_size);
  kernel::SocketName name;
  std::memcpy(&name.storage, &plain, sizeof plain);
  const std::size_t end = address.path().empty() ? 0 : 1;
  name.size = static_cast<socklen_t>(path_offset + address.unix_size + end);
  return name;
}

Address to_unix_address(const kernel::SocketName& name) noexcept {
  RINGWIRE_ASSERT(name.storage.ss_family == AF_UNIX);
  Address address;
  address.family = Address::Family::unix_socket;
  std::size_t size = std::min<std::size_t>(name.size, sizeof(sockaddr_un));
  size = size > path_offset ? size - path_offset : 0;
  sockaddr_un plain{};
  std::memcpy(&plain, &name.storage, sizeof plain);
  if (plain.sun_path[0] != '\0') size = ::strnlen(plain.sun_path, size);
  std::memcpy(address.unix_bytes.data(), plain.sun_path, size);
  address.unix_size = static_cast<std::uint8_t>(size);
  return address;
}

Occupant evict_dead_socket(kernel::Kernel& kernel, const Address& address) noexcept {
  const Path path = terminated(address);
  kernel::FileIdentity before;
  int result = kernel.identify_file(path.data(), before);
  if (result == -ENOENT) return Occupant::nobody;
  if (result < 0) return Occupant::listener;
  if (!before.is_socket) return Occupant::file;

  if (try_connect(kernel, address) != -ECONNREFUSED) return Occupant::listener;
  // It may have been replaced while we asked.
  kernel::FileIdentity after;
  result = kernel.identify_file(path.data(), after);
  if (result < 0 || after != before) return Occupant::listener;
  return kernel.remove_file(path.data()) < 0 ? Occupant::listener : Occupant::nobody;
}

bool identify_socket_file(kernel::Kernel& kernel, const Address& address,
                          kernel::FileIdentity& identity) noexcept {
  return !address.path().empty() && kernel.identify_file(terminated(address).data(), identity) >= 0;
}

void remove_socket_file(kernel::Kernel& kernel, const Address& address,
                        const kernel::FileIdentity& identity) noexcept {
  const Path path = terminated(address);
  kernel::FileIdentity now;
  if (kernel.identify_file(path.data(), now) < 0 || now != identity) return;
  static_cast<void>(kernel.remove_file(path.data()));
}

}  // namespace ringwire::net
