// A plain TCP client to drive a server with: blocking to its user, with a deadline on every call.
//
// Leaves to others: the server. It shares no code with lib, so that both cannot be wrong in the same way.
// Invariant: no call lasts longer than `patience`.
#pragma once

#include <ringwire/address.hpp>

#include "tests/support/wait.hpp"

#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::test {

/// An address of this host: `loopback(80)` is 127.0.0.1:80.
[[nodiscard]] Address loopback(std::uint16_t port);
/// The same in IPv6: [::1].
[[nodiscard]] Address loopback6(std::uint16_t port);
/// An address of a stream as `run` and `connect` take it: "tcp://127.0.0.1:80", "unix:///run/x".
[[nodiscard]] std::string url_of(const Address& address);

/// A unix socket at this path, or "@name" for an abstract one.
[[nodiscard]] Address unix_address(std::string_view text);

/// One TCP or unix connection, seen from the other side.
///
/// After any call `error()` is 0 or the errno that ended it; ETIMEDOUT means our own deadline.
class Client {
 public:
  /// A client that is not connected.
  Client() = default;
  /// Connects. `receive_buffer` > 0 sets SO_RCVBUF first: a peer that takes little at a time.
  explicit Client(const Address& address, int receive_buffer = 0, const Address& source = {});
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// True while there is a connected socket and nothing went wrong.
  [[nodiscard]] bool ok() const noexcept { return fd_ >= 0 && error_ == 0; }
  /// The errno of the last call; 0 when it did what it should.
  [[nodiscard]] int error() const noexcept { return error_; }
  /// True once the peer's FIN was read.
  [[nodiscard]] bool at_eof() const noexcept { return eof_; }
  /// The socket, for what is not wrapped.
  [[nodiscard]] int fd() const noexcept { return fd_; }
  /// Our own end's address.
  [[nodiscard]] Address local_address() const;

  /// Sends everything, or answers false.
  bool send_all(std::string_view bytes);
  /// Sends until the socket takes no more for `pause`, and answers how many bytes went.
  std::size_t send_until_blocked(std::string_view pattern, std::size_t limit,
                                 std::chrono::milliseconds pause);
  /// Receives exactly `size` bytes; fewer only when the stream ended or failed.
  [[nodiscard]] std::string receive_exactly(std::size_t size);
  /// Receives until FIN, or an error (see `at_eof`).
  [[nodiscard]] std::string receive_until_eof();
  /// True when the next thing is FIN.
  [[nodiscard]] bool expect_eof();
  /// True when the next thing is a reset, possibly after some bytes.
  [[nodiscard]] bool expect_reset();
  /// True when nothing at all arrives for `time`.
  [[nodiscard]] bool expect_silence(std::chrono::milliseconds time);
  /// Sends and receives at the same time, until as many bytes came back as went out.
  [[nodiscard]] std::string exchange(std::string_view bytes);

  /// Sends FIN.
  void shutdown_write();
  /// Closes with RST.
  void reset();
  /// Closes with FIN (or RST when bytes are unread, as TCP has it).
  void close();

 private:
  bool wait_for(short events, std::chrono::steady_clock::time_point deadline);
  std::size_t receive_some(char* target, std::size_t size);

  int fd_ = -1;
  int error_ = 0;
  bool eof_ = false;
};

/// Connects from an address of our own choice: another host, as far as the server can tell.
[[nodiscard]] Client connect_from(const Address& source, const Address& address);

/// Connects `count` clients.
[[nodiscard]] std::vector<Client> connect_many(const Address& address, std::size_t count);

/// Exchanges on all clients at the same time: `sent[i]` on `clients[i]`. Answers what came back.
[[nodiscard]] std::vector<std::string> exchange_all(const std::vector<Client>& clients,
                                                    const std::vector<std::string>& sent);

/// Random bytes that depend on the seed only.
[[nodiscard]] std::string random_bytes(std::uint64_t seed, std::size_t size);

}  // namespace ringwire::test
