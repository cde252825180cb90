// Where a timer stands in the wheel, and how the wheel turns.
//
// The level is that of the highest digit (base 64) in which the timer's tick differs from now. So all timers
// of one tick always share a list, which keeps them in the order they were armed, and the first occupied slot
// of the lowest occupied level holds the earliest timer.
#include "lib/loop/wheel.hpp"

#include "lib/base/assert.hpp"

#include <bit>

namespace ringwire::loop {
namespace {

using kernel::Nanoseconds;

std::uint64_t tick_of(Nanoseconds deadline) noexcept {
  return deadline / Wheel::tick + (deadline % Wheel::tick != 0 ? 1 : 0);  // Up: never early.
}

// Merge sort by deadline that keeps the order of equals. Rare, so a move more or less does not matter.
void sort(TimerList& timers, std::size_t count) noexcept {
  if (count < 2) return;
  TimerList left;
  TimerList right;
  for (std::size_t index = 0; index < count; ++index) {
    (index < count / 2 ? left : right).push_back(*timers.pop_front());
  }
  sort(left, count / 2);
  sort(right, count - count / 2);
  while (!left.empty() || !right.empty()) {
    const bool from_left =
        right.empty() || (!left.empty() && left.front()->deadline() <= right.front()->deadline());
    timers.push_back(*(from_left ? left : right).pop_front());
  }
}

}  // namespace

// Inline, though nobody else calls them: the compiler may not put a call of an exported function in line.
inline void TimerList::push_back(Timer& timer) noexcept {
  timer.previous_ = last_;
  timer.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &timer;
  last_ = &timer;
}

inline void TimerList::remove(Timer& timer) noexcept {
  RINGWIRE_ASSERT(timer.previous_ != nullptr || first_ == &timer, "a timer is not in its list");
  RINGWIRE_ASSERT(timer.next_ != nullptr || last_ == &timer, "a timer is not in its list");
  (timer.previous_ != nullptr ? timer.previous_->next_ : first_) = timer.next_;
  (timer.next_ != nullptr ? timer.next_->previous_ : last_) = timer.previous_;
}

inline Timer* TimerList::pop_front() noexcept {
  Timer* timer = first_;
  if (timer != nullptr) remove(*timer);
  return timer;
}

Wheel::~Wheel() {
  for (TimerList& list : lists_) {
    while (Timer* timer = list.pop_front()) timer->place_ = Timer::nowhere;
  }
}

void Wheel::arm(Timer& timer, Nanoseconds deadline) noexcept {
  cancel(timer);
  timer.deadline_ = deadline;
  place(timer);
}

void Wheel::cancel(Timer& timer) noexcept {
  if (!timer.armed()) return;
  TimerList& list = lists_[timer.place_];
  list.remove(timer);
  if (timer.place_ < overdue_place && list.empty()) {
    vacate(timer.place_ / slots_count, timer.place_ % slots_count);
  }
  timer.place_ = Timer::nowhere;
}

void Wheel::place(Timer& timer) noexcept {
  const std::uint64_t tick = tick_of(timer.deadline_);
  if (tick <= tick_) {
    timer.place_ = static_cast<std::uint16_t>(overdue_place);
  } else {
    const auto digit = static_cast<unsigned>(std::bit_width(tick ^ tick_) - 1) / slot_bits;
    const auto index = static_cast<std::uint32_t>(tick >> (digit * slot_bits)) % slots_count;
    RINGWIRE_ASSERT(digit < levels_count, "deadline {}", timer.deadline_);
    occupied_[digit] |= std::uint64_t{1} << index;
    levels_ |= 1U << digit;
    timer.place_ = static_cast<std::uint16_t>(digit * slots_count + index);
  }
  lists_[timer.place_].push_back(timer);
}

void Wheel::vacate(unsigned level, std::uint32_t index) noexcept {
  occupied_[level] &= ~(std::uint64_t{1} << index);
  if (occupied_[level] == 0) levels_ &= ~(1U << level);
}

std::optional<Wheel::Slot> Wheel::first_slot() const noexcept {
  if (levels_ == 0) return std::nullopt;
  const auto level = static_cast<unsigned>(std::countr_zero(levels_));
  const auto index = static_cast<std::uint32_t>(std::countr_zero(occupied_[level]));
  const unsigned shift = level * slot_bits;
  const std::uint64_t above = tick_ >> (shift + slot_bits) << (shift + slot_bits);
  return Slot{level, index, above | (std::uint64_t{index} << shift)};
}

// Takes every timer out of a list: those whose time has come are due, the others move down.
void Wheel::empty(TimerList& slot) noexcept {
  TimerList arrived;
  std::size_t count = 0;
  bool sorted = true;
  Nanoseconds last = 0;
  while (Timer* timer = slot.pop_front()) {
    if (tick_of(timer->deadline_) > tick_) {
      place(*timer);
      continue;
    }
    sorted = sorted && last <= timer->deadline_;
    last = timer->deadline_;
    arrived.push_back(*timer);
    ++count;
  }
  if (!sorted) sort(arrived, count);
  while (Timer* timer = arrived.pop_front()) {
    timer->place_ = static_cast<std::uint16_t>(due_place);
    lists_[due_place].push_back(*timer);
  }
}

// From slot to slot, not from tick to tick: time that holds no timer costs nothing.
void Wheel::collect(Nanoseconds now) noexcept {
  const std::uint64_t target = now / tick;
  RINGWIRE_ASSERT(target >= tick_, "time went back from tick {} to {}", tick_, target);

  empty(lists_[overdue_place]);
  for (auto slot = first_slot(); slot && slot->begin <= target; slot = first_slot()) {
    RINGWIRE_ASSERT(slot->begin > tick_, "tick {}, now {}", slot->begin, tick_);
    tick_ = slot->begin;
    vacate(slot->level, slot->index);
    empty(lists_[slot->level * slots_count + slot->index]);
  }
  tick_ = target;
}

Timer* Wheel::take_due() noexcept {
  Timer* timer = lists_[due_place].pop_front();
  if (timer != nullptr) timer->place_ = Timer::nowhere;
  return timer;
}

std::optional<Nanoseconds> Wheel::next() const noexcept {
  if (!lists_[overdue_place].empty() || !lists_[due_place].empty()) return 0;
  const auto slot = first_slot();
  if (!slot) return std::nullopt;
  return slot->begin * tick;
}

}  // namespace ringwire::loop
