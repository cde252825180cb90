// The real kernel, with a few calls that a test may watch, answer itself, or make fail.
//
// Leaves to others: everything else; it is passed on unchanged. Any thread, as the real one.
#pragma once

#include "tests/support/real_kernel.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace ringwire::test {

/// Set the script before the engine starts; read what was watched after it has ended.
class ForwardingKernel final : public kernel::Kernel {
 public:
  // -- the script

  /// Which thread, counted from 0, cannot be started; -1 = all can.
  int failing_thread = -1;
  /// Results of the n-th `open_ring`, counted from 0.
  std::map<int, int> ring_results;
  /// Answered instead of a signalfd.
  int signals_result = 0;
  /// Results of the n-th `forbid_new_rings`, counted from 0.
  std::map<int, int> forbid_results;
  /// What `cpus` answers; empty = the real ones.
  std::vector<int> cpus_given;
  /// Environment variables; the real ones are not looked at.
  std::map<std::string, std::string> variables;

  // -- what happened

  /// Name and CPU of each thread asked for, in order.
  std::vector<std::pair<std::string, int>> threads;
  /// Calls of `open_socket`.
  std::atomic<int> sockets_opened{0};
  /// Calls of `forbid_new_rings`.
  std::atomic<int> forbids{0};
  /// Calls of `open_signals` that succeeded, and of `close_signals`.
  int signals_opened = 0;
  int signals_closed = 0;

  int open_ring(io_uring& ring, unsigned entries, io_uring_params& params) noexcept override {
    const auto found = ring_results.find(rings_opened_++);
    return found == ring_results.end() ? linux_.open_ring(ring, entries, params) : found->second;
  }
  void close_ring(io_uring& ring) noexcept override { linux_.close_ring(ring); }
  int enter(io_uring& ring, unsigned submit_count, unsigned wait_count, unsigned flags,
            std::int64_t timeout) noexcept override {
    return linux_.enter(ring, submit_count, wait_count, flags, timeout);
  }
  int register_ring(io_uring& ring, unsigned opcode, void* argument, unsigned count) noexcept override {
    return linux_.register_ring(ring, opcode, argument, count);
  }
  int wake_ring(int ring_fd, std::uint64_t user_data) noexcept override {
    return linux_.wake_ring(ring_fd, user_data);
  }
  int forbid_new_rings() noexcept override {
    const auto found = forbid_results.find(forbids++);
    return found == forbid_results.end() ? linux_.forbid_new_rings() : found->second;
  }
  int open_socket(int family, int type, int protocol) noexcept override {
    ++sockets_opened;
    return linux_.open_socket(family, type, protocol);
  }
  int bind(int fd, const kernel::SocketName& name) noexcept override { return linux_.bind(fd, name); }
  int connect(int fd, const kernel::SocketName& name) noexcept override { return linux_.connect(fd, name); }
  int listen(int fd, int backlog) noexcept override { return linux_.listen(fd, backlog); }
  int accept(int fd) noexcept override { return linux_.accept(fd); }
  int identify_file(const char* path, kernel::FileIdentity& identity) noexcept override {
    return linux_.identify_file(path, identity);
  }
  int remove_file(const char* path) noexcept override { return linux_.remove_file(path); }
  int duplicate(int fd) noexcept override { return linux_.duplicate(fd); }
  int process_id() noexcept override { return linux_.process_id(); }
  int set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept override {
    return linux_.set_option(fd, level, name, value, size);
  }
  int get_option(int fd, int level, int name, void* value, socklen_t& size) noexcept override {
    return linux_.get_option(fd, level, name, value, size);
  }
  int local_name(int fd, kernel::SocketName& name) noexcept override { return linux_.local_name(fd, name); }
  int peer_name(int fd, kernel::SocketName& name) noexcept override { return linux_.peer_name(fd, name); }
  int shutdown(int fd, int how) noexcept override { return linux_.shutdown(fd, how); }
  int close(int fd) noexcept override { return linux_.close(fd); }
  int resolve(const std::string& host, int family, std::vector<kernel::SocketName>& names) override {
    return linux_.resolve(host, family, names);
  }
  int open_event() noexcept override { return linux_.open_event(); }
  int signal_event(int fd) noexcept override { return linux_.signal_event(fd); }
  int open_signals() noexcept override {
    if (signals_result != 0) return signals_result;
    ++signals_opened;
    return linux_.open_signals();
  }
  void close_signals(int fd) noexcept override {
    ++signals_closed;
    linux_.close_signals(fd);
  }
  void* map_memory(std::size_t size) noexcept override { return linux_.map_memory(size); }
  void unmap_memory(void* memory, std::size_t size) noexcept override { linux_.unmap_memory(memory, size); }
  kernel::Nanoseconds now() noexcept override { return linux_.now(); }
  std::uint64_t random() noexcept override { return linux_.random(); }
  std::unique_ptr<kernel::Thread> start_thread(const std::string& name, int cpu, Task body) override {
    threads.emplace_back(name, cpu);
    if (failing_thread == static_cast<int>(threads.size()) - 1) {
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    }
    return linux_.start_thread(name, cpu, std::move(body));
  }
  std::vector<int> cpus() override { return cpus_given.empty() ? linux_.cpus() : cpus_given; }
  std::uint64_t memlock_limit() noexcept override { return linux_.memlock_limit(); }
  std::uint64_t descriptors_limit() noexcept override { return linux_.descriptors_limit(); }
  std::string environment(const char* name) override {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string{} : found->second;
  }

 private:
  kernel::Linux& linux_ = real_kernel();
  std::atomic<int> rings_opened_{0};
};

}  // namespace ringwire::test
