// The histogram of latencies knows each value to one part in 64, in bounded memory.
#include "perf/load/histogram.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace load {
namespace {

TEST_CASE("an empty histogram answers 0") {
  const Histogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.max() == 0);
  CHECK(histogram.percentile(0.99) == 0);
}

TEST_CASE("small values are known exactly") {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.record(value);
  CHECK(histogram.count() == 100);
  CHECK(histogram.percentile(0) == 1);
  CHECK(histogram.percentile(0.5) == 50);
  CHECK(histogram.percentile(0.99) == 99);
  CHECK(histogram.percentile(1) == 100);
}

TEST_CASE("each value lies in its bucket, and buckets follow each other without a gap") {
  std::uint64_t wrong = 0;
  std::uint64_t begin = 0;
  for (std::size_t index = 0; begin <= Histogram::value_max; ++index) {
    const std::uint64_t end = Histogram::end_of(index);
    wrong += Histogram::index_of(begin) == index && Histogram::index_of(end) == index ? 0 : 1;
    wrong += (end - begin + 1) * 64 <= std::max<std::uint64_t>(begin, 64) ? 0 : 1;
    begin = end + 1;
  }
  CHECK(wrong == 0);
  CHECK(begin == Histogram::value_max + 1);
}

TEST_CASE("a percentile is at most one part in 64 above the exact one") {
  std::mt19937_64 random{7};
  std::lognormal_distribution<double> latency{11, 2};
  Histogram histogram;
  std::vector<std::uint64_t> values(100'000);
  for (std::uint64_t& value : values) {
    value = static_cast<std::uint64_t>(latency(random));
    histogram.record(value);
  }
  std::sort(values.begin(), values.end());
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
    const std::uint64_t exact = values[rank - 1];
    INFO("share " << share << ", exactly " << exact);
    CHECK(histogram.percentile(share) >= exact);
    CHECK(histogram.percentile(share) <= exact + exact / 64 + 1);
  }
  CHECK(histogram.max() == values.back());
}

TEST_CASE("a value beyond the largest counts as the largest") {
  Histogram histogram;
  histogram.record(Histogram::value_max + 5);
  histogram.record(~std::uint64_t{0});
  CHECK(histogram.count() == 2);
  CHECK(histogram.percentile(0.5) == Histogram::value_max);
}

}  // namespace
}  // namespace load
