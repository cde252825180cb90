// Who can be reached by which name: listeners on ports, at paths and under abstract names, and places
// outside.
#include "lib/base/assert.hpp"
#include "lib/kernel/sim/sim_kernel.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace ringwire::kernel::sim {

// ---- the driver's side

std::shared_ptr<Stream> SimKernel::connect(std::uint16_t port) {
  const auto all = files_.listeners(port);
  if (all.empty()) return nullptr;
  // Which of several is a matter of hashes: anyone's guess.
  const auto& listener = all[all.size() == 1 ? 0 : choices_.draw(static_cast<std::uint32_t>(all.size()))];
  const std::uint16_t from = next_port_++;
  const auto host = static_cast<std::uint8_t>(1 + from % client_hosts_);
  return queue_client(listener, loopback_name(from, host), loopback_name(port));
}

std::shared_ptr<Stream> SimKernel::connect(const SocketName& name) {
  const std::shared_ptr<File> listener = unix_listener(name);
  return listener == nullptr ? nullptr : queue_client(listener, unix_name({}), name);
}

std::shared_ptr<Stream> SimKernel::queue_client(const std::shared_ptr<File>& listener, const SocketName& from,
                                                const SocketName& to) {
  if (listener->shut_down || listener->backlog.size() >= listener->backlog_max) return nullptr;
  auto stream = std::make_shared<Stream>(stream_capacity_);
  stream->names = {from, to};
  listener->backlog.push_back(stream);
  return stream;
}

void SimKernel::leave_file(const std::string& path, bool is_socket) {
  paths_[path] = {1, next_inode_++, is_socket};
}

Remote SimKernel::remote_at(const SocketName& name) const {
  if (name.storage.ss_family == AF_UNIX) {
    const auto found = unix_remotes_.find(std::string{unix_bytes(name)});
    return found == unix_remotes_.end() ? Remote::refuses : found->second;
  }
  const auto found = remotes_.find(port_of(name));
  return found == remotes_.end() ? Remote::refuses : found->second;
}

// ---- names of unix sockets

std::shared_ptr<File> SimKernel::unix_listener(const SocketName& name) const {
  const std::string bytes{unix_bytes(name)};
  const auto path = paths_.find(bytes);
  return files_.find_if([&](const File& file) {
    if (file.kind != File::Kind::listener || file.name.storage.ss_family != AF_UNIX) return false;
    if (file.inode != 0) return path != paths_.end() && path->second.inode == file.inode;
    return unix_bytes(file.name) == bytes;
  });
}

int SimKernel::bind_unix(File& file, const SocketName& name) {
  const std::string bytes{unix_bytes(name)};
  if (bytes.empty()) return -EINVAL;
  if (bytes.front() == '\0') {
    const auto taken = files_.find_if([&](const File& other) {
      return other.name.storage.ss_family == AF_UNIX && unix_bytes(other.name) == bytes;
    });
    if (taken != nullptr) return -EADDRINUSE;
  } else {
    if (paths_.contains(bytes)) return -EADDRINUSE;
    leave_file(bytes, true);
    file.inode = paths_[bytes].inode;
  }
  file.name = name;
  return 0;
}

// What a client would find: it is not kept, as nobody above connects this way to stay.
int SimKernel::connect(int fd, const SocketName& name) noexcept {
  const auto file = files_.find(fd);
  if (file == nullptr) return -EBADF;
  if (refused()) return -EACCES;
  if (file->datagrams != nullptr) {
    const std::uint16_t port = next_port_++;
    const int result = datagrams_.bind(file->datagrams, port);
    if (result < 0) return result;
    file->name = loopback_name(port);
    file->datagrams->peer = port_of(name);
    return 0;
  }
  const std::string bytes{unix_bytes(name)};
  if (!bytes.empty() && bytes.front() != '\0' && !paths_.contains(bytes)) return -ENOENT;
  return unix_listener(name) == nullptr ? -ECONNREFUSED : 0;
}

int SimKernel::accept(int fd) noexcept {
  const auto file = files_.find(fd);
  if (file == nullptr) return -EBADF;
  if (file->kind != File::Kind::listener) return -EINVAL;
  if (refused() || !files_.has_room()) return -EMFILE;
  if (file->backlog.empty()) return -EAGAIN;
  auto accepted = std::make_shared<File>(File::Kind::stream);
  accepted->stream = std::move(file->backlog.front());
  file->backlog.pop_front();
  return files_.add(std::move(accepted));
}

int SimKernel::identify_file(const char* path, FileIdentity& identity) noexcept {
  if (refused()) return -EACCES;
  const auto found = paths_.find(path);
  if (found == paths_.end()) return -ENOENT;
  identity = found->second;
  return 0;
}

int SimKernel::remove_file(const char* path) noexcept {
  if (refused()) return -EACCES;
  return paths_.erase(path) == 1 ? 0 : -ENOENT;
}

int SimKernel::duplicate(int fd) noexcept {
  const auto file = files_.find(fd);
  if (file == nullptr) return -EBADF;
  if (refused()) return -EMFILE;
  return files_.add(file);
}

}  // namespace ringwire::kernel::sim
