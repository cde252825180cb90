// Counting what a loop alone can see, and showing all of it to others.
#include "lib/loop/metrics.hpp"

#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/loop/loop.hpp"

#include <algorithm>
#include <bit>

namespace ringwire::loop {

LoopMetrics read_metrics(const LoopMetrics& counted) noexcept {
  MetricWords words;
  const auto* first = static_cast<const std::uint64_t*>(static_cast<const void*>(&counted));
  for (std::size_t index = 0; index < words.size(); ++index) words[index] = base::read_tally(first[index]);
  return std::bit_cast<LoopMetrics>(words);
}

std::uint64_t& count_of(CloseCounts& closes, std::error_code reason) noexcept {
  if (!reason) return closes.ours;
  if (reason.category() != error_category()) {
    return reason == std::errc::not_enough_memory ? closes.other : closes.network;
  }
  switch (static_cast<Error>(reason.value())) {
    case Error::end_of_stream:
      return closes.peer;
    case Error::idle_timeout:
    case Error::read_timeout:
    case Error::write_timeout:
    case Error::lifetime_ended:
    case Error::close_timeout:
      return closes.timeout;
    case Error::outbound_limit:
      return closes.outbound_limit;
    case Error::handler_failed:
      return closes.handler_failed;
    case Error::engine_stopped:
      return closes.engine_stopped;
    default:
      return closes.other;
  }
}

void add_lap(LapTimes& times, std::uint64_t nanoseconds) noexcept {
  // Bounds are inclusive: 1,024 ns are in bucket 0, 1,025 in bucket 1.
  const auto steps =
      static_cast<std::size_t>(std::bit_width((std::max<std::uint64_t>(nanoseconds, 1) - 1) >> 10));
  base::tally(times.counts[std::min(steps, LapTimes::buckets_count - 1)]);
  base::tally(times.nanoseconds, nanoseconds);
}

// The clock is read once more for it: 25 ns through the vDSO, measured. So it needs no option: what it tells
// (a handler that blocks its loop) is what people ask first.
void Loop::count_lap() noexcept {
  const kernel::Nanoseconds now = with_.kernel.now();
  RINGWIRE_ASSERT(now >= shared_.now, "the clock went back by {} ns", shared_.now - now);
  base::tally(shared_.metrics.laps);
  add_lap(shared_.metrics.lap_times, now - shared_.now);
}

void Loop::publish_counts() noexcept {
  LoopMetrics& metrics = shared_.metrics;
  base::set_tally(metrics.connections, connections_.size());
  base::set_tally(metrics.sessions, sessions_.size());
  base::set_tally(metrics.recv_buffers_free, pools_.of(false).free_count());
  base::set_tally(metrics.accept_pauses, entrance_.pauses_count());
  base::set_tally(metrics.enters, ring_.counts().enters);
  base::set_tally(metrics.completions, ring_.counts().completions);
  base::set_tally(metrics.cq_overflows, ring_.counts().overflows);

  counts_.accepted_closed.store(accepted_closed_, std::memory_order_relaxed);
  counts_.drain_closed.store(drained_.closed, std::memory_order_relaxed);
  counts_.drain_cut_off.store(drained_.cut_off, std::memory_order_relaxed);
}

LoopMetrics Loop::metrics() const noexcept {
  LoopMetrics metrics = read_metrics(shared_.metrics);
  metrics.mailbox_letters = mailbox_->size();
  metrics.timers = mailbox_->timers().count();
  metrics.datagrams = datagrams_.counts();
  return metrics;
}

}  // namespace ringwire::loop
