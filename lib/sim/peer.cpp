// A client's small state machine: read, write, FIN, gone.
#include "lib/sim/peer.hpp"

#include <ringwire/bytes.hpp>

#include "lib/base/assert.hpp"
#include "lib/kernel/sim/files.hpp"

#include <array>
#include <cerrno>
#include <span>

namespace ringwire::sim {

std::uint16_t SimPeer::port() const noexcept {
  return stream_ == nullptr ? 0 : kernel::sim::port_of(stream_->names[side_]);
}

void SimPeer::reset() noexcept {
  if (is_gone()) return;
  stream_->close(side_, true);
  gone_ = true;
}

void SimPeer::fail(int error) noexcept {
  error_ = error;
  stream_->close(side_, false);
  gone_ = true;
}

bool SimPeer::can_move() const noexcept {
  if (is_gone()) return false;
  if (ended_ && finished_) return true;
  if (reading_ && !ended_ && stream_->can_recv(side_)) return true;
  if (!outbox_.empty()) return stream_->can_send(side_);
  return finishing_ && !finished_;
}

void SimPeer::move(kernel::sim::Choices& choices, bool plainly) {
  RINGWIRE_ASSERT(!is_gone());
  if (reading_ && !ended_) read();
  if (!gone_) write(choices, plainly);
  if (gone_ || !ended_ || !finished_) return;
  stream_->close(side_, false);
  gone_ = true;
}

void SimPeer::read() {
  std::array<std::byte, 512> bytes;
  while (stream_->can_recv(side_)) {
    const int result = stream_->recv(side_, bytes);
    if (result < 0) return fail(-result);
    if (result == 0) {
      ended_ = stream_->ended(side_);
      if (!ended_) fail(ECONNRESET);
      return;
    }
    received_ += to_text(std::span{bytes}.first(static_cast<std::size_t>(result)));
  }
}

void SimPeer::write(kernel::sim::Choices& choices, bool plainly) {
  while (!outbox_.empty() && stream_->can_send(side_)) {
    std::size_t size = outbox_.size();
    if (!plainly) size = 1 + choices.draw_size(static_cast<std::uint32_t>(size));
    const int result = stream_->send(side_, to_bytes(std::string_view{outbox_}.substr(0, size)));
    if (result == -EAGAIN) return;
    if (result < 0) return fail(-result);
    outbox_.erase(0, static_cast<std::size_t>(result));
    sent_ += static_cast<std::size_t>(result);
    if (!plainly) break;
  }
  if (!finishing_ || finished_ || !outbox_.empty()) return;
  finished_ = true;
  if (const int result = stream_->shut_write(side_); result < 0) fail(-result);
}

}  // namespace ringwire::sim
