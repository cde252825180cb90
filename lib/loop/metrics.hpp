// A loop's numbers on their way to other threads.
//
// They are tallied where things happen (`conn::Shared::metrics`, base/tally.hpp) and read where they stand.
// Leaves to others: what is counted, and how it is shown. Invariant: one thread writes, by plain stores: no
// read-modify-write anywhere.
#pragma once

#include <ringwire/metrics.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <type_traits>

namespace ringwire::loop {

/// A `LoopMetrics`, number by number: what reads or adds them cannot forget one.
using MetricWords = std::array<std::uint64_t, sizeof(LoopMetrics) / sizeof(std::uint64_t)>;
static_assert(sizeof(MetricWords) == sizeof(LoopMetrics));
static_assert(std::has_unique_object_representations_v<LoopMetrics>, "a number of another type, or padding");

/// What a loop counts, as another thread sees it: each number as of a moment ago. Any thread.
[[nodiscard]] LoopMetrics read_metrics(const LoopMetrics& counted) noexcept;

/// Where connections that end for this reason are counted.
[[nodiscard]] std::uint64_t& count_of(CloseCounts& closes, std::error_code reason) noexcept;

/// Counts a lap that took so long.
void add_lap(LapTimes& times, std::uint64_t nanoseconds) noexcept;

}  // namespace ringwire::loop
