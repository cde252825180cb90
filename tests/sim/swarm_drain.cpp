// How a swarm's engine is told to stop, at once or gently, and what its connections must then be told, and
// when.
#include <ringwire/error.hpp>

#include "tests/sim/swarm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <utility>

namespace ringwire::test {
namespace {

// Timers fire on the tick after their time; time may pass while a step is chosen.
constexpr kernel::Nanoseconds slack = 20'000'000;

kernel::Nanoseconds nanoseconds(std::chrono::milliseconds duration) {
  return static_cast<kernel::Nanoseconds>(std::chrono::nanoseconds{duration}.count());
}

}  // namespace

void Swarm::ask_to_end() {
  if (stop_asked_ && choices_.draw(2) == 0) return;  // Not every drain is disturbed.
  if (stop_asked_ && choices_.draw(3) != 1) return ask_to_stop();
  if (plan_.options.stop_on_signal && choices_.draw(2) == 1) {
    // When it is heard nobody knows, so the turns of a drain are off.
    stop_asked_ = true;
    drain_hastened_ = true;
    return world_.kernel().raise_signal();
  }
  if (choices_.draw(3) == 0) return ask_to_stop();

  constexpr std::array deadlines{200, 1000, 30, 0};
  constexpr std::array spreads{150, 5000, 30, 5000, 0};
  const DrainOptions options{
      .deadline = std::chrono::milliseconds{deadlines[choices_.draw(deadlines.size())]},
      .spread = std::chrono::milliseconds{spreads[choices_.draw(spreads.size())]}};
  if (!engine_->drain(options)) note_drain(options);
}

void Swarm::ask_to_stop() {
  if (!engine_->stop()) note_drain({.deadline = plan_.options.stop_timeout});
  stop_asked_ = true;
}

void Swarm::note_drain(const DrainOptions& options) {
  const kernel::Nanoseconds now = world_.kernel().now();
  if (stop_asked_) drain_hastened_ = true;
  stop_asked_ = true;
  drain_asked_at_ = std::min(drain_asked_at_, now);
  told_by_ = std::min(told_by_, now + nanoseconds(std::min(options.spread, options.deadline)));
  drain_deadline_ = std::min(drain_deadline_, now + nanoseconds(options.deadline));
}

// On each loop evenly: as many as there are share the time, those who came later have no part in it.
void Swarm::check_turn(Link& link) {
  if (!stop_asked_) violate("on_drain though nobody asked for a stop");
  if (link.closed) violate("on_drain after on_close");
  if (std::exchange(link.told, true)) violate("on_drain came twice");

  const auto is_there = [&](const Link& each) {
    return each.opened && !each.closed && each.loop == link.loop;
  };
  const auto [turn, is_first] = turns_.try_emplace(link.loop);
  const kernel::Nanoseconds now = world_.kernel().now();
  if (is_first) turn->second = {now, std::count_if(links_.begin(), links_.end(), is_there)};
  if (link.opened_at == now || drain_hastened_) return;

  const kernel::Nanoseconds count = static_cast<kernel::Nanoseconds>(turn->second.count);
  const kernel::Nanoseconds before = turn->second.told++;
  const kernel::Nanoseconds earliest = drain_asked_at_ + (told_by_ - drain_asked_at_) * before / count;
  if (now + count < earliest) {
    violate(fmt::format("client {} was told to leave {} ns before its turn", link.peer, earliest - now));
  }
}

void Swarm::check_cut_off(const Link& link) {
  if (link.reason != Error::engine_stopped) return;
  ++cut_off_count_;
  if (!link.told && !link.closing && !link.close_asked)
    violate(fmt::format("client {} was cut off, and its connection not told before", link.peer));
  if (world_.kernel().now() < drain_deadline_ && !drain_hastened_)
    violate(fmt::format("client {} was cut off before the deadline", link.peer));
}

// Nothing could move before this time: so nobody waited for an earlier one. A loop that has told nobody may
// not know yet: then the end of the run tells.
void Swarm::check_drain() {
  if (drain_deadline_ == UINT64_MAX) return;
  const kernel::Nanoseconds time = world_.kernel().now();
  for (const Link& link : links_) {
    const auto turn = turns_.find(link.loop);
    if (link.conn == nullptr || turn == turns_.end()) continue;
    const kernel::Nanoseconds begin = std::max(link.opened_at, turn->second.began_at);
    const bool leaves = link.told || link.closing || link.close_asked || link.may_time_out;
    if (!leaves && time > std::max(told_by_, begin) + slack)
      return violate(fmt::format("everything sleeps though client {} was not told to leave", link.peer));
    if (time > std::max(drain_deadline_, begin) + slack)
      return violate(fmt::format("everything sleeps though client {} has outstayed the deadline", link.peer));
  }
}

void Swarm::check_drain_counts(const Engine& engine) {
  const DrainCounts counts = engine.drained();
  const auto told = static_cast<std::size_t>(
      std::count_if(links_.begin(), links_.end(), [](const Link& link) { return link.told; }));
  const std::size_t all = counts.closed + counts.cut_off;
  if (counts.cut_off != cut_off_count_ || all < told || all > closed_count_) {
    violate(
        fmt::format("{} connections were closed by a drain and {} cut off; {} were told, {} of {} cut off",
                    counts.closed, counts.cut_off, told, cut_off_count_, closed_count_));
  }
}

}  // namespace ringwire::test
