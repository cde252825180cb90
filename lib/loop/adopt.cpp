// Where connected sockets become connections: accepted here, handed over by the balancer, or dialled.
#include "lib/base/assert.hpp"
#include "lib/loop/loop.hpp"
#include "lib/net/socket.hpp"

#include <new>

namespace ringwire::loop {

Client* Loop::adopt(int fd, conn::Origin origin, bool is_tcp) noexcept {
  RINGWIRE_ASSERT(fd >= 0);

  Client* client = nullptr;
  try {
    client = connections_.acquire(shared_, fd, origin);
  } catch (const std::bad_alloc&) {
    with_.log.warn("no memory for another connection; it was reset");
  }
  if (client == nullptr) {
    refuse(fd, origin);
    return nullptr;
  }

  // A peer that has gone already makes these fail; the first receive tells.
  if (is_tcp && with_.options.tcp_no_delay) static_cast<void>(net::set_no_delay(with_.kernel, fd, true));
  if (is_tcp && with_.options.tcp_keepalive.count() != 0) {
    static_cast<void>(net::set_keepalive(with_.kernel, fd, with_.options.tcp_keepalive));
  }
  publish_counts();
  react_to_open(*client);
  return client;
}

void Loop::refuse(int fd, conn::Origin origin) noexcept {
  static_cast<void>(net::set_reset_on_close(with_.kernel, fd));
  with_.kernel.close(fd);
  ++refused_;
  if (origin == conn::Origin::accepted) ++accepted_closed_;
  publish_counts();
}

void Loop::on_handoff(const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(has_balancer_);
  handoffs_received_ = (handoffs_received_ + 1) % handoffs_modulus;
  adopt(done.res, conn::Origin::accepted, Arrival::of(done.token).is_tcp);
  if (handoffs_received_ == handoffs_expected_) begin_stop();
}

void Loop::on_handoff_end(const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(has_balancer_);
  RINGWIRE_ASSERT(!handoffs_expected_);

  handoffs_expected_ = static_cast<std::uint32_t>(done.res);
  if (handoffs_received_ == handoffs_expected_) begin_stop();
}

}  // namespace ringwire::loop
