// What Linux's sockets answer, in the order they look: error, bytes, end.
#include "lib/kernel/sim/stream.hpp"

#include "lib/base/assert.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ringwire::kernel::sim {

int Stream::send(unsigned side, std::span<const std::byte> bytes) {
  End& end = ends_[side];
  Direction& out = directions_[side];
  RINGWIRE_ASSERT(!end.closed);
  if (end.error != 0) return -std::exchange(end.error, 0);
  if (end.dead || out.fin_sent) return -EPIPE;
  if (bytes.empty()) return 0;

  const std::size_t room = capacity_ - std::min(capacity_, out.flight.size() + out.arrived.size());
  const std::size_t size = std::min(room, bytes.size());
  if (size == 0) return -EAGAIN;
  const std::size_t before = out.flight.size();
  out.flight.resize(before + size);
  std::memcpy(out.flight.data() + before, bytes.data(), size);
  out.sent += size;
  return static_cast<int>(size);
}

int Stream::recv(unsigned side, std::span<std::byte> target) noexcept {
  End& end = ends_[side];
  Direction& in = directions_[other(side)];
  RINGWIRE_ASSERT(!end.closed);
  if (!in.arrived.empty()) {
    const std::size_t size = std::min(target.size(), in.arrived.size());
    std::memcpy(target.data(), in.arrived.data(), size);
    in.arrived.erase(0, size);
    in.received += size;
    return static_cast<int>(size);
  }
  if (in.fin_arrived) return 0;
  if (end.error != 0) return -std::exchange(end.error, 0);
  return end.dead ? 0 : -EAGAIN;
}

int Stream::shut_write(unsigned side) noexcept {
  RINGWIRE_ASSERT(!ends_[side].closed);
  if (ends_[side].dead) return -ENOTCONN;
  directions_[side].fin_sent = true;
  return 0;
}

void Stream::close(unsigned side, bool reset) noexcept {
  RINGWIRE_ASSERT(!ends_[side].closed);
  ends_[side].closed = true;
  Direction& out = directions_[side];
  if (ends_[side].dead) return;
  if (reset || !directions_[other(side)].arrived.empty()) {
    ends_[side].dead = true;
    out.flight.clear();
    out.rst_sent = true;
  } else {
    out.fin_sent = true;
  }
}

void Stream::fail(int error, unsigned told) noexcept {
  hurt = true;
  for (const unsigned side : {0U, 1U}) {
    kill(side, error);
    if (side == told) ends_[side].error = 0;
  }
}

void Stream::kill(unsigned side, int error) noexcept {
  if (ends_[side].dead) return;
  ends_[side].dead = true;
  ends_[side].error = error;
  directions_[side].flight.clear();
}

void Stream::reset(unsigned side) noexcept {
  kill(side, from(other(side)).fin_arrived ? EPIPE : ECONNRESET);
}

bool Stream::can_recv(unsigned side) const noexcept {
  const Direction& in = from(other(side));
  return !in.arrived.empty() || ends_[side].error != 0 || ends_[side].dead || in.fin_arrived;
}

bool Stream::can_send(unsigned side) const noexcept {
  const Direction& out = from(side);
  if (ends_[side].error != 0 || ends_[side].dead || out.fin_sent) return true;
  return out.flight.size() + out.arrived.size() < capacity_;
}

bool Stream::ended(unsigned side) const noexcept {
  const Direction& in = from(other(side));
  return in.fin_arrived && in.arrived.empty();
}

bool Stream::in_flight(unsigned side) const noexcept {
  const Direction& out = from(side);
  if (ends_[other(side)].dead) return false;  // A reset socket takes nothing any more.
  if (out.rst_sent) return true;
  if (ends_[side].dead) return false;
  return !out.flight.empty() || (out.fin_sent && !out.fin_arrived);
}

void Stream::deliver(unsigned side, std::size_t size, bool with_end) {
  Direction& out = directions_[side];
  if (!in_flight(side)) return;
  if (std::exchange(out.rst_sent, false)) return reset(other(side));

  size = std::min(size, out.flight.size());
  if (size > 0 && ends_[other(side)].closed) return reset(side);  // Nobody there: answered by RST.
  const bool had_bytes = !out.flight.empty();
  out.arrived.append(out.flight, 0, size);
  out.flight.erase(0, size);
  if (out.flight.empty() && out.fin_sent && (with_end || !had_bytes)) out.fin_arrived = true;
}

}  // namespace ringwire::kernel::sim
