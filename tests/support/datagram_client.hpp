// A plain UDP socket to drive a server with: blocking to its user, with a deadline on every call.
//
// Leaves to others: the server. It shares no code with lib, so that both cannot be wrong in the same way.
// Invariant: no call lasts longer than `patience`.
#pragma once

#include <ringwire/address.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::test {

/// What a server with one udp socket is given.
inline const std::vector<std::string> one_udp_address{"udp4://127.0.0.1:0"};

/// One socket, bound to a port of its own on the loopback.
class DatagramClient {
 public:
  /// Sends to `server` from now on, and receives from anybody.
  explicit DatagramClient(const Address& server);
  DatagramClient(DatagramClient&& other) noexcept;
  DatagramClient(const DatagramClient&) = delete;
  DatagramClient& operator=(const DatagramClient&) = delete;
  ~DatagramClient();

  /// Is there a socket?
  [[nodiscard]] bool ok() const noexcept { return fd_ >= 0; }
  /// Sends one datagram, or answers false.
  bool send(std::string_view bytes) const;
  /// Sends several in one call, each so long but the last, or answers false.
  [[nodiscard]] bool send_train(std::string_view bytes, int size) const;
  /// Receives one; "nothing came" after the deadline.
  [[nodiscard]] std::string receive() const;
  /// Sends one and receives one.
  [[nodiscard]] std::string exchange(std::string_view bytes) const;
  /// True when nothing at all arrives for `time`.
  [[nodiscard]] bool expect_silence(std::chrono::milliseconds time) const;
  /// Where it is.
  [[nodiscard]] Address address() const;
  /// Where it sends to.
  void set_server(const Address& server) { server_ = server; }
  /// Closes the socket: from now on nobody is there.
  void close();

 private:
  [[nodiscard]] bool wait(std::chrono::milliseconds time) const;

  int fd_ = -1;
  Address server_;
};

}  // namespace ringwire::test
