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
  if (&timer == &tick_timer_) return tick();
  if (&timer == &stop_timer_) return cut_off();
  if (&timer == &drain_timer_) return tell_leaving();

  const auto token = uring::Token::unpack(timer.token());
  if (token.op == uring::Op::timer) return run_scheduled(timer);
  if (token.op == uring::Op::session) return sessions_.on_timer(token, shared_.now);
  if (token.op == uring::Op::connect) {
    Dialing* dialing = dialing_.find(token.slot, token.generation);
    RINGWIRE_ASSERT(dialing != nullptr, "a timer of slot {} outlived its connect", token.slot);
    return give_up_dial(*dialing, std::make_error_code(std::errc::timed_out));
  }
  Client* client = connections_.find(token.slot, token.generation);
  RINGWIRE_ASSERT(client != nullptr, "a timer of slot {} outlived its connection", token.slot);
  client->on_time(shared_.now);
  move_timer(*client);
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
