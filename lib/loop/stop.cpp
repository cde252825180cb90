// How a loop ends: say goodbye to each connection, cut off who stays too long, take back what is lent, leave.
// Meanwhile a drain goes on with what has no connection to say goodbye to: ticks, and datagrams.
//
//   begin_stop          on_drain, one by one            cut_off            nothing lent
//   serving ──▶ telling ────────────────────▶ waiting ──────────▶ empty ──────────────▶ ended
//                  └───────────── told_by ──────┘  deadline
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/duration.hpp"
#include "lib/loop/loop.hpp"
#include "lib/uring/prep.hpp"

#include <algorithm>
#include <utility>

namespace ringwire::loop {

void Loop::request_stop() noexcept {
  stop_requested_.store(true, std::memory_order_release);
  mailbox_->wake();
}

void Loop::plan_drain(const DrainPlan& plan) noexcept {
  RINGWIRE_ASSERT(plan.told_by <= plan.deadline);
  shared_plan_.shorten(plan);
  mailbox_->wake();
}

void Loop::begin_stop() noexcept {
  RINGWIRE_ASSERT(!stopping_);
  RINGWIRE_ASSERT(!cancel_all_armed_);

  stopping_ = true;
  stop_requested_.store(true, std::memory_order_relaxed);
  if (shared_plan_.read() == DrainPlan{}) {
    shared_plan_.shorten(
        {shared_.now, shared_.now + base::to_nanoseconds(with_.options.stop_timeout), false});
  }
  untold_ = connections_.size();
  next_told_at_ = shared_.now;
  entrance_.begin_close();
  let_waiting_in();
  dial_due_ = true;  // To be cancelled.
  follow_plan();
}

// At the beginning, and when the plan has become shorter.
void Loop::follow_plan() noexcept {
  RINGWIRE_ASSERT(stopping_);
  plan_ = shared_plan_.read();
  wheel_.arm(stop_timer_, plan_.deadline);
  next_told_at_ = std::min(next_told_at_, plan_.told_by);
  if (!plan_.serves) end_serving();
  tell_leaving();
}

// A drain that was hastened has done so before its deadline.
void Loop::end_serving() noexcept {
  RINGWIRE_ASSERT(stopping_);
  if (!std::exchange(serving_, false)) return;
  wheel_.cancel(tick_timer_);
  datagrams_.begin_close();
}

// Those who were there when the stop began, in the order of their slots; who came later was told at once. If
// some leave untold, the others have more time between them.
void Loop::tell_leaving() noexcept {
  RINGWIRE_ASSERT(next_told_at_ <= plan_.told_by);
  while (untold_ > 0 && next_told_at_ <= shared_.now) {
    Client* client = connections_.at(next_told_);
    while (client == nullptr || client->is_draining()) {
      ++next_told_;
      RINGWIRE_ASSERT(next_told_ < connections_.slots_end(), "{} of {} are untold", untold_,
                      connections_.size());
      client = connections_.at(next_told_);
    }
    next_told_at_ += (plan_.told_by - next_told_at_) / untold_;
    --untold_;
    tell_leaving_to(*client);
  }
  if (untold_ > 0) wheel_.arm(drain_timer_, next_told_at_);
}

void Loop::tell_leaving_to(Client& client) noexcept {
  RINGWIRE_ASSERT(!client.is_draining());
  client.drain();
}

void Loop::cut_off() noexcept {
  RINGWIRE_ASSERT(stopping_);
  // A lap that comes late finds both times past: nobody is cut off before he is told.
  tell_leaving();
  react();
  end_serving();
  connections_.for_each([](Client& client) { client.abandon(Error::engine_stopped); });
  // What waits to be sent has had its time; but for what a connection's end has made somebody send: the next
  // flush takes that, however late this lap comes.
  if (is_alone() && !datagrams_.is_queueing()) datagrams_.give_up();
  // A connection that still comes in (a dial under way) is cut off at the next millisecond.
  wheel_.arm(stop_timer_, shared_.now + Wheel::tick);
}

void Loop::count_drained(const Client& client) noexcept {
  if (!stopping_) return;
  if (!client.is_draining()) --untold_;
  ++(client.reason() == Error::engine_stopped ? drained_.cut_off : drained_.closed);
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
