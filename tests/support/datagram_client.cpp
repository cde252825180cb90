// A plain UDP socket over poll(2).
#include "tests/support/datagram_client.hpp"

#include "tests/support/client.hpp"
#include "tests/support/wait.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace ringwire::test {
namespace {

// As the kernel takes it.
struct Name {
  explicit Name(const Address& address) {
    if (address.family == Address::Family::ipv4) {
      sockaddr_in plain{};
      plain.sin_family = AF_INET;
      plain.sin_port = htons(address.port);
      std::memcpy(&plain.sin_addr, address.ip.data(), sizeof plain.sin_addr);
      std::memcpy(&storage, &plain, sizeof plain);
      size = sizeof plain;
    } else {
      sockaddr_in6 plain{};
      plain.sin6_family = AF_INET6;
      plain.sin6_port = htons(address.port);
      std::memcpy(&plain.sin6_addr, address.ip.data(), sizeof plain.sin6_addr);
      std::memcpy(&storage, &plain, sizeof plain);
      size = sizeof plain;
    }
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }

  sockaddr_storage storage{};
  socklen_t size = 0;
};

}  // namespace

DatagramClient::DatagramClient(const Address& server) : server_{server} {
  const bool ipv6 = server.family == Address::Family::ipv6;
  fd_ = ::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const Name name{ipv6 ? loopback6(0) : loopback(0)};
  if (fd_ >= 0 && ::bind(fd_, name.get(), name.size) != 0) close();
}

DatagramClient::DatagramClient(DatagramClient&& other) noexcept
    : fd_{std::exchange(other.fd_, -1)}, server_{other.server_} {}

DatagramClient::~DatagramClient() {
  close();
}

void DatagramClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

bool DatagramClient::send(std::string_view bytes) const {
  const Name name{server_};
  return ::sendto(fd_, bytes.data(), bytes.size(), 0, name.get(), name.size) ==
         static_cast<ssize_t>(bytes.size());
}

bool DatagramClient::send_train(std::string_view bytes, int size) const {
  if (::setsockopt(fd_, SOL_UDP, UDP_SEGMENT, &size, sizeof size) != 0) return false;
  const bool sent = send(bytes);
  size = 0;
  return ::setsockopt(fd_, SOL_UDP, UDP_SEGMENT, &size, sizeof size) == 0 && sent;
}

bool DatagramClient::wait(std::chrono::milliseconds time) const {
  pollfd look{fd_, POLLIN, 0};
  return ::poll(&look, 1, static_cast<int>(time.count())) > 0;
}

std::string DatagramClient::receive() const {
  if (!wait(patience)) return "nothing came";
  std::string bytes(65'536, '\0');
  const ssize_t size = ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (size < 0) return "an error came";
  bytes.resize(static_cast<std::size_t>(size));
  return bytes;
}

std::string DatagramClient::exchange(std::string_view bytes) const {
  return send(bytes) ? receive() : "it was not sent";
}

bool DatagramClient::expect_silence(std::chrono::milliseconds time) const {
  return !wait(time);
}

Address DatagramClient::address() const {
  sockaddr_in plain{};  // The port stands at the same place in both kinds.
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &size);
  std::memcpy(&plain, &storage, sizeof plain);
  const std::uint16_t port = ntohs(plain.sin_port);
  return storage.ss_family == AF_INET6 ? loopback6(port) : loopback(port);
}

}  // namespace ringwire::test
