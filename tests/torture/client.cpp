// What clients do: connect, send, receive, half-close, reset, stall, and come again.
#include "tests/torture/client.hpp"

#include "tests/support/wait.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace ringwire::torture {
namespace {

using namespace std::chrono_literals;

constexpr unsigned sent_max = 60'000;
constexpr unsigned cycle_max = 2'000;
// Who is not polite sends no FIN that the server could wait for: some time it must go.
constexpr std::chrono::milliseconds idle_max{100};

sockaddr* raw(sockaddr_in& name) {
  return static_cast<sockaddr*>(static_cast<void*>(&name));
}

sockaddr_in loopback(std::uint32_t host, std::uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(0x7F00'0000U | host);
  return name;
}

void set(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

}  // namespace

Clients::Clients(Table& table, const std::atomic<bool>& stop, const Orders& orders)
    : table_{table},
      stop_{stop},
      orders_{orders},
      random_{static_cast<unsigned>(orders.seed * 7919 + 17)},
      ones_(orders.width),
      buffer_(16'384) {}

bool Clients::has_work() const {
  if (stop_ || table_.violations() > 0) return false;
  return orders_.cycles == 0 || cycles_begun_ < orders_.cycles;
}

void Clients::run() {
  std::vector<pollfd> polls(ones_.size());
  for (;;) {
    const auto now = Clock::now();
    bool is_any_open = false;
    for (std::size_t index = 0; index < ones_.size(); ++index) {
      One& one = ones_[index];
      if (one.fd < 0 && has_work() && now >= retry_at_) open(one);
      polls[index] = {one.fd, wanted(one, now), 0};
      is_any_open = is_any_open || one.fd >= 0;
    }
    if (!is_any_open && !has_work()) return;
    static_cast<void>(::poll(polls.data(), polls.size(), 5));
    const auto later = Clock::now();
    for (std::size_t index = 0; index < ones_.size(); ++index) {
      One& one = ones_[index];
      if (one.fd < 0) continue;
      // A stalled one is not looked at; poll tells of errors whether they are asked for or not.
      if (polls[index].revents != 0 && later >= one.stalled_until) serve(one, polls[index].revents, later);
      if (one.fd >= 0) check_progress(one, later);
    }
  }
}

// ---- begin

bool Clients::open(One& one) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    ++table_.figures.sockets_refused;
    retry_at_ = Clock::now() + 5ms;
    return false;
  }
  one = One{};
  one.fd = fd;
  plan(one);
  // Many source addresses: ports of connections that have just ended rest for a while.
  set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  sockaddr_in source = loopback(2 + any(250), 0);
  sockaddr_in target = loopback(1, orders_.port);
  const bool failed = ::bind(fd, raw(source), sizeof source) != 0 ||
                      (::connect(fd, raw(target), sizeof target) != 0 && errno != EINPROGRESS);
  if (failed) {
    table_.violate(fmt::format("a client cannot connect: {}", std::strerror(errno)));
    ::close(fd);
    one.fd = -1;
    return false;
  }
  one.link = table_.add(orders_.cycles > 0 || any(2) == 0);
  one.connecting = true;
  one.progress = Clock::now();
  ++cycles_begun_;
  ++table_.figures.connections;
  return true;
}

void Clients::plan(One& one) {
  set(one.fd, IPPROTO_TCP, TCP_NODELAY, static_cast<int>(any(2)));
  if (orders_.cycles > 0) {
    one.to_send = name_size + any(cycle_max);
    one.end = cycles_begun_ % 10 == 9 ? End::reset : End::polite;
    one.leave_at = one.to_send + any(static_cast<unsigned>(one.to_send));
    return;
  }
  if (any(3) == 0) set(one.fd, SOL_SOCKET, SO_RCVBUF, 2'048);
  if (any(3) == 0) set(one.fd, SOL_SOCKET, SO_SNDBUF, 2'048);
  one.to_send = name_size + (any(4) == 0 ? any(sent_max) : any(sent_max / 20));
  const unsigned end = any(10);
  one.end = end < 7 ? End::polite : end < 9 ? End::reset : End::rude;
  one.leave_at = any(4) == 0 ? any(100) : any(sent_max);
}

// ---- go on

short Clients::wanted(const One& one, Clock::time_point now) const {
  if (one.fd < 0 || now < one.stalled_until) return 0;
  if (one.connecting) return POLLOUT;
  const bool sends = !one.finished && one.link->sent < one.to_send;
  return static_cast<short>((one.saw_end ? 0 : POLLIN) | (sends ? POLLOUT : 0));
}

void Clients::serve(One& one, short events, Clock::time_point now) {
  if (one.connecting) on_connected(one);
  if (one.fd >= 0 && !one.saw_end && (events & (POLLIN | POLLERR | POLLHUP)) != 0) receive(one);
  if (one.fd >= 0 && !one.finished && (events & (POLLOUT | POLLERR)) != 0) send(one);
  if (one.fd >= 0) leave_if_due(one, false);
  if (one.fd < 0) return;
  if (one.finished && one.saw_end) return close(one);
  stall_sometimes(one, now);
}

void Clients::on_connected(One& one) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(one.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  one.connecting = false;
  one.progress = Clock::now();
  if (error == ECONNRESET || error == EPIPE) return on_reset(one);
  if (error != 0) {
    table_.violate(fmt::format("a client cannot connect: {}", std::strerror(error)));
    one.link->left = true;
    close(one);
  }
}

void Clients::receive(One& one) {
  const std::size_t size = any(8) == 0 ? 1 + any(64) : buffer_.size();
  const ssize_t came = ::recv(one.fd, buffer_.data(), size, 0);
  if (came > 0) return on_received(one, static_cast<std::size_t>(came));
  if (came == 0) return on_end(one);
  if (errno == EAGAIN || errno == EINTR) return;
  if (errno == ECONNRESET || errno == EPIPE) return on_reset(one);
  table_.violate(fmt::format("a client cannot receive: {}", std::strerror(errno)));
  one.link->left = true;
  close(one);
}

void Clients::on_received(One& one, std::size_t size) {
  Link& link = *one.link;
  const std::uint64_t before = link.received;
  if (before + size > link.written)
    table_.violate(
        fmt::format("a client got {} bytes and {} were written", before + size, link.written.load()));
  if (!matches(std::span{buffer_}.first(size), link.name, Direction::down, before))
    table_.violate(fmt::format("a client got other bytes than were written, from {} on", before));
  link.received = before + size;
  table_.figures.bytes_down += size;
  one.progress = Clock::now();
}

// The server's FIN. Nobody has reset anything that this end could see, so every byte must be here.
void Clients::on_end(One& one) {
  one.saw_end = true;
  one.progress = Clock::now();
  const Link& link = *one.link;
  if (!link.was_reset) {
    if (link.received != link.written)
      table_.violate(fmt::format("FIN after {} of {} bytes", link.received.load(), link.written.load()));
    ++table_.figures.fins_checked;
  }
  if (any(2) == 0 || link.sent >= one.to_send) finish(one);  // Else it goes on sending to who is leaving.
}

void Clients::send(One& one) {
  Link& link = *one.link;
  const std::uint64_t sent = link.sent;
  const std::size_t size = std::min<std::uint64_t>(one.to_send - sent, 1 + any(4'000));
  if (size > 0) {
    fill(std::span{buffer_}.first(size), link.name, Direction::up, sent);
    const ssize_t taken = ::send(one.fd, buffer_.data(), size, MSG_NOSIGNAL);
    if (taken < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (taken < 0) return on_reset(one);
    link.sent = sent + static_cast<std::uint64_t>(taken);
    one.progress = Clock::now();
  }
  if (link.sent == one.to_send && one.end == End::polite) finish(one);
}

void Clients::finish(One& one) {
  if (one.finished) return;
  one.finished = true;
  if (::shutdown(one.fd, SHUT_WR) != 0) return on_reset(one);
  ++table_.figures.half_closes_by_clients;
}

// ---- leave

// What had arrived before the reset can still be read, and counts.
void Clients::on_reset(One& one) {
  one.link->was_reset = true;
  ++table_.figures.resets_seen;
  for (;;) {
    const ssize_t came = ::recv(one.fd, buffer_.data(), buffer_.size(), 0);
    if (came <= 0) break;
    on_received(one, static_cast<std::size_t>(came));
  }
  close(one);
}

void Clients::leave_if_due(One& one, bool is_idle) {
  Link& link = *one.link;
  const bool is_sated = link.sent >= one.to_send && link.received >= link.sent;
  const bool is_due = is_idle || is_sated || one.saw_end || link.sent + link.received >= one.leave_at;
  if (one.end == End::polite || !is_due) return;
  link.left = true;
  if (one.end == End::reset) {
    const linger now{1, 0};
    ::setsockopt(one.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ++table_.figures.resets_by_clients;
  }
  close(one);
}

void Clients::stall_sometimes(One& one, Clock::time_point now) {
  if (orders_.cycles > 0) return;
  if (any(60) != 0) return;
  ++table_.figures.stalls;
  one.stalled_until = now + std::chrono::milliseconds{any(12) == 0 ? 200 + any(300) : any(40)};
}

void Clients::check_progress(One& one, Clock::time_point now) {
  if (!one.connecting && now - one.progress > idle_max && now >= one.stalled_until) leave_if_due(one, true);
  if (one.fd < 0 || now - one.progress < test::patience) return;
  const Link& link = *one.link;
  table_.violate(fmt::format("a client waits for ever: {} of {} sent, {} of {} received{}{}{}{}",
                             link.sent.load(), one.to_send, link.received.load(), link.written.load(),
                             one.connecting ? ", connecting" : "", one.finished ? ", finished" : "",
                             link.named ? "" : ", unknown to the server", link.closing ? ", closing" : ""));
  one.link->left = true;
  close(one);
}

void Clients::close(One& one) {
  ::close(one.fd);
  one.fd = -1;
  table_.end_client(*one.link);
  one.link.reset();
}

}  // namespace ringwire::torture
