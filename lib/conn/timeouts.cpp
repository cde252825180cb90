// When a connection has waited long enough: for bytes, for room, or for its end.
//
// Leaves to others: the wheel (the loop has one timer for each connection, set to `deadline`), and what moves
// the clocks: recv.cpp, send.cpp, conn.cpp. Invariant: whatever makes the deadline earlier marks the
// connection due, so that the flush moves the timer; one that fires too early looks again.
#include <ringwire/error.hpp>

#include "lib/base/duration.hpp"
#include "lib/conn/connection.hpp"

namespace ringwire::conn {
namespace {

// 0 means never, on both sides.
kernel::Nanoseconds sooner(kernel::Nanoseconds one, kernel::Nanoseconds other) noexcept {
  if (one == 0 || other == 0) return one + other;
  return one < other ? one : other;
}

bool is_over(kernel::Nanoseconds deadline, kernel::Nanoseconds now) noexcept {
  return deadline != 0 && deadline <= now;
}

}  // namespace

void Connection::note_receiving() noexcept {
  if (rare_ != nullptr) rare_->received_at = shared_.now;
}

std::chrono::milliseconds Connection::idle_timeout() const noexcept {
  return rare_ != nullptr ? rare_->idle_timeout : shared_.options.idle_timeout;
}

bool Connection::sends_in_full() const noexcept {
  return idle_timeout().count() == 0 && (rare_ == nullptr || rare_->write_timeout.count() == 0);
}

kernel::Nanoseconds Connection::idle_deadline() const noexcept {
  return idle_timeout().count() == 0 ? 0 : active_at_ + base::to_nanoseconds(idle_timeout());
}

// Not while we do not listen: then nothing can come.
kernel::Nanoseconds Connection::read_deadline() const noexcept {
  if (rare_->read_timeout.count() == 0 || eof_ || paused_ || is_inbound_full()) return 0;
  return rare_->received_at + base::to_nanoseconds(rare_->read_timeout);
}

kernel::Nanoseconds Connection::write_deadline() const noexcept {
  if (rare_->write_timeout.count() == 0 || outbound_.empty()) return 0;
  return rare_->taken_at + base::to_nanoseconds(rare_->write_timeout);
}

kernel::Nanoseconds Connection::lifetime_deadline() const noexcept {
  if (rare_->lifetime.count() == 0) return 0;
  return milestone_ + base::to_nanoseconds(rare_->lifetime);
}

kernel::Nanoseconds Connection::deadline() const noexcept {
  if (state_ == State::ending) return 0;
  if (state_ != State::open) return milestone_;
  if (rare_ == nullptr) return idle_deadline();
  return sooner(sooner(idle_deadline(), read_deadline()), sooner(write_deadline(), lifetime_deadline()));
}

void Connection::on_time(kernel::Nanoseconds now) noexcept {
  if (!is_over(deadline(), now)) return;

  if (state_ != State::open) return abandon(Error::close_timeout);
  if (rare_ != nullptr) {
    // Who takes nothing for so long will not take the rest.
    if (is_over(write_deadline(), now)) return abandon(Error::write_timeout);
    if (is_over(lifetime_deadline(), now)) return begin_close(Error::lifetime_ended);
    if (is_over(read_deadline(), now)) return begin_close(Error::read_timeout);
  }
  begin_close(Error::idle_timeout);
}

}  // namespace ringwire::conn
