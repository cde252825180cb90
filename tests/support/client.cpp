// A plain TCP client over poll(2). Every wait ends at a deadline; a failed call leaves its errno in `error_`.
//
// Leaves to others: any server. Invariant: the socket is non-blocking, so that only `wait_for` waits.
#include "tests/support/client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

namespace ringwire::test {

using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t piece_size = 64 * 1024;

int left_until(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

socklen_t to_name(const Address& address, sockaddr_storage& storage) {
  storage = {};
  if (address.family == Address::Family::unix_socket) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, address.unix_bytes.data(), address.unix_size);
    std::memcpy(&storage, &name, sizeof name);
    // An abstract name has no end of its own; a path has its NUL.
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.unix_size +
                                  (name.sun_path[0] == '\0' ? 0 : 1));
  }
  if (address.family == Address::Family::ipv4) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(address.port);
    std::memcpy(&name.sin_addr, address.ip.data(), sizeof name.sin_addr);
    std::memcpy(&storage, &name, sizeof name);
    return sizeof name;
  }
  sockaddr_in6 name{};
  name.sin6_family = AF_INET6;
  name.sin6_port = htons(address.port);
  name.sin6_scope_id = address.zone;
  std::memcpy(&name.sin6_addr, address.ip.data(), sizeof name.sin6_addr);
  std::memcpy(&storage, &name, sizeof name);
  return sizeof name;
}

Address to_address(const sockaddr_storage& storage) {
  Address address;
  if (storage.ss_family == AF_INET) {
    sockaddr_in name{};
    std::memcpy(&name, &storage, sizeof name);
    address.family = Address::Family::ipv4;
    address.port = ntohs(name.sin_port);
    std::memcpy(address.ip.data(), &name.sin_addr, sizeof name.sin_addr);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 name{};
    std::memcpy(&name, &storage, sizeof name);
    address.family = Address::Family::ipv6;
    address.port = ntohs(name.sin6_port);
    std::memcpy(address.ip.data(), &name.sin6_addr, sizeof name.sin6_addr);
  }
  return address;
}

}  // namespace

Address loopback(std::uint16_t port) {
  Address address;
  address.family = Address::Family::ipv4;
  address.port = port;
  address.ip = {127, 0, 0, 1};
  return address;
}

Address loopback6(std::uint16_t port) {
  Address address;
  address.family = Address::Family::ipv6;
  address.port = port;
  address.ip[15] = 1;
  return address;
}

std::string url_of(const Address& address) {
  const bool is_unix = address.family == Address::Family::unix_socket;
  return is_unix ? "unix://" + address.host() : "tcp://" + address.to_string();
}

Address unix_address(std::string_view text) {
  Address address;
  address.family = Address::Family::unix_socket;
  address.unix_size = static_cast<std::uint8_t>(text.size());
  text.copy(address.unix_bytes.data(), text.size());
  if (text.front() == '@') address.unix_bytes[0] = '\0';
  return address;
}

Client::Client(const Address& address, int receive_buffer, const Address& source) {
  const bool is_unix = address.family == Address::Family::unix_socket;
  const int family = is_unix ? AF_UNIX : address.family == Address::Family::ipv4 ? AF_INET : AF_INET6;
  fd_ = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) {
    error_ = errno;
    return;
  }
  if (receive_buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  const int on = 1;
  if (!is_unix) setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_storage name{};
  if (source.family != Address::Family::none) {
    const socklen_t source_size = to_name(source, name);
    if (::bind(fd_, static_cast<sockaddr*>(static_cast<void*>(&name)), source_size) != 0) {
      error_ = errno;
      return;
    }
  }
  const socklen_t size = to_name(address, name);
  if (::connect(fd_, static_cast<sockaddr*>(static_cast<void*>(&name)), size) == 0) return;
  if (errno != EINPROGRESS) {
    error_ = errno;
    return;
  }
  if (!wait_for(POLLOUT, Clock::now() + patience)) return;
  socklen_t error_size = sizeof error_;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error_, &error_size);
}

Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), error_(other.error_), eof_(other.eof_) {}

Client& Client::operator=(Client&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    error_ = other.error_;
    eof_ = other.eof_;
  }
  return *this;
}

Client::~Client() {
  close();
}

Address Client::local_address() const {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (getsockname(fd_, static_cast<sockaddr*>(static_cast<void*>(&name)), &size) != 0) return {};
  return to_address(name);
}

bool Client::wait_for(short events, Clock::time_point deadline) {
  pollfd poll_fd{fd_, events, 0};
  while (true) {
    const int ready = ::poll(&poll_fd, 1, left_until(deadline));
    if (ready > 0) return true;
    if (ready < 0 && errno == EINTR) continue;
    error_ = ready < 0 ? errno : ETIMEDOUT;
    return false;
  }
}

bool Client::send_all(std::string_view bytes) {
  error_ = 0;
  const auto deadline = Clock::now() + patience;
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN) {
      error_ = errno;
      return false;
    } else if (!wait_for(POLLOUT, deadline)) {
      return false;
    }
  }
  return true;
}

std::size_t Client::send_until_blocked(std::string_view pattern, std::size_t limit,
                                       std::chrono::milliseconds pause) {
  error_ = 0;
  std::size_t total = 0;
  while (total < limit) {
    const std::size_t at = total % pattern.size();
    const std::size_t size = std::min(pattern.size() - at, limit - total);
    const ssize_t sent = ::send(fd_, pattern.data() + at, size, MSG_NOSIGNAL);
    if (sent >= 0) {
      total += static_cast<std::size_t>(sent);
      continue;
    }
    if (errno != EAGAIN) {
      error_ = errno;
      return total;
    }
    pollfd poll_fd{fd_, POLLOUT, 0};
    if (::poll(&poll_fd, 1, static_cast<int>(pause.count())) == 0) return total;
  }
  return total;
}

std::size_t Client::receive_some(char* target, std::size_t size) {
  const ssize_t received = ::recv(fd_, target, size, 0);
  if (received > 0) return static_cast<std::size_t>(received);
  if (received == 0) {
    eof_ = true;
  } else if (errno != EAGAIN) {
    error_ = errno;
  }
  return 0;
}

std::string Client::receive_exactly(std::size_t size) {
  error_ = 0;
  std::string bytes;
  const auto deadline = Clock::now() + patience;
  while (bytes.size() < size && wait_for(POLLIN, deadline)) {
    const std::size_t old_size = bytes.size();
    bytes.resize(std::min(size, old_size + piece_size));
    bytes.resize(old_size + receive_some(bytes.data() + old_size, bytes.size() - old_size));
    if (eof_ || error_ != 0) break;
  }
  return bytes;
}

std::string Client::receive_until_eof() {
  return receive_exactly(SIZE_MAX);
}

bool Client::expect_eof() {
  return receive_exactly(1).empty() && eof_ && error_ == 0;
}

bool Client::expect_reset() {
  if (error_ == ECONNRESET) return true;  // It came so early that connecting has already told.
  const std::string rest = receive_until_eof();
  return !eof_ && error_ == ECONNRESET;
}

bool Client::expect_silence(std::chrono::milliseconds time) {
  pollfd poll_fd{fd_, POLLIN | POLLRDHUP, 0};
  return ::poll(&poll_fd, 1, static_cast<int>(time.count())) == 0;
}

std::string Client::exchange(std::string_view bytes) {
  std::vector<Client> one;
  one.push_back(std::move(*this));
  std::vector<std::string> received = exchange_all(one, {std::string{bytes}});
  *this = std::move(one.front());
  return std::move(received.front());
}

void Client::shutdown_write() {
  ::shutdown(fd_, SHUT_WR);
}

void Client::reset() {
  const linger at_once{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void Client::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Client connect_from(const Address& source, const Address& address) {
  return Client{address, 0, source};
}

std::vector<Client> connect_many(const Address& address, std::size_t count) {
  std::vector<Client> clients;
  clients.reserve(count);
  for (std::size_t index = 0; index < count; ++index) clients.emplace_back(address);
  return clients;
}

namespace {

// One connection of exchange_all: what is left to send, and what came back.
struct Flow {
  std::string_view unsent;
  std::size_t wanted = 0;
  bool failed = false;

  [[nodiscard]] short events(const std::string& received) const {
    if (failed || received.size() >= wanted) return 0;
    return static_cast<short>(unsent.empty() ? POLLIN : POLLIN | POLLOUT);
  }

  void step(int fd, short ready, std::string& received) {
    if ((ready & POLLOUT) != 0) {
      const ssize_t sent = ::send(fd, unsent.data(), std::min(unsent.size(), piece_size), MSG_NOSIGNAL);
      if (sent > 0) unsent.remove_prefix(static_cast<std::size_t>(sent));
      if (sent < 0 && errno != EAGAIN) failed = true;
    }
    if ((ready & (POLLIN | POLLHUP | POLLERR)) == 0) return;
    const std::size_t old_size = received.size();
    received.resize(std::min(wanted, old_size + piece_size));
    const ssize_t came = ::recv(fd, received.data() + old_size, received.size() - old_size, 0);
    received.resize(old_size + static_cast<std::size_t>(std::max<ssize_t>(came, 0)));
    if (came == 0 || (came < 0 && errno != EAGAIN)) failed = true;
  }
};

}  // namespace

std::vector<std::string> exchange_all(const std::vector<Client>& clients,
                                      const std::vector<std::string>& sent) {
  std::vector<std::string> received(clients.size());
  std::vector<Flow> flows(clients.size());
  std::vector<pollfd> polls(clients.size());
  for (std::size_t index = 0; index < flows.size(); ++index) {
    flows[index] = {sent[index], sent[index].size(), false};
    received[index].reserve(sent[index].size());
  }
  const auto deadline = Clock::now() + patience;
  while (true) {
    bool work_left = false;
    for (std::size_t index = 0; index < flows.size(); ++index) {
      const short events = flows[index].events(received[index]);
      work_left = work_left || events != 0;
      polls[index] = {events != 0 ? clients[index].fd() : -1, events, 0};
    }
    if (!work_left) return received;
    if (::poll(polls.data(), polls.size(), left_until(deadline)) <= 0) return received;
    for (std::size_t index = 0; index < flows.size(); ++index) {
      if (polls[index].revents != 0) {
        flows[index].step(clients[index].fd(), polls[index].revents, received[index]);
      }
    }
  }
}

std::string random_bytes(std::uint64_t seed, std::size_t size) {
  std::mt19937_64 generator{seed};
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at < size; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = generator();
    std::memcpy(bytes.data() + at, &word, std::min(sizeof word, size - at));
  }
  return bytes;
}

}  // namespace ringwire::test
