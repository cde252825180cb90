// Opening, finding and closing by number.
#include "lib/kernel/sim/files.hpp"

#include "lib/base/assert.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ringwire::kernel::sim {

namespace {

bool listens_on(const File& file, std::uint16_t port) noexcept {
  return file.kind == File::Kind::listener && file.name.storage.ss_family != AF_UNIX &&
         port_of(file.name) == port;
}

}  // namespace

File::~File() {
  if (stream != nullptr) stream->close(side, reset_on_close);
  for (const auto& waiting : backlog) waiting->close(1, true);
}

int Files::add(std::shared_ptr<File> file) {
  if (!has_room()) return -EMFILE;
  std::size_t index = 0;
  while (index < table_.size() && table_[index] != nullptr) ++index;
  if (index == table_.size()) table_.emplace_back();
  table_[index] = std::move(file);
  ++count_;
  return static_cast<int>(index + first);
}

std::shared_ptr<File> Files::find(int fd) const noexcept {
  if (fd < static_cast<int>(first) || static_cast<std::size_t>(fd) - first >= table_.size()) return nullptr;
  return table_[static_cast<std::size_t>(fd) - first];
}

int Files::close(int fd) noexcept {
  if (find(fd) == nullptr) return -EBADF;
  RINGWIRE_ASSERT(count_ > 0);
  --count_;
  table_[static_cast<std::size_t>(fd) - first] = nullptr;
  return 0;
}

std::shared_ptr<File> Files::listener(std::uint16_t port) const noexcept {
  return find_if([port](const File& file) { return listens_on(file, port); });
}

std::vector<std::shared_ptr<File>> Files::listeners(std::uint16_t port) const {
  std::vector<std::shared_ptr<File>> found;
  for (const auto& file : table_) {
    // Descriptors for the same socket are one listener.
    const bool known = std::find(found.begin(), found.end(), file) != found.end();
    if (file != nullptr && listens_on(*file, port) && !known) found.push_back(file);
  }
  return found;
}

std::uint16_t port_of(const SocketName& name) noexcept {
  if (name.storage.ss_family == AF_UNIX) return 0;
  sockaddr_in plain{};  // sin_port and sin6_port stand at the same place.
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  std::memcpy(&plain, &name.storage, sizeof(plain));
  return ntohs(plain.sin_port);
}

std::string_view unix_bytes(const SocketName& name) noexcept {
  constexpr std::size_t offset = offsetof(sockaddr_un, sun_path);
  if (name.storage.ss_family != AF_UNIX || name.size <= offset) return {};
  const auto* bytes = reinterpret_cast<const char*>(&name.storage) + offset;
  const std::size_t size = name.size - offset;
  return bytes[0] == '\0' ? std::string_view{bytes, size} : std::string_view{bytes, ::strnlen(bytes, size)};
}

SocketName unix_name(std::string_view bytes) noexcept {
  sockaddr_un plain{};
  plain.sun_family = AF_UNIX;
  RINGWIRE_ASSERT(bytes.size() < sizeof(plain.sun_path), "{} bytes", bytes.size());
  bytes.copy(plain.sun_path, bytes.size());
  const std::size_t end = bytes.empty() || bytes.front() == '\0' ? 0 : 1;
  SocketName name;
  std::memcpy(&name.storage, &plain, sizeof(plain));
  name.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + bytes.size() + end);
  return name;
}

SocketName loopback_name(std::uint16_t port, std::uint8_t host) noexcept {
  sockaddr_in plain{};
  plain.sin_family = AF_INET;
  plain.sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xFFU) | host);
  plain.sin_port = htons(port);
  SocketName name;
  std::memcpy(&name.storage, &plain, sizeof(plain));
  name.size = sizeof(plain);
  return name;
}

}  // namespace ringwire::kernel::sim
