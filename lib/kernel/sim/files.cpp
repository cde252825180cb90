// Opening, finding and closing by number.
#include "lib/kernel/sim/files.hpp"

#include "lib/base/assert.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace ringwire::kernel::sim {

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
  for (const auto& file : table_) {
    if (file != nullptr && file->kind == File::Kind::listener && port_of(file->name) == port) return file;
  }
  return nullptr;
}

std::uint16_t port_of(const SocketName& name) noexcept {
  sockaddr_in plain{};  // sin_port and sin6_port stand at the same place.
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  std::memcpy(&plain, &name.storage, sizeof(plain));
  return ntohs(plain.sin_port);
}

SocketName loopback_name(std::uint16_t port) noexcept {
  sockaddr_in plain{};
  plain.sin_family = AF_INET;
  plain.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  plain.sin_port = htons(port);
  SocketName name;
  std::memcpy(&name.storage, &plain, sizeof(plain));
  name.size = sizeof(plain);
  return name;
}

}  // namespace ringwire::kernel::sim
