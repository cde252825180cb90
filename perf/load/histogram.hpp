// Latencies in bounded memory: log-linear buckets, so that each value is known to one part in 64.
//
// Values below 128 have a bucket each; above, each doubling has 64 buckets. Leaves to others: units.
// Invariant: a percentile is the largest value its bucket can hold, and never more than the largest value
// recorded.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace load {

/// Counts values of up to 2^42 (an hour, in nanoseconds); larger ones are taken for that.
class Histogram {
 public:
  /// The largest value told apart.
  static constexpr std::uint64_t value_max = (std::uint64_t{1} << 42) - 1;

  void record(std::uint64_t value) {
    value = std::min(value, value_max);
    ++buckets_[index_of(value)];
    ++count_;
    max_ = std::max(max_, value);
  }

  /// In nanoseconds; a time before its beginning counts as none.
  void record(std::chrono::nanoseconds time) {
    record(static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.count())));
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }

  /// The smallest bucket's end that `share` of the values (0 to 1) do not pass; 0 when nothing was recorded.
  [[nodiscard]] std::uint64_t percentile(double share) const {
    const double exact = share * static_cast<double>(count_);
    auto rank = static_cast<std::uint64_t>(exact);
    if (static_cast<double>(rank) < exact) ++rank;
    rank = std::max<std::uint64_t>(rank, 1);
    std::uint64_t seen = 0;
    for (std::size_t index = 0; index < buckets_.size() && count_ > 0; ++index) {
      seen += buckets_[index];
      if (seen >= rank) return std::min(end_of(index), max_);
    }
    return max_;
  }

  /// Where a value is counted. With `shift` bits cut off it has 7 bits left, the first of them set.
  [[nodiscard]] static constexpr std::size_t index_of(std::uint64_t value) {
    const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - 7);
    return static_cast<std::size_t>(shift) * 64 + (value >> shift);
  }

  /// The largest value counted there.
  [[nodiscard]] static constexpr std::uint64_t end_of(std::size_t index) {
    if (index < 128) return index;
    const std::size_t shift = index / 64 - 1;
    return ((std::uint64_t{index} - 64 * shift + 1) << shift) - 1;
  }

 private:
  std::array<std::uint64_t, 36 * 64 + 64> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

static_assert(Histogram::index_of(Histogram::value_max) == 36 * 64 + 63);

}  // namespace load
