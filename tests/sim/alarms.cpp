// Each task looks itself up in the model when it runs, and when it dies.
#include "tests/sim/alarms.hpp"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>
#include <utility>

namespace ringwire::test {
namespace {

constexpr kernel::Nanoseconds tick = 1'000'000;
constexpr std::size_t alarms_max = 64;

}  // namespace

// Lives in the task; its end is the task's.
class Alarms::Life {
 public:
  Life(Alarms& all, Alarm& alarm) noexcept : all_{all}, alarm_{&alarm} {}
  Life(Life&& other) noexcept : all_{other.all_}, alarm_{std::exchange(other.alarm_, nullptr)} {}
  Life& operator=(Life&&) = delete;
  ~Life() {
    if (alarm_ == nullptr) return;
    if (alarm_->destroyed) all_.violate("a scheduled task was destroyed twice");
    alarm_->destroyed = true;
  }

  void operator()() { all_.run(*alarm_); }

 private:
  Alarms& all_;
  Alarm* alarm_;
};

void Alarms::violate(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

void Alarms::act(const LoopRef& loop) {
  if (calm_) return;
  if (alarms_.empty() || (choices_.draw(3) != 0 && alarms_.size() < alarms_max)) return set(loop);
  cancel(alarms_[choices_.draw(static_cast<std::uint32_t>(alarms_.size()))]);
}

void Alarms::set(const LoopRef& loop) {
  const std::chrono::milliseconds delay{choices_.draw(40)};
  const bool repeats = choices_.draw(3) == 1;
  const auto wait = static_cast<kernel::Nanoseconds>(std::chrono::nanoseconds{delay}.count());
  Alarm& alarm = alarms_.emplace_back();
  alarm.period = repeats ? std::max(wait, tick) : 0;
  alarm.due = kernel_.now() + (repeats ? alarm.period : wait);
  alarm.ref =
      repeats ? loop.schedule_every(delay, Life{*this, alarm}) : loop.schedule(delay, Life{*this, alarm});
  if (!alarm.ref && !alarm.destroyed) violate("a task that was refused lives on");
}

void Alarms::cancel(Alarm& alarm) {
  const bool could_run = alarm.ref && !alarm.destroyed && !alarm.cancelled;
  const bool answer = alarm.ref.cancel();
  if (answer && !could_run) violate("a cancel of what is over was answered true");
  if (answer) alarm.cancelled = true;
}

void Alarms::run(Alarm& alarm) {
  const kernel::Nanoseconds now = kernel_.now();
  if (now < alarm.due) violate(fmt::format("a scheduled task ran {} ns early", alarm.due - now));
  if (alarm.cancelled) violate("a scheduled task ran after its cancel");
  if (alarm.destroyed) violate("a scheduled task ran after its end");
  if (++alarm.runs > 1 && alarm.period == 0) violate("a scheduled task ran twice");
  if (alarm.period == 0) {
    alarm.due = UINT64_MAX;
    return;
  }
  while (alarm.due <= now) alarm.due += alarm.period;
  if (choices_.draw(8) == 1) cancel(alarm);
  if (choices_.draw(16) == 1) throw std::runtime_error("a whim of a task");
}

void Alarms::calm_down() {
  calm_ = true;
  for (Alarm& alarm : alarms_) {
    if (alarm.period != 0) cancel(alarm);
  }
}

std::string Alarms::check_quiet(kernel::Nanoseconds time) const {
  for (const Alarm& alarm : alarms_) {
    if (alarm.destroyed || alarm.cancelled || alarm.due == UINT64_MAX) continue;
    // On the first tick after it is due.
    const kernel::Nanoseconds latest = (alarm.due + tick - 1) / tick * tick;
    if (latest <= time)
      return fmt::format("everything sleeps though a task was due {} ns ago", time - alarm.due);
  }
  return {};
}

std::string Alarms::check_end() const {
  for (const Alarm& alarm : alarms_) {
    if (!alarm.destroyed) return "a scheduled task outlived its loop";
  }
  return {};
}

}  // namespace ringwire::test
