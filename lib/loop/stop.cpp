// How a loop ends: say goodbye to each connection, cut off who stays too long, take back what is lent, leave.
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/duration.hpp"
#include "lib/loop/loop.hpp"
#include "lib/uring/prep.hpp"

namespace ringwire::loop {

void Loop::request_stop() noexcept {
  stop_requested_.store(true, std::memory_order_release);
  mailbox_->wake();
}

void Loop::begin_stop() noexcept {
  RINGWIRE_ASSERT(!stopping_);
  RINGWIRE_ASSERT(!cancel_all_armed_);

  stopping_ = true;
  stop_requested_.store(true, std::memory_order_relaxed);
  wheel_.cancel(tick_timer_);
  wheel_.arm(stop_timer_, shared_.now + base::to_nanoseconds(with_.options.stop_timeout));
  entrance_.begin_close();
  let_waiting_in();
  datagrams_.begin_close();
  dial_due_ = true;  // To be cancelled.
  connections_.for_each([](Client& client) { client.drain(); });
}

void Loop::cut_off() noexcept {
  RINGWIRE_ASSERT(stopping_);
  connections_.for_each([](Client& client) { client.abandon(Error::engine_stopped); });
  // What waits to be sent has had its time; but for what a connection's end has made somebody send: the next
  // flush takes that, however late this lap comes.
  if (is_alone() && !datagrams_.is_queueing()) datagrams_.give_up();
  // A connection that still comes in (a dial under way) is cut off at the next millisecond.
  wheel_.arm(stop_timer_, shared_.now + Wheel::tick);
}

// No connection is left, nor one on its way: nobody who might still send a datagram but other threads.
bool Loop::is_alone() const noexcept {
  return connections_.size() == 0 && dialing_.size() == 0;
}

bool Loop::is_empty() const noexcept {
  return is_alone() && datagrams_.is_closed() && entrance_.is_closed();
}

void Loop::flush_stop() noexcept {
  if (!is_empty() || cancel_all_armed_ || ring_.in_flight() == 0) return;
  // What is left are reads of the eventfd and the signalfd.
  event_due_ = false;
  signal_due_ = false;
  if (!make_room(1)) return;
  uring::prep_cancel_all(ring_.next_sqe({uring::Op::cancel_all, 0, 0}));
  cancel_all_armed_ = true;
}

}  // namespace ringwire::loop
