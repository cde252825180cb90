// A ring over epoll with the reactor's side of it played by hand, and sockets to try it on.
//
// Leaves to others: what is expected. Invariant: no wait is longer than `patience`.
#pragma once

#include "lib/kernel/epoll/epoll.hpp"
#include "lib/uring/prep.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/wait.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::kernel {

inline constexpr std::int64_t millisecond = 1'000'000;
inline constexpr std::int64_t long_time = std::chrono::nanoseconds{test::patience}.count();

/// A completion.
struct Cqe {
  std::uint64_t user_data;
  int res;
  unsigned flags;

  [[nodiscard]] bool more() const { return (flags & IORING_CQE_F_MORE) != 0; }
  [[nodiscard]] bool has_buffer() const { return (flags & IORING_CQE_F_BUFFER) != 0; }
  [[nodiscard]] std::uint16_t bid() const {
    return static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
  }
};

/// A ring on a kernel of its own.
struct Bench {
  explicit Bench(unsigned sq = 64, unsigned cq = 256, unsigned more_flags = 0) {
    io_uring_params params{};
    params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | more_flags;
    params.cq_entries = cq;
    REQUIRE(kernel.open_ring(ring, sq, params) == 0);
    for (unsigned index = 0; index < params.sq_entries; ++index) ring.sq.array[index] = index;
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  ~Bench() {
    if (ring.sq.ring_ptr != nullptr) kernel.close_ring(ring);
  }

  /// A cleared SQE; it goes out with the next `enter`.
  io_uring_sqe& sqe(std::uint64_t user_data) {
    io_uring_sqe& sqe = ring.sq.sqes[*ring.sq.ktail & ring.sq.ring_mask];
    std::memset(&sqe, 0, sizeof(sqe));
    sqe.user_data = user_data;
    ++*ring.sq.ktail;
    return sqe;
  }

  int enter(unsigned wait_count = 0, std::int64_t timeout = 0) {
    return kernel.enter(ring, *ring.sq.ktail - *ring.sq.khead, wait_count, IORING_ENTER_GETEVENTS, timeout);
  }

  /// All completions there are.
  std::vector<Cqe> reap() {
    std::vector<Cqe> all;
    for (; *ring.cq.khead != *ring.cq.ktail; ++*ring.cq.khead) {
      const io_uring_cqe& cqe = ring.cq.cqes[*ring.cq.khead & ring.cq.ring_mask];
      all.push_back({cqe.user_data, cqe.res, cqe.flags});
    }
    return all;
  }

  /// Submits, waits until `count` completions have come, and takes all there are.
  std::vector<Cqe> wait(std::size_t count) {
    std::vector<Cqe> all;
    const Nanoseconds deadline = kernel.now() + static_cast<Nanoseconds>(long_time);
    while (all.size() < count && kernel.now() < deadline) {
      enter(1, long_time);
      for (const Cqe& each : reap()) all.push_back(each);
    }
    REQUIRE(all.size() >= count);
    return all;
  }

  /// Submits without waiting, and takes what is there.
  std::vector<Cqe> poll() {
    enter();
    return reap();
  }

  /// Lends `count` buffers of `size` bytes as group `bgid`.
  void lend(std::uint16_t bgid, unsigned count, std::size_t size) {
    entries.resize(count);
    buffer_size = size;
    memory.resize(count * size);
    io_uring_buf_reg request{};
    request.ring_addr = uring::to_u64(entries.data());
    request.ring_entries = count;
    request.bgid = bgid;
    entries[0].resv = 0;
    REQUIRE(kernel.register_ring(ring, IORING_REGISTER_PBUF_RING, &request, 1) == 0);
    for (unsigned bid = 0; bid < count; ++bid) give_back(static_cast<std::uint16_t>(bid));
  }

  void give_back(std::uint16_t bid) {
    io_uring_buf& entry = entries[entries[0].resv % entries.size()];
    entry.addr = uring::to_u64(memory.data() + bid * buffer_size);
    entry.len = static_cast<unsigned>(buffer_size);
    entry.bid = bid;
    ++entries[0].resv;
  }

  /// What a completion brought; its buffer goes back.
  std::string bytes(const Cqe& done) {
    REQUIRE(done.has_buffer());
    const auto* begin = reinterpret_cast<const char*>(memory.data() + done.bid() * buffer_size);
    std::string text{begin, static_cast<std::size_t>(done.res)};
    give_back(done.bid());
    return text;
  }

  Epoll kernel;
  io_uring ring{};
  std::vector<io_uring_buf> entries;
  std::vector<std::byte> memory;
  std::size_t buffer_size = 0;
};

/// A socket, closed at the end unless `release` was called.
class Socket {
 public:
  explicit Socket(int fd) : fd_{fd} { REQUIRE(fd >= 0); }
  Socket(Socket&& other) noexcept : fd_{other.release()} {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { close(); }

  [[nodiscard]] int fd() const { return fd_; }
  int release() noexcept {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void close() {
    if (fd_ >= 0) ::close(release());
  }
  void send(std::string_view bytes, int flags = 0) const {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), flags | MSG_NOSIGNAL) == ssize_t(bytes.size()));
  }
  [[nodiscard]] std::string receive(std::size_t size) const {
    std::string bytes(size, '\0');
    const ssize_t got = ::recv(fd_, bytes.data(), size, MSG_WAITALL);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return bytes;
  }
  /// What is there now.
  [[nodiscard]] std::string take() const {
    std::string bytes(65'536, '\0');
    const ssize_t got = ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return bytes;
  }
  /// Closes with a reset.
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

 private:
  int fd_;
};

/// Listens on 127.0.0.1.
struct Listening {
  Listening() : socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(socket.fd(), plain(), sizeof name) == 0);
    REQUIRE(::listen(socket.fd(), 64) == 0);
    socklen_t size = sizeof name;
    REQUIRE(::getsockname(socket.fd(), plain(), &size) == 0);
  }

  sockaddr* plain() { return static_cast<sockaddr*>(static_cast<void*>(&name)); }

  Socket caller() {
    Socket client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    REQUIRE(::connect(client.fd(), plain(), sizeof name) == 0);
    return client;
  }

  sockaddr_in name{};
  Socket socket;
};

/// Two ends of a TCP connection: ours, and the peer's.
struct Connected {
  Connected()
      : peer{listening.caller()}, ours{::accept4(listening.socket.fd(), nullptr, nullptr, SOCK_CLOEXEC)} {
    const int on = 1;
    ::setsockopt(peer.fd(), IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
  }

  Listening listening;
  Socket peer;
  Socket ours;
};

/// A send buffer as small as it gets, and a receive buffer that is small too, so that a send must wait soon.
/// (Not smaller than a segment of the loopback: TCP would stall between them.)
inline void narrow(const Connected& pair) {
  const int small = 1;
  const int segment = 1 << 16;
  ::setsockopt(pair.ours.fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  ::setsockopt(pair.peer.fd(), SOL_SOCKET, SO_RCVBUF, &segment, sizeof segment);
}

}  // namespace ringwire::kernel
