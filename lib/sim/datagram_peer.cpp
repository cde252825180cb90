// Receiving all there is, sending one.
#include "lib/sim/datagram_peer.hpp"

#include "lib/base/assert.hpp"

#include <utility>

namespace ringwire::sim {

SimDatagramPeer::SimDatagramPeer(kernel::sim::SimKernel& kernel)
    : kernel_{kernel}, end_{std::make_shared<kernel::sim::DatagramEnd>()}, port_{kernel.free_port()} {
  const int result = kernel_.datagrams().bind(end_, port_);
  RINGWIRE_ASSERT(result == 0, "port {} is taken", port_);
}

void SimDatagramPeer::leave() noexcept {
  end_ = nullptr;
  outbox_.clear();
}

bool SimDatagramPeer::can_move() const noexcept {
  if (is_gone()) return false;
  return !end_->queue.empty() || (!outbox_.empty() && kernel_.datagrams().can_send(port_));
}

void SimDatagramPeer::move() {
  RINGWIRE_ASSERT(!is_gone());
  for (kernel::sim::Packet& packet : std::exchange(end_->queue, {})) received_.push_back(std::move(packet));
  if (outbox_.empty() || !kernel_.datagrams().can_send(port_)) return;
  const int result = kernel_.datagrams().send(std::move(outbox_.front()));
  RINGWIRE_ASSERT(result >= 0, "a peer's datagram is too long");
  outbox_.pop_front();
}

}  // namespace ringwire::sim
