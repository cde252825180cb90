// Where connected sockets become connections: accepted here, handed over by the balancer, or dialled.
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/loop/admission.hpp"
#include "lib/loop/loop.hpp"
#include "lib/net/socket.hpp"
#include "lib/net/tuning.hpp"

#include <new>

namespace ringwire::loop {

void Loop::enter(const Entrance::Entered& entered) noexcept {
  if (entered.fd >= 0) adopt(entered.fd, conn::Origin::accepted, entered.arrival);
}

void Loop::let_waiting_in() noexcept {
  for (auto entered = entrance_.take_waiting(); entered.fd >= 0; entered = entrance_.take_waiting()) {
    enter(entered);
  }
}

void Loop::leave(const Client& client) noexcept {
  if (client.origin() != conn::Origin::accepted) return;
  ++accepted_closed_;
  if (with_.admission != nullptr) with_.admission->leave(client.pass);
}

Client* Loop::adopt(int fd, conn::Origin origin, const Arrival& arrival) noexcept {
  RINGWIRE_ASSERT(fd >= 0);

  Client* client = nullptr;
  try {
    client = connections_.acquire(shared_, fd, origin);
  } catch (const std::bad_alloc&) {
    with_.log.warn("no memory for another connection; it was reset");
  }
  if (client == nullptr) {
    refuse(fd, origin, arrival);
    return nullptr;
  }
  client->pass = arrival.pass;
  base::tally(origin == conn::Origin::accepted ? shared_.metrics.accepted : shared_.metrics.connected);

  if (arrival.is_tcp) net::tune_connection(with_.kernel, fd, with_.options);
  publish_counts();
  react_to_open(*client);
  return client;
}

void Loop::enroll(int fd, bool is_tcp, Connected done) noexcept {
  if (stopping_) {
    with_.kernel.close(fd);
    return tell_connected(done, nullptr, Error::engine_stopped);
  }
  conn::Connection* connection = adopt(fd, conn::Origin::connected, {.is_tcp = is_tcp});
  tell_connected(done, connection,
                 connection != nullptr ? std::error_code{}
                                       : std::make_error_code(std::errc::resource_unavailable_try_again));
}

void Loop::refuse(int fd, conn::Origin origin, const Arrival& arrival) noexcept {
  net::close_with_reset(with_.kernel, fd);
  if (origin == conn::Origin::accepted) {
    base::tally(shared_.metrics.refused);
    ++accepted_closed_;
    if (with_.admission != nullptr) with_.admission->leave(arrival.pass);
  }
  publish_counts();
}

void Loop::on_handoff(const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(has_balancer_);
  handoffs_received_ = (handoffs_received_ + 1) % handoffs_modulus;
  adopt(done.res, conn::Origin::accepted, Arrival::of(done.token));
  if (handoffs_received_ == handoffs_expected_) begin_stop();
}

void Loop::on_handoff_end(const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(has_balancer_);
  RINGWIRE_ASSERT(!handoffs_expected_);

  handoffs_expected_ = static_cast<std::uint32_t>(done.res);
  if (handoffs_received_ == handoffs_expected_) begin_stop();
}

}  // namespace ringwire::loop
