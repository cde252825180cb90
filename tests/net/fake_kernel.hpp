// A kernel of sockets only, which records what it is asked and fails where a test says so; and endpoints.
//
// Leaves to others: rings, clocks and threads; asking for one of those is a mistake in the test.
#pragma once

#include "lib/kernel/kernel.hpp"
#include "lib/net/address.hpp"
#include "tests/support/catch.hpp"

#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace ringwire::test {

/// What a url that must be right means.
inline net::Endpoint endpoint_of(const std::string& url) {
  net::Endpoint endpoint;
  REQUIRE_FALSE(net::parse_endpoint(url, endpoint));
  return endpoint;
}

/// Sockets that exist only here. `faults["bind"] = -EACCES` makes every bind fail.
class FakeKernel final : public kernel::Kernel {
 public:
  /// One setsockopt: descriptor, level, name, first int of the value.
  using Option = std::tuple<int, int, int, int>;

  /// Result for each call by name: "socket", "bind", "listen", "connect", "option", "local_name",
  /// "peer_name", "resolve", "identify", "remove".
  std::map<std::string, int> faults;
  /// What socket() answers for a family, instead of a descriptor.
  std::map<int, int> family_faults;
  /// What bind() answers for a family.
  std::map<int, int> bind_faults;
  /// Every set_option, in order.
  std::vector<Option> options;
  /// Every name bound, in order.
  std::vector<kernel::SocketName> bound;
  /// Every host asked for, with the family.
  std::vector<std::pair<std::string, int>> resolved;
  /// What resolve answers.
  std::vector<kernel::SocketName> names;
  /// What local_name and peer_name answer.
  kernel::SocketName name;
  /// What stands at each path. Binding looks here, and leaves a socket.
  std::map<std::string, kernel::FileIdentity> files;
  /// Whoever looks at a file finds another the next time.
  bool replaced_while_asked = false;
  /// Environment variables, and who we are.
  std::map<std::string, std::string> variables;
  int pid = 1;
  /// Descriptors not yet closed.
  std::set<int> open;
  /// The last backlog.
  int backlog = -1;

  int open_socket(int family, int /*type*/, int /*protocol*/) noexcept override {
    if (const auto fault = family_faults.find(family); fault != family_faults.end()) return fault->second;
    if (const int fault = fault_of("socket"); fault != 0) return fault;
    families_[next_fd_] = family;
    open.insert(next_fd_);
    return next_fd_++;
  }
  int bind(int fd, const kernel::SocketName& wanted) noexcept override {
    bound.push_back(wanted);
    if (const auto fault = bind_faults.find(families_[fd]); fault != bind_faults.end()) return fault->second;
    if (const int fault = fault_of("bind"); fault != 0 || wanted.storage.ss_family != AF_UNIX) return fault;
    sockaddr_un plain{};
    std::memcpy(&plain, &wanted.storage, sizeof plain);
    if (plain.sun_path[0] == '\0') return 0;
    return files.try_emplace(plain.sun_path, kernel::FileIdentity{1, next_inode_++, true}).second
               ? 0
               : -EADDRINUSE;
  }
  int listen(int /*fd*/, int wanted) noexcept override {
    backlog = wanted;
    return fault_of("listen");
  }
  int set_option(int fd, int level, int option, const void* value, socklen_t size) noexcept override {
    int number = 0;
    std::memcpy(&number, value, std::min<std::size_t>(size, sizeof number));
    options.emplace_back(fd, level, option, number);
    return fault_of("option");
  }
  int local_name(int /*fd*/, kernel::SocketName& out) noexcept override {
    out = name;
    return fault_of("local_name");
  }
  int peer_name(int /*fd*/, kernel::SocketName& out) noexcept override {
    out = name;
    return fault_of("peer_name");
  }
  int close(int fd) noexcept override { return open.erase(fd) == 1 ? 0 : -EBADF; }
  int resolve(const std::string& host, int family, std::vector<kernel::SocketName>& out) override {
    resolved.emplace_back(host, family);
    out.insert(out.end(), names.begin(), names.end());
    return fault_of("resolve");
  }

  int connect(int /*fd*/, const kernel::SocketName& /*name*/) noexcept override {
    return fault_of("connect");
  }
  int identify_file(const char* path, kernel::FileIdentity& identity) noexcept override {
    if (const int fault = fault_of("identify"); fault != 0) return fault;
    const auto found = files.find(path);
    if (found == files.end()) return -ENOENT;
    identity = found->second;
    if (replaced_while_asked) ++found->second.inode;
    return 0;
  }
  int remove_file(const char* path) noexcept override {
    if (const int fault = fault_of("remove"); fault != 0) return fault;
    return files.erase(path) == 1 ? 0 : -ENOENT;
  }
  int accept(int) noexcept override { std::abort(); }
  int duplicate(int) noexcept override { std::abort(); }
  int process_id() noexcept override { return pid; }
  int get_option(int, int, int, void*, socklen_t&) noexcept override { std::abort(); }
  int open_ring(io_uring&, unsigned, io_uring_params&) noexcept override { std::abort(); }
  void close_ring(io_uring&) noexcept override { std::abort(); }
  int enter(io_uring&, unsigned, unsigned, unsigned, std::int64_t) noexcept override { std::abort(); }
  int register_ring(io_uring&, unsigned, void*, unsigned) noexcept override { std::abort(); }
  int wake_ring(int, std::uint64_t) noexcept override { std::abort(); }
  int forbid_new_rings() noexcept override { std::abort(); }
  int shutdown(int, int) noexcept override { std::abort(); }
  int open_event() noexcept override { std::abort(); }
  int signal_event(int) noexcept override { std::abort(); }
  int open_signals() noexcept override { std::abort(); }
  void close_signals(int) noexcept override { std::abort(); }
  void* map_memory(std::size_t) noexcept override { std::abort(); }
  void unmap_memory(void*, std::size_t) noexcept override { std::abort(); }
  kernel::Nanoseconds now() noexcept override { std::abort(); }
  std::uint64_t random() noexcept override { std::abort(); }
  std::unique_ptr<kernel::Thread> start_thread(const std::string&, int, Task) override { std::abort(); }
  std::vector<int> cpus() override { std::abort(); }
  std::uint64_t memlock_limit() noexcept override { std::abort(); }
  std::uint64_t descriptors_limit() noexcept override { std::abort(); }
  std::string environment(const char* variable) override {
    const auto found = variables.find(variable);
    return found == variables.end() ? std::string{} : found->second;
  }

 private:
  [[nodiscard]] int fault_of(const char* call) const {
    const auto fault = faults.find(call);
    return fault == faults.end() ? 0 : fault->second;
  }

  int next_fd_ = 100;
  std::uint64_t next_inode_ = 1000;
  std::map<int, int> families_;
};

}  // namespace ringwire::test
