// From what connections want to SQEs. The only place that arms what a connection has due; once a lap.
#include "lib/base/assert.hpp"
#include "lib/loop/loop.hpp"

#include <utility>

namespace ringwire::loop {

void Loop::flush() noexcept {
  // First the buffers: a receive that is armed next may need one.
  RINGWIRE_ASSERT(pools_.held_count() == 0, "{} buffers were not given back", pools_.held_count());
  pools_.publish();
  queue_full_ = false;
  if (!entrance_.flush(ring_, shared_.now)) queue_full_ = true;
  // Not before: what a connection's last event has posted is read in the lap after it.
  if (!serving_ && is_alone() && sessions_.size() == 0) datagrams_.end_queueing();
  if (!datagrams_.flush(ring_, shared_.now)) queue_full_ = true;
  flush_dialing();
  // Two SQEs are the most a connection needs, and a linked pair must go out in one submit.
  while (!shared_.due.empty() && make_room(2)) {
    flush_connection(static_cast<Client&>(*shared_.due.pop_front()));
  }
  if (event_due_ && make_room(1)) arm_event();
  if (signal_due_ && make_room(1)) arm_signal();
  if (stopping_) flush_stop();
}

// What finds no room now stays due; nothing else would wake us for it.
bool Loop::make_room(unsigned count) noexcept {
  if (ring_.make_room(count)) return true;
  queue_full_ = true;
  return false;
}

void Loop::flush_connection(Client& client) noexcept {
  client.tell_held_back();
  if (client.wants_fin()) client.send_fin();
  client.end_if_both_ended();
  if (client.wants_close()) {
    client.arm_close(ring_);
  } else {
    if (client.wants_send()) client.arm_send(ring_);
    if (client.wants_recv()) {
      client.arm_recv(ring_);
    } else if (client.wants_pause()) {
      client.arm_pause(ring_);
    }
  }
  if (client.is_closed()) {
    RINGWIRE_ASSERT(!client.wants_close());
    // `send_fin` may have marked it due again.
    if (client.base::QueueLink<conn::Due>::linked()) shared_.due.remove(client);
    gone_.push_back(client);
  } else {
    move_timer(client);
  }
}

void Loop::move_timer(Client& client) noexcept {
  const kernel::Nanoseconds deadline = client.has_timeouts() ? client.deadline() : 0;
  Timer& timer = client.timer();
  if (deadline == 0) return wheel_.cancel(timer);
  // Activity moves the deadline away all the time; the timer is moved only when it would fire too late. Fired
  // too early, it looks again.
  if (!timer.armed() || deadline < timer.deadline()) wheel_.arm(timer, deadline);
}

void Loop::release() noexcept {
  while (conn::Connection* connection = gone_.pop_front()) {
    Client& client = static_cast<Client&>(*connection);
    react_to_end(client);
    RINGWIRE_ASSERT(client.is_closed());

    wheel_.cancel(client.timer());
    leave(client);
    count_drained(client);
    base::tally(count_of(shared_.metrics.closes, client.reason()));
    connections_.release(client.slot());
  }
  shared_.budget.publish(shared_.chunks.lent());  // Here, because what just died has given its memory back.
  count_lap();
  publish_counts();  // Before the loop sleeps.
}

}  // namespace ringwire::loop
