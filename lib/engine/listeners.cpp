// Opened in the order given; retired once.
#include "lib/engine/listeners.hpp"

#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/net/address.hpp"
#include "lib/net/datagrams.hpp"
#include "lib/net/inherited.hpp"
#include "lib/net/listener.hpp"
#include "lib/net/unix.hpp"

#include <algorithm>
#include <utility>

namespace ringwire::engine {

Listeners::~Listeners() {
  retire();
  if (handed_out_) return;
  for (const Open& each : open_) {
    for (const int fd : each.fds) kernel_.close(fd);
  }
  for (const DatagramSockets& each : datagrams_) {
    for (const int fd : each.fds) kernel_.close(fd);
  }
}

std::error_code Listeners::open(std::span<const std::string_view> addresses, const Options& options,
                                std::size_t takers) {
  RINGWIRE_ASSERT(!handed_out_);
  RINGWIRE_ASSERT(takers > 0);
  takers_ = options.reuse_port ? takers : 1;
  loops_count_ = takers;
  for (const std::string_view url : addresses) {
    const auto error = net::is_inherited(url) ? open_inherited(url) : open_place(url, options);
    if (error) return error;
  }
  return {};
}

std::error_code Listeners::open_place(std::string_view url, const Options& options) {
  net::Endpoint endpoint;
  if (const auto error = net::parse_endpoint(url, endpoint)) return error;
  if (endpoint.transport == net::Endpoint::Transport::datagram) return open_datagrams(endpoint, options);

  int fd = -1;
  Address bound;
  Open& opened = make_place();
  if (const auto error = net::open_listener(kernel_, endpoint, options, fd, bound)) return error;
  fill(opened, fd, bound);
  opened.has_file = net::identify_socket_file(kernel_, bound, opened.file);
  if (bound.family == Address::Family::unix_socket) return share(opened);

  // The others at the very same place, though port 0 was asked for or the name has many addresses.
  if (!endpoint.host.empty()) endpoint.host = bound.host();
  endpoint.port = bound.port;
  while (opened.fds.size() < takers_) {
    if (const auto error = net::open_listener(kernel_, endpoint, options, fd, bound)) return error;
    opened.fds.push_back(fd);
  }
  return {};
}

// What may throw, before there is a descriptor to lose.
Listeners::Open& Listeners::make_place() {
  addresses_.reserve(addresses_.size() + 1);
  Open& opened = open_.emplace_back();
  opened.fds.reserve(takers_);
  return opened;
}

void Listeners::fill(Open& opened, int fd, const Address& bound) noexcept {
  opened.fds.push_back(fd);
  opened.address = bound;
  addresses_.push_back(bound);
}

std::error_code Listeners::open_datagrams(const net::Endpoint& endpoint, const Options& options) {
  Address bound;
  std::vector<int> fds;
  if (const auto error = net::open_datagram_sockets(kernel_, endpoint, options, loops_count_, fds, bound)) {
    return error;
  }
  datagrams_.push_back({open_.size(), std::move(fds)});
  open_.push_back({{}, bound});
  addresses_.push_back(bound);
  return {};
}

std::error_code Listeners::open_inherited(std::string_view url) {
  std::vector<int> given;
  if (const auto error = net::find_inherited(kernel_, url, given)) return error;
  for (const int each : given) {
    int fd = -1;
    Address bound;
    Open& opened = make_place();
    if (const auto error = net::adopt_listener(kernel_, url, each, fd, bound)) return error;
    fill(opened, fd, bound);  // A unix socket's file stays: it is of whoever bound it.
    if (const auto error = share(opened)) return error;
  }
  return {};
}

// One socket for all takers: whoever is first gets the client.
std::error_code Listeners::share(Open& opened) {
  while (opened.fds.size() < takers_) {
    const int fd = kernel_.duplicate(opened.fds.front());
    if (fd < 0) return base::to_error(fd);
    opened.fds.push_back(fd);
  }
  return {};
}

bool Listeners::has_streams() const noexcept {
  return std::any_of(open_.begin(), open_.end(), [](const Open& each) { return !each.fds.empty(); });
}

std::vector<std::vector<Listeners::Listener>> Listeners::hand_out() {
  RINGWIRE_ASSERT(!handed_out_);
  std::vector<std::vector<Listener>> all(takers_);
  for (const Open& each : open_) {
    if (each.fds.empty()) continue;  // Of udp, each loop has taken his own.
    RINGWIRE_ASSERT(each.fds.size() == takers_, "{} sockets for {}", each.fds.size(), takers_);
    for (std::size_t taker = 0; taker < takers_; ++taker) {
      all[taker].push_back({each.fds[taker], each.address.family != Address::Family::unix_socket});
    }
  }
  handed_out_ = true;  // Only now, when nothing can fail any more: until then they are ours to close.
  return all;
}

std::error_code Listeners::duplicate(std::size_t index, int& fd) {
  const std::lock_guard lock{mutex_};
  RINGWIRE_REQUIRE(index < open_.size(), "listener {} of {}", index, open_.size());
  if (open_[index].fds.empty()) return std::make_error_code(std::errc::operation_not_supported);
  if (retired_) return Error::engine_stopped;
  const int result = kernel_.duplicate(open_[index].fds.front());
  if (result < 0) return base::to_error(result);
  open_[index].has_file = false;
  fd = result;
  return {};
}

void Listeners::retire() noexcept {
  const std::lock_guard lock{mutex_};
  if (std::exchange(retired_, true)) return;
  for (const Open& each : open_) {
    if (each.has_file) net::remove_socket_file(kernel_, each.address, each.file);
  }
}

}  // namespace ringwire::engine
