// Round-robin and least connections.
#include "lib/engine/policy.hpp"

#include "lib/base/assert.hpp"

namespace ringwire::engine {

Policy::Policy(Balancing balancing, std::size_t loops) : balancing_{balancing}, loads_(loops) {
  RINGWIRE_ASSERT(loops > 0);
}

void Policy::set_closed(std::size_t loop, std::uint64_t closed) noexcept {
  RINGWIRE_ASSERT(loop < loads_.size(), "loop {} of {}", loop, loads_.size());
  RINGWIRE_ASSERT(closed >= loads_[loop].closed, "{} closed, before that {}", closed, loads_[loop].closed);
  RINGWIRE_ASSERT(closed <= loads_[loop].assigned, "{} closed of {} assigned", closed, loads_[loop].assigned);
  loads_[loop].closed = closed;
}

std::uint64_t Policy::active(std::size_t loop) const noexcept {
  return loads_[loop].assigned - loads_[loop].closed;
}

std::size_t Policy::assign() noexcept {
  const std::size_t loop = balancing_ == Balancing::round_robin ? next_ : least_loaded();
  RINGWIRE_ASSERT(loop < loads_.size(), "loop {} of {}", loop, loads_.size());
  ++loads_[loop].assigned;
  next_ = (loop + 1) % loads_.size();
  return loop;
}

std::size_t Policy::least_loaded() const noexcept {
  std::size_t best = next_;
  for (std::size_t step = 1; step < loads_.size(); ++step) {
    const std::size_t loop = (next_ + step) % loads_.size();
    if (active(loop) < active(best)) best = loop;
  }
  return best;
}

}  // namespace ringwire::engine
