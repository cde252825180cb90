// Adding and cancelling from any thread, running on one.
#include "lib/loop/timers.hpp"

#include "lib/base/assert.hpp"

#include <utility>

namespace ringwire::loop {

using kernel::Nanoseconds;

Timers::Scheduled::Scheduled(std::uint32_t slot, std::uint32_t generation, Nanoseconds deadline_,
                             Nanoseconds period_, Task&& task_) noexcept
    : timer{TimerOf::task, slot, generation}, task{std::move(task_)}, deadline{deadline_}, period{period_} {}

Timers::Scheduled& Timers::scheduled_of(const Timer& timer) noexcept {
  RINGWIRE_ASSERT(timer.of() == TimerOf::task);
  const auto& named = static_cast<const SlotTimer&>(timer);
  Scheduled* found = table_.find(named.slot, named.generation);
  RINGWIRE_ASSERT(found != nullptr, "the timer in slot {} outlived its task", named.slot);
  return *found;
}

// True when the loop has to be woken for it.
bool Timers::enlist(Scheduled& scheduled) noexcept {
  if (!scheduled.base::Link<Unseen>::linked()) {
    unseen_.push_back(scheduled);
    ++unseen_count_;
  }
  return !has_news_.exchange(true, std::memory_order_acq_rel);
}

// The task goes to the caller, who destroys it when he has given back the lock.
Task Timers::release(Scheduled& scheduled) noexcept {
  RINGWIRE_ASSERT(!scheduled.running);
  if (scheduled.base::Link<Unseen>::linked()) {
    unseen_.remove(scheduled);
    --unseen_count_;
  }
  wheel_->cancel(scheduled.timer);
  Task task = std::move(scheduled.task);
  table_.release(scheduled.timer.slot);
  publish_count();
  return task;
}

// ---- any thread

base::Posted Timers::add(Nanoseconds delay, Nanoseconds period, Task&& task, Name& name, bool at_home) {
  const std::lock_guard lock{mutex_};
  if (closed_) return base::Posted::closed;

  const Nanoseconds deadline = kernel_.now() + delay;
  Scheduled* made = table_.acquire(deadline, period, std::move(task));
  if (made == nullptr) return base::Posted::full;
  name = {made->timer.slot, made->timer.generation};
  publish_count();
  if (at_home) {
    wheel_->arm(made->timer, deadline);
    return base::Posted::queued;
  }
  return enlist(*made) ? base::Posted::first : base::Posted::queued;
}

Timers::Cancelled Timers::cancel(Name name, bool at_home) noexcept {
  Task dropped;  // Dies after the lock is given back.
  const std::lock_guard lock{mutex_};
  Scheduled* found = table_.find(name.slot, name.generation);
  if (found == nullptr || found->cancelled) return Cancelled::no;

  const bool is_last_run = found->running && found->period == 0;
  if (is_last_run) return Cancelled::no;
  found->cancelled = true;
  if (found->running) return Cancelled::yes;  // `end` lets it go.
  if (at_home) {
    dropped = release(*found);
    return Cancelled::yes;
  }
  return enlist(*found) ? Cancelled::yes_wake : Cancelled::yes;
}

// ---- the loop's thread

std::size_t Timers::unseen_count() noexcept {
  const std::lock_guard lock{mutex_};
  if (unseen_count_ == 0) has_news_.store(false, std::memory_order_release);
  return unseen_count_;
}

// At most as many as there were: others may add for ever.
void Timers::take_news() noexcept {
  for (std::size_t left = unseen_count(); left > 0; --left) {
    Task dropped;  // Dies after the lock is given back.
    const std::lock_guard lock{mutex_};
    Scheduled* scheduled = unseen_.pop_front();
    if (scheduled == nullptr) return;  // What died with one of the others has cancelled the rest.
    if (--unseen_count_ == 0) has_news_.store(false, std::memory_order_release);
    if (scheduled->cancelled) {
      dropped = release(*scheduled);
    } else {
      wheel_->arm(scheduled->timer, scheduled->deadline);
    }
  }
}

Task* Timers::begin(Timer& timer) noexcept {
  const std::lock_guard lock{mutex_};
  Scheduled& scheduled = scheduled_of(timer);
  RINGWIRE_ASSERT(!scheduled.running);
  if (scheduled.cancelled) return nullptr;  // It is among the unseen, and goes with them.
  scheduled.running = true;
  return &scheduled.task;
}

void Timers::end(Timer& timer) noexcept {
  Task dropped;  // Dies after the lock is given back.
  const std::lock_guard lock{mutex_};
  Scheduled& scheduled = scheduled_of(timer);
  RINGWIRE_ASSERT(scheduled.running);
  scheduled.running = false;
  if (scheduled.cancelled || scheduled.period == 0) {
    dropped = release(scheduled);
    return;
  }
  // The next time that has not passed, counted from the first: no drift, and no rush after a long lap.
  const Nanoseconds late = kernel_.now() - scheduled.deadline;
  scheduled.deadline += (late / scheduled.period + 1) * scheduled.period;
  wheel_->arm(timer, scheduled.deadline);
}

void Timers::close() noexcept {
  for (std::uint32_t slot = 0;; ++slot) {
    Task dropped;  // Dies after the lock is given back.
    const std::lock_guard lock{mutex_};
    closed_ = true;
    has_news_.store(false, std::memory_order_release);
    if (slot >= table_.slots_end()) return;
    if (Scheduled* scheduled = table_.at(slot)) dropped = release(*scheduled);
  }
}

}  // namespace ringwire::loop
