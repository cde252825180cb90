// The seam: everything ringwire asks of an operating system, in one class.
//
// Above it there is one reactor; behind it stands the real Linux (`linux.hpp`), and whatever else answers the
// same messages. `enter` is the only call on the hot path: once a lap. SQEs and CQEs are plain memory that
// `open_ring` set up. Invariant: no other folder makes a system call, reads a clock, asks for randomness or
// starts a thread (tests/tidy greps).
//
// Conventions: results are >= 0, or -errno. Nothing throws unless it says so. Times are nanoseconds of a
// monotonic clock.
#pragma once

#include <ringwire/function.hpp>

#include <liburing.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::kernel {

/// Nanoseconds since some fixed point; never goes back.
using Nanoseconds = std::uint64_t;

/// Waits for as long as it takes.
inline constexpr std::int64_t wait_forever = -1;

/// A socket address as the kernel takes it.
struct SocketName {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

/// Which file a path names, and what it is.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;  // With `device`: the same pair is the same file, until it is removed.
  bool is_socket = false;

  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// A running thread; must be joined before it is destroyed.
class Thread {
 public:
  Thread() = default;
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  virtual ~Thread() = default;

  /// Waits until the thread's body has returned. Once, from one other thread.
  virtual void join() noexcept = 0;
};

/// The operating system.
///
/// Thread: calls that name a ring belong to the thread that opened it, but for `wake_ring`; all others are
/// free to any thread.
class Kernel {
 public:
  Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  virtual ~Kernel() = default;

  /// What answers the rings' messages, for the log.
  [[nodiscard]] virtual std::string_view name() const noexcept { return "io_uring"; }

  // -- rings: io_uring_setup(2), io_uring_enter(2), io_uring_register(2)

  /// Sets up a ring and maps its queues. On success `ring` and `params` are filled in, and every word the
  /// kernel and we share can be read and written through `ring`. The ring does not survive fork.
  virtual int open_ring(io_uring& ring, unsigned entries, io_uring_params& params) noexcept = 0;

  /// Ends a ring that `open_ring` set up.
  virtual void close_ring(io_uring& ring) noexcept = 0;

  /// Submits `submit_count` SQEs, waits for `wait_count` CQEs at most `timeout` nanoseconds (or
  /// `wait_forever`), and runs deferred work. `flags` are further IORING_ENTER_ bits. Answers how many SQEs
  /// were taken; -ETIME and -EINTR are normal ends of a wait.
  virtual int enter(io_uring& ring, unsigned submit_count, unsigned wait_count, unsigned flags,
                    std::int64_t timeout) noexcept = 0;

  /// io_uring_register(2) on this ring.
  virtual int register_ring(io_uring& ring, unsigned opcode, void* argument, unsigned count) noexcept = 0;

  /// Posts a CQE with `user_data` and result 0 to another thread's ring, from a thread that need not own one
  /// (MSG_RING through io_uring_register, Linux 6.13). -EINVAL where there is no such thing. A ring whose
  /// owner has ended swallows it.
  virtual int wake_ring(int ring_fd, std::uint64_t user_data) noexcept = 0;

  /// From now on the calling thread, threads it starts and programs they execute cannot set up rings: EPERM.
  /// Rings that are open stay usable. For good, until the thread ends; it also gives up gaining privileges by
  /// exec (seccomp(2), PR_SET_NO_NEW_PRIVS). 0, or -errno where the kernel has no filters or forbids them.
  virtual int forbid_new_rings() noexcept = 0;

  // -- sockets

  /// socket(2) with SOCK_CLOEXEC: a descriptor.
  virtual int open_socket(int family, int type, int protocol) noexcept = 0;
  /// bind(2).
  virtual int bind(int fd, const SocketName& name) noexcept = 0;
  /// connect(2), which must not wait: of a socket made with SOCK_NONBLOCK, or of datagrams. Connections that
  /// carry bytes are made by a ring.
  virtual int connect(int fd, const SocketName& name) noexcept = 0;
  /// listen(2).
  virtual int listen(int fd, int backlog) noexcept = 0;
  /// accept4(2) with SOCK_CLOEXEC, once, without waiting: a descriptor, or -EAGAIN. The listener becomes
  /// non-blocking. Whoever listens uses a ring; this is for the last look.
  virtual int accept(int fd) noexcept = 0;
  /// setsockopt(2).
  virtual int set_option(int fd, int level, int name, const void* value, socklen_t size) noexcept = 0;
  /// getsockopt(2); `size` goes in and out.
  virtual int get_option(int fd, int level, int name, void* value, socklen_t& size) noexcept = 0;
  /// getsockname(2).
  virtual int local_name(int fd, SocketName& name) noexcept = 0;
  /// getpeername(2).
  virtual int peer_name(int fd, SocketName& name) noexcept = 0;
  /// shutdown(2), `how` being SHUT_RD, SHUT_WR or SHUT_RDWR. The ring's own operation would always cost a
  /// kernel thread.
  virtual int shutdown(int fd, int how) noexcept = 0;
  /// close(2). Only for descriptors no operation is armed on; else the ring closes them after a cancel.
  virtual int close(int fd) noexcept = 0;
  /// getaddrinfo(3): appends the addresses of `host`, port 0. May block. 0, or -ENOENT when there is none.
  /// May throw bad_alloc.
  virtual int resolve(const std::string& host, int family, std::vector<SocketName>& names) = 0;

  // -- files: those that unix sockets leave, and descriptors that others have left us

  /// lstat(2): which file `path` names.
  virtual int identify_file(const char* path, FileIdentity& identity) noexcept = 0;
  /// unlink(2).
  virtual int remove_file(const char* path) noexcept = 0;
  /// fcntl(2), F_DUPFD_CLOEXEC: a second descriptor for the same socket.
  virtual int duplicate(int fd) noexcept = 0;
  /// getpid(2).
  virtual int process_id() noexcept = 0;

  // -- events

  /// eventfd(2), close-on-exec: a descriptor that can be read through a ring.
  virtual int open_event() noexcept = 0;
  /// Adds one to an eventfd, from any thread.
  virtual int signal_event(int fd) noexcept = 0;
  /// Blocks SIGINT and SIGTERM in the calling thread (and those it starts) and answers a signalfd(2) that
  /// delivers them.
  virtual int open_signals() noexcept = 0;
  /// Ends what `open_signals` did; called on the same thread.
  virtual void close_signals(int fd) noexcept = 0;

  // -- memory, clock, randomness, threads, limits

  /// Zeroed memory, page-aligned, a whole number of pages; nullptr when there is none.
  virtual void* map_memory(std::size_t size) noexcept = 0;
  /// Gives back what `map_memory` answered.
  virtual void unmap_memory(void* memory, std::size_t size) noexcept = 0;
  /// CLOCK_MONOTONIC.
  virtual Nanoseconds now() noexcept = 0;
  /// A number nobody can guess: getrandom(2). For seeds; it costs a system call.
  virtual std::uint64_t random() noexcept = 0;
  /// Starts a thread with a name of at most 15 bytes, on one CPU if `cpu` >= 0. Signals it inherits stay as
  /// they are. May throw.
  virtual std::unique_ptr<Thread> start_thread(const std::string& name, int cpu, Task body) = 0;
  /// The CPUs this process may use, ascending; never empty. May throw bad_alloc.
  virtual std::vector<int> cpus() = 0;
  /// The soft RLIMIT_MEMLOCK in bytes; UINT64_MAX = none.
  virtual std::uint64_t memlock_limit() noexcept = 0;
  /// The soft RLIMIT_NOFILE; UINT64_MAX = none.
  virtual std::uint64_t descriptors_limit() noexcept = 0;
  /// An environment variable, or "" when it is not set. May throw bad_alloc.
  virtual std::string environment(const char* name) = 0;
};

}  // namespace ringwire::kernel
