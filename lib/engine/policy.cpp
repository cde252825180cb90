// Round-robin, least connections, source hash, and asking the user's own.
#include "lib/engine/policy.hpp"

#include "lib/base/assert.hpp"
#include "lib/net/address.hpp"

#include <exception>

namespace ringwire::engine {
namespace {

// The finalizer of MurmurHash3 (public domain): each bit of the input changes each bit of the output.
std::uint64_t mix(std::uint64_t bits) noexcept {
  bits = (bits ^ (bits >> 33)) * 0xFF51'AFD7'ED55'8CCDU;
  bits = (bits ^ (bits >> 33)) * 0xC4CE'B9FE'1A85'EC53U;
  return bits ^ (bits >> 33);
}

}  // namespace

Policy::Policy(Balancing balancing, std::size_t loops) : balancing_{balancing}, loads_(loops) {
  RINGWIRE_ASSERT(loops > 0);
}

Policy::Policy(Balancing balancing, std::size_t loops, BalancingPolicy* custom, const base::Log& log)
    : Policy{balancing, loops} {
  custom_ = custom;
  log_ = &log;
}

void Policy::set_closed(std::size_t loop, std::uint64_t closed) noexcept {
  RINGWIRE_ASSERT(loop < loads_.size(), "loop {} of {}", loop, loads_.size());
  LoopLoad& load = loads_[loop];
  RINGWIRE_ASSERT(closed <= load.assigned, "{} closed of {} assigned", closed, load.assigned);
  const std::uint64_t before = load.assigned - load.active;
  RINGWIRE_ASSERT(closed >= before, "{} closed, before that {}", closed, before);
  load.active = load.assigned - closed;
}

std::size_t Policy::assign(const Address& peer) noexcept {
  const std::size_t loop = choose(peer);
  RINGWIRE_ASSERT(loop < loads_.size(), "loop {} of {}", loop, loads_.size());
  ++loads_[loop].assigned;
  ++loads_[loop].active;
  next_ = (loop + 1) % loads_.size();
  return loop;
}

std::size_t Policy::choose(const Address& peer) noexcept {
  if (custom_ != nullptr) return ask_custom(peer);
  if (balancing_ == Balancing::least_connections) return least_loaded();
  if (balancing_ == Balancing::source_hash) {
    // A unix socket's clients, and those that have gone already, have no address: loop after loop.
    const Address host = net::host_of(peer);
    if (host.family != Address::Family::none) return hash_of(host) % loads_.size();
  }
  return next_;
}

std::size_t Policy::ask_custom(const Address& peer) noexcept {
  try {
    const std::size_t loop = custom_->assign(peer, loads_);
    RINGWIRE_REQUIRE(loop < loads_.size(), "BalancingPolicy::assign answered loop {} of {}", loop,
                     loads_.size());
    return loop;
  } catch (...) {
    base::log_exception(*log_, "the balancing policy");
  }
  return next_;
}

std::size_t Policy::least_loaded() const noexcept {
  std::size_t best = next_;
  for (std::size_t step = 1; step < loads_.size(); ++step) {
    const std::size_t loop = (next_ + step) % loads_.size();
    if (active(loop) < active(best)) best = loop;
  }
  return best;
}

std::uint64_t hash_of(const Address& host) noexcept {
  std::uint64_t hash = host.zone;
  for (std::size_t half = 0; half < 2; ++half) {
    std::uint64_t bits = 0;
    for (std::size_t index = 0; index < 8; ++index) bits = bits << 8 | host.ip[half * 8 + index];
    hash = mix(hash ^ bits) + 0x9E37'79B9'7F4A'7C15U;
  }
  return mix(hash);
}

}  // namespace ringwire::engine
