// A loop's numbers on their way to other threads.
//
// Counting is done where things happen, in plain integers of the loop (`conn::Shared::metrics`); once a lap
// all of them are stored into atomics on cache lines of their own. Leaves to others: what is counted, and how
// it is shown. Invariant: one thread writes, by plain stores: no read-modify-write anywhere.
#pragma once

#include <ringwire/metrics.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <type_traits>

namespace ringwire::loop {

/// A `LoopMetrics`, number by number: what publishes, reads or adds them cannot forget one.
using MetricWords = std::array<std::uint64_t, sizeof(LoopMetrics) / sizeof(std::uint64_t)>;
static_assert(sizeof(MetricWords) == sizeof(LoopMetrics));
static_assert(std::has_unique_object_representations_v<LoopMetrics>, "a number of another type, or padding");

/// One loop's numbers, written by it and read by all.
class PublishedMetrics {
 public:
  PublishedMetrics() = default;
  PublishedMetrics(const PublishedMetrics&) = delete;
  PublishedMetrics& operator=(const PublishedMetrics&) = delete;

  /// Shows them. The loop only.
  void publish(const LoopMetrics& metrics) noexcept;

  /// What was shown last; numbers of two publishes may mix. Any thread.
  [[nodiscard]] LoopMetrics read() const noexcept;
  /// `LoopMetrics::connections` alone.
  [[nodiscard]] std::uint64_t connections() const noexcept {
    return word(offsetof(LoopMetrics, connections));
  }
  /// `LoopMetrics::refused` alone.
  [[nodiscard]] std::uint64_t refused() const noexcept { return word(offsetof(LoopMetrics, refused)); }

 private:
  [[nodiscard]] std::uint64_t word(std::size_t offset) const noexcept {
    return words_[offset / sizeof(std::uint64_t)].load(std::memory_order_relaxed);
  }

  alignas(64) std::array<std::atomic<std::uint64_t>, std::tuple_size_v<MetricWords>> words_{};
};

/// Where connections that end for this reason are counted.
[[nodiscard]] std::uint64_t& count_of(CloseCounts& closes, std::error_code reason) noexcept;

/// Counts a lap that took so long.
void add_lap(LapTimes& times, std::uint64_t nanoseconds) noexcept;

}  // namespace ringwire::loop
