// All loops' numbers together, and as text for Prometheus.
#include <ringwire/metrics.hpp>

#include "lib/loop/metrics.hpp"

#include <fmt/core.h>
#include <fmt/format.h>

#include <array>
#include <bit>
#include <iterator>
#include <string_view>

namespace ringwire {
namespace {

// Samples of one name: a line each, with what they are before the first.
template <typename Numbers>
struct Family {
  std::string_view name;
  std::string_view type;
  std::string_view help;
  std::uint64_t Numbers::*number;
};

constexpr std::array<Family<LoopMetrics>, 21> families{{
    {"connections", "gauge", "Open connections.", &LoopMetrics::connections},
    {"recv_buffers_free", "gauge", "Receive buffers that nobody keeps.", &LoopMetrics::recv_buffers_free},
    {"mailbox_letters", "gauge", "Posts that wait for the loop.", &LoopMetrics::mailbox_letters},
    {"timers", "gauge", "Scheduled tasks that wait or run.", &LoopMetrics::timers},
    {"sessions", "gauge", "Datagram sessions.", &LoopMetrics::sessions},
    {"accepted_total", "counter", "Connections that clients opened.", &LoopMetrics::accepted},
    {"connected_total", "counter", "Connections opened from our side.", &LoopMetrics::connected},
    {"connects_failed_total", "counter", "Connects without a connection.", &LoopMetrics::connects_failed},
    {"refused_total", "counter", "Clients reset for a limit or for want of memory.", &LoopMetrics::refused},
    {"accept_pauses_total", "counter", "Times accepting paused for want of descriptors or memory.",
     &LoopMetrics::accept_pauses},
    {"received_bytes_total", "counter", "Bytes connections received.", &LoopMetrics::received_bytes},
    {"sent_bytes_total", "counter", "Bytes the kernel took from connections.", &LoopMetrics::sent_bytes},
    {"sends_total", "counter", "Sends.", &LoopMetrics::sends},
    {"short_sends_total", "counter", "Sends of which the kernel took a part only.",
     &LoopMetrics::short_sends},
    {"recv_starved_total", "counter", "Receives that found no free buffer.", &LoopMetrics::recv_starved},
    {"laps_total", "counter", "Laps of the loop.", &LoopMetrics::laps},
    {"full_laps_total", "counter", "Laps that left completions for the next.", &LoopMetrics::full_laps},
    {"enters_total", "counter", "Calls of io_uring_enter.", &LoopMetrics::enters},
    {"completions_total", "counter", "Completions.", &LoopMetrics::completions},
    {"cq_overflows_total", "counter", "Laps that began with a completion queue too full.",
     &LoopMetrics::cq_overflows},
    {"handler_failures_total", "counter", "Exceptions that left user code.", &LoopMetrics::handler_failures},
}};

constexpr std::array<Family<DatagramCounts>, 7> datagram_families{{
    {"datagrams_received_total", "counter", "Datagrams received.", &DatagramCounts::received},
    {"datagrams_truncated_total", "counter", "Datagrams received cut.", &DatagramCounts::truncated},
    {"datagrams_sent_total", "counter", "Datagrams the kernel took.", &DatagramCounts::sent},
    {"datagrams_failed_total", "counter", "Datagrams that could not be sent.", &DatagramCounts::failed},
    {"datagrams_dropped_total", "counter", "Datagrams of peers that got no session.",
     &DatagramCounts::dropped},
    {"datagrams_sends_total", "counter", "Requests in which datagrams left.", &DatagramCounts::sends},
    {"datagrams_receives_total", "counter", "Receives that brought datagrams.", &DatagramCounts::receives},
}};

struct Reason {
  std::string_view name;
  std::uint64_t CloseCounts::*number;
};

constexpr std::array<Reason, 8> reasons{{
    {"ours", &CloseCounts::ours},
    {"peer", &CloseCounts::peer},
    {"network", &CloseCounts::network},
    {"timeout", &CloseCounts::timeout},
    {"outbound_limit", &CloseCounts::outbound_limit},
    {"handler_failed", &CloseCounts::handler_failed},
    {"engine_stopped", &CloseCounts::engine_stopped},
    {"other", &CloseCounts::other},
}};

// A number for each word of a LoopMetrics, but for the three groups, which have their own.
static_assert((families.size() + 1) * sizeof(std::uint64_t) + sizeof(CloseCounts) + sizeof(DatagramCounts) +
                  sizeof(LapTimes::counts) ==
              sizeof(LoopMetrics));
static_assert(reasons.size() * sizeof(std::uint64_t) == sizeof(CloseCounts));
static_assert(datagram_families.size() * sizeof(std::uint64_t) == sizeof(DatagramCounts));

using Out = std::back_insert_iterator<std::string>;

void begin_family(Out out, std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(out, "# HELP ringwire_{0} {1}\n# TYPE ringwire_{0} {2}\n", name, help, type);
}

template <typename Loop, typename Number>
void add_sample(Out out, std::string_view name, const Loop& loop, Number number) {
  fmt::format_to(out, "ringwire_{}{{loop=\"{}\"}} {}\n", name, loop, number);
}

void add_closes(Out out, const Metrics& metrics) {
  begin_family(out, "closes_total", "counter", "Connections that have ended, by the reason.");
  for (std::size_t loop = 0; loop < metrics.loops.size(); ++loop) {
    for (const Reason& reason : reasons) {
      fmt::format_to(out, "ringwire_closes_total{{loop=\"{}\",reason=\"{}\"}} {}\n", loop, reason.name,
                     metrics.loops[loop].closes.*reason.number);
    }
  }
}

double seconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e9;
}

// Buckets are cumulative: each counts all laps up to its bound, the last of them all there were.
void add_lap_times(Out out, const Metrics& metrics) {
  begin_family(out, "lap_seconds", "histogram", "How long laps took, waiting and submitting not included.");
  for (std::size_t loop = 0; loop < metrics.loops.size(); ++loop) {
    const LapTimes& times = metrics.loops[loop].lap_times;
    std::uint64_t count = 0;
    for (std::size_t bucket = 0; bucket < LapTimes::buckets_count; ++bucket) {
      count += times.counts[bucket];
      const bool is_last = bucket + 1 == LapTimes::buckets_count;
      const std::string bound = is_last ? "+Inf" : fmt::format("{}", seconds(LapTimes::bound(bucket)));
      fmt::format_to(out, "ringwire_lap_seconds_bucket{{loop=\"{}\",le=\"{}\"}} {}\n", loop, bound, count);
    }
    add_sample(out, "lap_seconds_sum", loop, seconds(times.nanoseconds));
    add_sample(out, "lap_seconds_count", loop, count);
  }
}

}  // namespace

LoopMetrics Metrics::total() const noexcept {
  loop::MetricWords sum{};
  for (const LoopMetrics& each : loops) {
    const auto words = std::bit_cast<loop::MetricWords>(each);
    for (std::size_t index = 0; index < sum.size(); ++index) sum[index] += words[index];
  }
  auto all = std::bit_cast<LoopMetrics>(sum);
  all.refused += door.refused;
  all.accept_pauses += door.accept_pauses;
  return all;
}

std::string to_prometheus(const Metrics& metrics) {
  std::string text;
  const Out out{text};
  for (const auto& family : families) {
    begin_family(out, family.name, family.type, family.help);
    for (std::size_t loop = 0; loop < metrics.loops.size(); ++loop) {
      add_sample(out, family.name, loop, metrics.loops[loop].*family.number);
    }
    if (family.number == &LoopMetrics::refused) add_sample(out, family.name, "door", metrics.door.refused);
    if (family.number == &LoopMetrics::accept_pauses)
      add_sample(out, family.name, "door", metrics.door.accept_pauses);
  }
  add_closes(out, metrics);
  for (const auto& family : datagram_families) {
    begin_family(out, family.name, family.type, family.help);
    for (std::size_t loop = 0; loop < metrics.loops.size(); ++loop) {
      add_sample(out, family.name, loop, metrics.loops[loop].datagrams.*family.number);
    }
  }
  add_lap_times(out, metrics);
  return text;
}

}  // namespace ringwire
