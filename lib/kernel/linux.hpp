// The real Linux behind the seam: io_uring through liburing, sockets, clock and threads through glibc.
//
// Holds no state of its own, so one object serves every engine of the process, on all threads. `Epoll` takes
// everything but the rings from it.
#pragma once

#include "lib/kernel/kernel.hpp"

namespace ringwire::kernel {

/// Linux 6.1 or later. What each call does is said in `Kernel`.
class Linux : public Kernel {
 public:
  int open_ring(io_uring& ring, unsigned entries, io_uring_params& params) noexcept override;
  void close_ring(io_uring& ring) noexcept override;
  int enter(io_uring& ring, unsigned submit_count, unsigned wait_count, unsigned flags,
            std::int64_t timeout) noexcept override;
  int register_ring(io_uring& ring, unsigned opcode, void* argument, unsigned count) noexcept override;
  int wake_ring(int ring_fd, std::uint64_t user_data) noexcept override;
  int forbid_new_rings() noexcept override;

  int open_socket(int family, int type, int protocol) noexcept override;
  int bind(int fd, const SocketName& name) noexcept override;
  int connect(int fd, const SocketName& name) noexcept override;
  int listen(int fd, int backlog) noexcept override;
  int accept(int fd) noexcept override;
  int set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept override;
  int get_option(int fd, int level, int name, void* value, socklen_t& size) noexcept override;
  int local_name(int fd, SocketName& name) noexcept override;
  int peer_name(int fd, SocketName& name) noexcept override;
  int shutdown(int fd, int how) noexcept override;
  int close(int fd) noexcept override;
  int resolve(const std::string& host, int family, std::vector<SocketName>& names) override;

  int identify_file(const char* path, FileIdentity& identity) noexcept override;
  int remove_file(const char* path) noexcept override;
  int duplicate(int fd) noexcept override;
  int process_id() noexcept override;

  int open_event() noexcept override;
  int signal_event(int fd) noexcept override;
  int open_signals() noexcept override;
  void close_signals(int fd) noexcept override;

  void* map_memory(std::size_t size) noexcept override;
  void unmap_memory(void* memory, std::size_t size) noexcept override;
  Nanoseconds now() noexcept override;
  std::uint64_t random() noexcept override;
  std::unique_ptr<Thread> start_thread(const std::string& name, int cpu, Task body) override;
  std::vector<int> cpus() override;
  std::uint64_t memlock_limit() noexcept override;
  std::uint64_t descriptors_limit() noexcept override;
  std::string environment(const char* name) override;
};

}  // namespace ringwire::kernel
