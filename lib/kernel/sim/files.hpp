// What simulated descriptors stand for: sockets, listeners, eventfds, rings, and who still holds them.
//
// A file lives as long as its descriptor or an operation on it does: closing a descriptor under an armed
// operation sends no FIN, as in Linux. Leaves to others: what bytes do (`stream.hpp`).
#pragma once

#include "lib/kernel/kernel.hpp"
#include "lib/kernel/sim/datagrams.hpp"
#include "lib/kernel/sim/stream.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

namespace ringwire::kernel::sim {

/// An open file description.
struct File {
  /// What it is.
  enum class Kind : std::uint8_t { socket, listener, stream, datagram, event, signals, ring };

  /// Of which kind, for now: a socket that listens or connects becomes another.
  explicit File(Kind kind_) noexcept : kind{kind_} {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  /// The last holder is gone: a stream ends, the clients in a listener's backlog are reset.
  ~File();

  Kind kind;
  SocketName name;                              // bind(2)
  bool reuse_port = false;                      // SO_REUSEPORT
  std::uint64_t inode = 0;                      // Of the file that binding to a path made.
  std::shared_ptr<Stream> stream;               // Kind::stream
  std::shared_ptr<DatagramEnd> datagrams;       // Kind::datagram
  unsigned side = 1;                            // Which of its ends.
  bool reset_on_close = false;                  // SO_LINGER with 0
  bool shut_down = false;                       // A listener after shutdown(2).
  std::size_t backlog_max = 0;                  // listen(2)
  std::deque<std::shared_ptr<Stream>> backlog;  // Connected, not accepted.
  std::uint64_t counter = 0;                    // Of an eventfd; signals waiting.
};

/// Descriptors of one simulated process: the lowest free number is the next, as POSIX asks.
class Files {
 public:
  /// So many descriptors can be open at the same time, 0, 1 and 2 included.
  void set_limit(std::size_t limit) noexcept { limit_ = limit; }
  /// The limit.
  [[nodiscard]] std::size_t limit() const noexcept { return limit_; }

  /// Opens a descriptor: its number, or -EMFILE.
  [[nodiscard]] int add(std::shared_ptr<File> file);
  /// Is there room for one more?
  [[nodiscard]] bool has_room() const noexcept { return count_ + first < limit_; }
  /// What a number stands for; nullptr when it is not open.
  [[nodiscard]] std::shared_ptr<File> find(int fd) const noexcept;
  /// Closes a descriptor: 0 or -EBADF.
  int close(int fd) noexcept;
  /// Open descriptors.
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  /// The first listener bound to this port.
  [[nodiscard]] std::shared_ptr<File> listener(std::uint16_t port) const noexcept;
  /// All of them: several with SO_REUSEPORT.
  [[nodiscard]] std::vector<std::shared_ptr<File>> listeners(std::uint16_t port) const;
  /// The first file for which `fits` holds; nullptr when there is none.
  template <typename Fits>
  [[nodiscard]] std::shared_ptr<File> find_if(Fits&& fits) const {
    for (const auto& file : table_) {
      if (file != nullptr && fits(*file)) return file;
    }
    return nullptr;
  }

 private:
  static constexpr std::size_t first = 3;

  std::vector<std::shared_ptr<File>> table_;
  std::size_t limit_ = 1024;
  std::size_t count_ = 0;
};

/// An IPv4 or IPv6 name's port, host byte order; 0 of a unix socket.
[[nodiscard]] std::uint16_t port_of(const SocketName& name) noexcept;
/// The bytes of a unix name behind the family: a path, or a NUL and an abstract name; "" when unnamed.
[[nodiscard]] std::string_view unix_bytes(const SocketName& name) noexcept;
/// A unix socket's name of these bytes.
[[nodiscard]] SocketName unix_name(std::string_view bytes) noexcept;
/// 127.0.0.1 with this port; or 127.0.0.`host`.
[[nodiscard]] SocketName loopback_name(std::uint16_t port, std::uint8_t host = 1) noexcept;

}  // namespace ringwire::kernel::sim
