// Opened in the order given; retired once.
#include "lib/engine/listeners.hpp"

#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/net/address.hpp"
#include "lib/net/listener.hpp"
#include "lib/net/unix.hpp"

#include <utility>

namespace ringwire::engine {

Listeners::~Listeners() {
  retire();
  if (handed_out_) return;
  for (const Open& each : open_) kernel_.close(each.fd);
}

std::error_code Listeners::open(std::span<const std::string_view> addresses, const Options& options) {
  RINGWIRE_ASSERT(!handed_out_);
  for (const std::string_view address : addresses) {
    net::Endpoint endpoint;
    if (const auto error = net::parse_endpoint(address, endpoint)) return error;

    Open opened{-1, {}};
    if (const auto error =
            net::open_listener(kernel_, endpoint, options.backlog, opened.fd, opened.address)) {
      return error;
    }
    opened.has_file = net::identify_socket_file(kernel_, opened.address, opened.file);
    open_.push_back(opened);
    addresses_.push_back(opened.address);
  }
  return {};
}

std::vector<Listeners::Listener> Listeners::hand_out() {
  RINGWIRE_ASSERT(!handed_out_);
  handed_out_ = true;
  std::vector<Listener> all;
  for (const Open& each : open_) {
    all.push_back({each.fd, each.address.family != Address::Family::unix_socket});
  }
  return all;
}

std::error_code Listeners::duplicate(std::size_t index, int& fd) {
  const std::lock_guard lock{mutex_};
  RINGWIRE_REQUIRE(index < open_.size(), "listener {} of {}", index, open_.size());
  if (retired_) return Error::engine_stopped;
  const int result = kernel_.duplicate(open_[index].fd);
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
