// The simulated kernel as the engine sees it when allocations fail: what the kernel allocates is not counted.
//
// Leaves to others: everything else; each call is passed on unchanged.
#pragma once

#include <ringwire/function.hpp>

#include "lib/kernel/kernel.hpp"
#include "tests/support/failing_new.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ringwire::test {

/// Passes each call on.
class PausingKernel final : public kernel::Kernel {
 public:
  /// `kernel` outlives it.
  explicit PausingKernel(kernel::Kernel& kernel) noexcept : kernel_{kernel} {}

  int open_ring(io_uring& ring, unsigned entries, io_uring_params& params) noexcept override {
    const Counting pause{false};
    return kernel_.open_ring(ring, entries, params);
  }
  void close_ring(io_uring& ring) noexcept override {
    const Counting pause{false};
    return kernel_.close_ring(ring);
  }
  int enter(io_uring& ring, unsigned submit_count, unsigned wait_count, unsigned flags,
            std::int64_t timeout) noexcept override {
    const Counting pause{false};
    return kernel_.enter(ring, submit_count, wait_count, flags, timeout);
  }
  int register_ring(io_uring& ring, unsigned opcode, void* argument, unsigned count) noexcept override {
    const Counting pause{false};
    return kernel_.register_ring(ring, opcode, argument, count);
  }
  int wake_ring(int ring_fd, std::uint64_t user_data) noexcept override {
    const Counting pause{false};
    return kernel_.wake_ring(ring_fd, user_data);
  }
  int forbid_new_rings() noexcept override {
    const Counting pause{false};
    return kernel_.forbid_new_rings();
  }
  int open_socket(int family, int type, int protocol) noexcept override {
    const Counting pause{false};
    return kernel_.open_socket(family, type, protocol);
  }
  int bind(int fd, const kernel::SocketName& name) noexcept override {
    const Counting pause{false};
    return kernel_.bind(fd, name);
  }
  int connect(int fd, const kernel::SocketName& name) noexcept override {
    const Counting pause{false};
    return kernel_.connect(fd, name);
  }
  int identify_file(const char* path, kernel::FileIdentity& identity) noexcept override {
    const Counting pause{false};
    return kernel_.identify_file(path, identity);
  }
  int remove_file(const char* path) noexcept override {
    const Counting pause{false};
    return kernel_.remove_file(path);
  }
  int duplicate(int fd) noexcept override {
    const Counting pause{false};
    return kernel_.duplicate(fd);
  }
  int process_id() noexcept override { return kernel_.process_id(); }
  int listen(int fd, int backlog) noexcept override {
    const Counting pause{false};
    return kernel_.listen(fd, backlog);
  }
  int accept(int fd) noexcept override {
    const Counting pause{false};
    return kernel_.accept(fd);
  }
  int set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept override {
    const Counting pause{false};
    return kernel_.set_option(fd, level, name, value, size);
  }
  int get_option(int fd, int level, int name, void* value, socklen_t& size) noexcept override {
    const Counting pause{false};
    return kernel_.get_option(fd, level, name, value, size);
  }
  int local_name(int fd, kernel::SocketName& name) noexcept override {
    const Counting pause{false};
    return kernel_.local_name(fd, name);
  }
  int peer_name(int fd, kernel::SocketName& name) noexcept override {
    const Counting pause{false};
    return kernel_.peer_name(fd, name);
  }
  int shutdown(int fd, int how) noexcept override {
    const Counting pause{false};
    return kernel_.shutdown(fd, how);
  }
  int close(int fd) noexcept override {
    const Counting pause{false};
    return kernel_.close(fd);
  }
  int resolve(const std::string& host, int family, std::vector<kernel::SocketName>& names) override {
    const Counting pause{false};
    return kernel_.resolve(host, family, names);
  }
  int open_event() noexcept override {
    const Counting pause{false};
    return kernel_.open_event();
  }
  int signal_event(int fd) noexcept override {
    const Counting pause{false};
    return kernel_.signal_event(fd);
  }
  int open_signals() noexcept override {
    const Counting pause{false};
    return kernel_.open_signals();
  }
  void close_signals(int fd) noexcept override {
    const Counting pause{false};
    return kernel_.close_signals(fd);
  }
  void* map_memory(std::size_t size) noexcept override {
    const Counting pause{false};
    return kernel_.map_memory(size);
  }
  void unmap_memory(void* memory, std::size_t size) noexcept override {
    const Counting pause{false};
    return kernel_.unmap_memory(memory, size);
  }
  std::uint64_t random() noexcept override { return kernel_.random(); }
  kernel::Nanoseconds now() noexcept override {
    const Counting pause{false};
    return kernel_.now();
  }
  std::unique_ptr<kernel::Thread> start_thread(const std::string& name, int cpu, Task body) override {
    const Counting pause{false};
    return kernel_.start_thread(name, cpu, std::move(body));
  }
  std::vector<int> cpus() override {
    const Counting pause{false};
    return kernel_.cpus();
  }
  std::uint64_t memlock_limit() noexcept override {
    const Counting pause{false};
    return kernel_.memlock_limit();
  }
  std::uint64_t descriptors_limit() noexcept override {
    const Counting pause{false};
    return kernel_.descriptors_limit();
  }
  std::string environment(const char* name) override {
    const Counting pause{false};
    return kernel_.environment(name);
  }

 private:
  kernel::Kernel& kernel_;
};

}  // namespace ringwire::test
