// The calls that are no ring's: sockets, events, memory, limits. Each can be told to fail.
#include "lib/base/assert.hpp"
#include "lib/kernel/sim/errors.hpp"
#include "lib/kernel/sim/sim_kernel.hpp"

#include <fmt/format.h>

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

namespace ringwire::kernel::sim {
namespace {

constexpr std::size_t page_size = 4096;

}  // namespace

SimKernel::~SimKernel() {
  for (const auto& [memory, size] : maps_) std::free(memory);
}

// ---- the driver's side

void SimKernel::set_ring_features(unsigned features, bool wakes) noexcept {
  ring_features_ = features | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;
  wakes_ = wakes;
}

void SimKernel::set_time(Nanoseconds now) noexcept {
  RINGWIRE_ASSERT(now >= time_, "time goes back from {} to {}", time_, now);
  time_ = now;
}

void SimKernel::fail_call(std::uint64_t nth, bool for_good) noexcept {
  failing_from_ = calls_ + nth;
  failing_for_good_ = for_good;
}

bool SimKernel::refused() noexcept {
  const std::uint64_t number = calls_++;
  if (number == failing_from_ || (failing_for_good_ && number > failing_from_)) {
    faults_.note(Fault::call_fails);
    return true;
  }
  return faults_.happens(Fault::call_fails);
}

void SimKernel::violate(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

std::string SimKernel::describe(const Operation& operation) const {
  const Request& request = operation.request;
  return fmt::format("{} fd {} user_data {:x}{}", opcode_name(request.opcode), request.fd, request.user_data,
                     operation.doomed ? " (cancelled)" : "");
}

std::string SimKernel::describe_all() const {
  std::string all;
  for (const auto& operation : operations_) all += (all.empty() ? "" : ", ") + describe(*operation);
  return all.empty() ? "no operation" : all;
}

std::vector<std::shared_ptr<Stream>> SimKernel::take_connected() noexcept {
  return std::exchange(connected_, {});
}

// ---- sockets

int SimKernel::open_socket(int /*family*/, int type, int /*protocol*/) noexcept {
  if (refused()) return -ENOBUFS;
  const bool datagrams = type == SOCK_DGRAM;
  auto file = std::make_shared<File>(datagrams ? File::Kind::datagram : File::Kind::socket);
  if (datagrams) file->datagrams = std::make_shared<DatagramEnd>();
  return files_.add(std::move(file));
}

int SimKernel::bind(int fd, const SocketName& name) noexcept {
  if (refused()) return -EACCES;
  const auto file = files_.find(fd);
  if (file == nullptr) return -EBADF;
  if (name.storage.ss_family == AF_UNIX) return bind_unix(*file, name);
  if (file->datagrams != nullptr) {
    const std::uint16_t port = port_of(name) == 0 ? next_port_++ : port_of(name);
    const int result = datagrams_.bind(file->datagrams, port);
    if (result == 0) file->name = loopback_name(port);
    return result;
  }
  if (port_of(name) == 0) {
    file->name = loopback_name(next_port_++);
    return 0;
  }
  for (const auto& other : files_.listeners(port_of(name))) {
    if (!other->reuse_port || !file->reuse_port) return -EADDRINUSE;
  }
  file->name = name;
  return 0;
}

int SimKernel::listen(int fd, int backlog) noexcept {
  if (refused()) return -EADDRINUSE;
  const auto file = files_.find(fd);
  if (file == nullptr) return -EBADF;
  file->kind = File::Kind::listener;
  file->backlog_max = static_cast<std::size_t>(std::max(backlog, 1));
  return 0;
}

int SimKernel::set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  const auto file = files_.find(fd);
  if (file == nullptr) return -EBADF;
  if (refused()) {
    if (file->stream != nullptr) file->stream->hurt = true;
    return -EINVAL;
  }
  if (level == SOL_SOCKET && name == SO_LINGER && size == sizeof(linger)) {
    const auto& wish = *static_cast<const linger*>(value);
    file->reset_on_close = wish.l_onoff != 0 && wish.l_linger == 0;
  }
  if (level == SOL_SOCKET && name == SO_REUSEPORT && size == sizeof(int)) {
    file->reuse_port = *static_cast<const int*>(value) != 0;
    if (file->datagrams != nullptr) file->datagrams->reuse_port = file->reuse_port;
  }
  if (level == SOL_UDP && name == UDP_GRO && size == sizeof(int) && file->datagrams != nullptr) {
    file->datagrams->joins = *static_cast<const int*>(value) != 0;
  }
  return 0;
}

int SimKernel::get_option(int fd, int level, int name, void* value, socklen_t& size) noexcept {
  const auto file = files_.find(fd);
  if (file == nullptr) return -EBADF;
  std::memset(value, 0, size);
  if (level != SOL_SOCKET || size < sizeof(int)) return 0;
  int number = 0;
  if (name == SO_TYPE && file->kind <= File::Kind::stream) number = SOCK_STREAM;
  if (name == SO_TYPE && file->kind == File::Kind::datagram) number = SOCK_DGRAM;
  if (name == SO_ACCEPTCONN && file->kind == File::Kind::listener) number = 1;
  std::memcpy(value, &number, sizeof number);
  return 0;
}

int SimKernel::local_name(int fd, SocketName& name) noexcept {
  const auto file = files_.find(fd);
  if (file == nullptr) return -EBADF;
  if (refused()) return -ENOBUFS;
  name = file->stream != nullptr ? file->stream->names[file->side] : file->name;
  return 0;
}

int SimKernel::peer_name(int fd, SocketName& name) noexcept {
  const auto file = files_.find(fd);
  if (file == nullptr) return -EBADF;
  if (file->stream == nullptr || file->stream->is_reset(file->side) || refused()) return -ENOTCONN;
  name = file->stream->names[1 - file->side];
  return 0;
}

int SimKernel::shutdown(int fd, int how) noexcept {
  const auto file = files_.find(fd);
  if (file == nullptr) return -EBADF;
  if (file->kind == File::Kind::listener) {
    file->shut_down = true;
    return 0;
  }
  if (file->stream == nullptr) return -ENOTCONN;
  if (refused()) {
    file->stream->hurt = true;
    return -ENOTCONN;
  }
  return how == SHUT_RD ? 0 : file->stream->shut_write(file->side);
}

int SimKernel::close(int fd) noexcept {
  return files_.close(fd);
}

int SimKernel::resolve(const std::string& host, int family, std::vector<SocketName>& names) {
  if (refused() || host != "localhost" || family == AF_INET6) return -ENOENT;  // It has IPv4 only.
  names.push_back(loopback_name(0));
  return 0;
}

// ---- events

int SimKernel::open_event() noexcept {
  if (refused()) return -EMFILE;
  return files_.add(std::make_shared<File>(File::Kind::event));
}

int SimKernel::signal_event(int fd) noexcept {
  const auto file = files_.find(fd);
  if (file == nullptr || file->kind != File::Kind::event) return -EBADF;
  ++file->counter;
  return 0;
}

int SimKernel::open_signals() noexcept {
  if (refused()) return -EMFILE;
  return files_.add(std::make_shared<File>(File::Kind::signals));
}

void SimKernel::close_signals(int fd) noexcept {
  files_.close(fd);
}

// ---- memory and the rest

void* SimKernel::map_memory(std::size_t size) noexcept {
  if (refused()) return nullptr;
  // Rounded up to whole pages for the allocator; handed out exactly, so that a sanitizer sees one byte too
  // many.
  void* memory = nullptr;
  if (::posix_memalign(&memory, page_size, size) != 0) return nullptr;
  std::memset(memory, 0, size);
  try {
    maps_.emplace(memory, size);
  } catch (const std::bad_alloc&) {
    std::free(memory);
    return nullptr;
  }
  return memory;
}

void SimKernel::unmap_memory(void* memory, std::size_t size) noexcept {
  const auto found = maps_.find(memory);
  RINGWIRE_ASSERT(found != maps_.end(), "memory that was never mapped");
  RINGWIRE_ASSERT(found->second == size, "{} bytes of {} unmapped", size, found->second);
  maps_.erase(found);
  std::free(memory);
}

std::unique_ptr<Thread> SimKernel::start_thread(const std::string& /*name*/, int /*cpu*/, Task /*body*/) {
  // A simulation has one thread; its driver runs the laps.
  throw std::system_error{std::make_error_code(std::errc::operation_not_supported)};
}

std::vector<int> SimKernel::cpus() {
  std::vector<int> all;
  all.reserve(static_cast<std::size_t>(cpus_));
  for (int cpu = 0; cpu < cpus_; ++cpu) all.push_back(cpu);
  return all;
}

std::string SimKernel::environment(const char* name) {
  const auto found = variables_.find(name);
  return found == variables_.end() ? std::string{} : found->second;
}

}  // namespace ringwire::kernel::sim
