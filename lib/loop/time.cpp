// What happens because time passes: idle connections, ticks, the end of patience.
#include "lib/base/assert.hpp"
#include "lib/base/duration.hpp"
#include "lib/loop/loop.hpp"

#include <algorithm>
#include <chrono>

namespace ringwire::loop {

std::int64_t Loop::wait_time() noexcept {
  return time_until(with_, std::min({wheel_.next().value_or(UINT64_MAX), entrance_.first_resume(),
                                     datagrams_.first_resume()}));
}

void Loop::on_timer(Timer& timer) noexcept {
  switch (timer.of()) {
    case TimerOf::loop:
      if (&timer == &tick_timer_) return tick();
      if (&timer == &stop_timer_) return cut_off();
      RINGWIRE_ASSERT(&timer == &drain_timer_);
      return tell_leaving();
    case TimerOf::task:
      return run_scheduled(timer);
    case TimerOf::dial: {
      const auto& named = static_cast<const SlotTimer&>(timer);
      Dialing* dialing = dialing_.find(named.slot, named.generation);
      RINGWIRE_ASSERT(dialing != nullptr, "a timer of slot {} outlived its connect", named.slot);
      return give_up_dial(*dialing, std::make_error_code(std::errc::timed_out));
    }
    case TimerOf::connection: {
      Client& client = static_cast<Client&>(timer);
      client.on_time(shared_.now);
      return move_timer(client);
    }
    case TimerOf::session:
      return sessions_.on_timer(static_cast<const SlotTimer&>(timer), shared_.now);
  }
}

void Loop::run_scheduled(Timer& timer) noexcept {
  Timers& timers = mailbox_->timers();
  Task* task = timers.begin(timer);
  if (task == nullptr) return;  // Cancelled by another thread a moment ago.
  guard("a scheduled task", [&] { (*task)(); });
  timers.end(timer);
}

void Loop::tick() noexcept {
  Tick next{std::chrono::seconds{1}};
  guard("on_tick", [&] { next = with_.handler.on_tick(); });

  const auto delay = std::max(next.delay, std::chrono::milliseconds{1});
  wheel_.arm(tick_timer_, shared_.now + base::to_nanoseconds(delay));
  obey(nullptr, next.action);
}

}  // namespace ringwire::loop
