// All loops' numbers together, and what Prometheus reads of them.
#include <ringwire/engine.hpp>
#include <ringwire/metrics.hpp>

#include "lib/loop/metrics.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace ringwire {
namespace {

// Every number another one, so that no two can be mixed up.
LoopMetrics numbered(std::uint64_t first) {
  loop::MetricWords words;
  for (std::size_t index = 0; index < words.size(); ++index) words[index] = first + index;
  return std::bit_cast<LoopMetrics>(words);
}

// What a scraper makes of a text, by the words of the format's specification.
struct Scrape {
  std::map<std::string, double> samples;     // By name and labels, as they stand.
  std::map<std::string, std::string> types;  // By family.
  std::vector<std::string> faults;
};

// A histogram's samples have names of their own: NAME_bucket, NAME_sum, NAME_count.
std::string family_of(const std::string& name, const std::string& family) {
  for (const char* suffix : {"_bucket", "_sum", "_count"}) {
    if (name == family + suffix) return family;
  }
  return name;
}

Scrape scrape(const std::string& text) {
  static const std::regex help{R"(# HELP ([a-z_]+) [A-Z][^\\]*\.)"};
  static const std::regex type{R"(# TYPE ([a-z_]+) (counter|gauge|histogram))"};
  static const std::regex sample{R"re(([a-z_]+)(\{[a-z]+="[^"\\]+"(?:,[a-z]+="[^"\\]+")*\}) (\S+))re"};
  Scrape all;
  std::string helped;
  std::string family;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, help)) {
      helped = match[1];
    } else if (std::regex_match(line, match, type)) {
      family = match[1];
      if (family != helped) all.faults.push_back("no help: " + line);
      if (!all.types.emplace(family, match[2]).second) all.faults.push_back("a second time: " + line);
    } else if (std::regex_match(line, match, sample)) {
      if (family_of(match[1], family) != family) all.faults.push_back("in another's place: " + line);
      char* end = nullptr;
      const std::string number = match[3];
      const double value = std::strtod(number.c_str(), &end);
      if (*end != '\0') all.faults.push_back("no number: " + line);
      if (!all.samples.emplace(match[1].str() + match[2].str(), value).second)
        all.faults.push_back("twice: " + line);
    } else {
      all.faults.push_back("cannot be read: " + line);
    }
  }
  if (!text.ends_with('\n')) all.faults.emplace_back("the last line does not end");
  return all;
}

double at(const Scrape& scrape, const std::string& sample) {
  const auto found = scrape.samples.find("ringwire_" + sample);
  INFO(sample);
  REQUIRE((found != scrape.samples.end()));
  return found->second;
}

TEST_CASE("the total adds each number of all loops, and the door's to the two they share") {
  const Metrics metrics{{numbered(1000), numbered(50'000)}, {7, 9}};
  loop::MetricWords sum{};
  for (std::size_t index = 0; index < sum.size(); ++index) sum[index] = 51'000 + 2 * index;
  auto expected = std::bit_cast<LoopMetrics>(sum);
  expected.refused += 7;
  expected.accept_pauses += 9;
  CHECK(std::bit_cast<loop::MetricWords>(metrics.total()) == std::bit_cast<loop::MetricWords>(expected));
  CHECK(std::bit_cast<loop::MetricWords>(Metrics{}.total()) == loop::MetricWords{});
}

TEST_CASE("every line of the text is what the format says, for each number of loops") {
  for (std::size_t loops = 0; loops < 3; ++loops) {
    Metrics metrics;
    for (std::size_t loop = 0; loop < loops; ++loop) metrics.loops.push_back(numbered(1000 * (loop + 1)));
    const Scrape scraped = scrape(to_prometheus(metrics));
    CHECK(scraped.faults == std::vector<std::string>{});
    CHECK(scraped.types.size() == 30);
    for (const auto& [name, type] : scraped.types) {
      INFO(name);
      CHECK(name.starts_with("ringwire_"));
      CHECK((type == "counter") == name.ends_with("_total"));
    }
  }
}

TEST_CASE("each number of each loop stands in the text, once") {
  const Metrics metrics{{numbered(1000), numbered(50'000)}, {7, 9}};
  const Scrape scraped = scrape(to_prometheus(metrics));
  // Buckets are sums and the times are in seconds: those have a test of their own.
  std::multiset<double> found;
  for (const auto& [name, value] : scraped.samples) {
    if (name.find("lap_seconds") == std::string::npos) found.insert(value);
  }
  std::multiset<double> expected{7, 9};
  for (const LoopMetrics& each : metrics.loops) {
    const auto words = std::bit_cast<loop::MetricWords>(each);
    for (std::size_t index = 0; index < words.size() - LapTimes::buckets_count - 1; ++index)
      expected.insert(static_cast<double>(words[index]));
  }
  CHECK((found == expected));
}

TEST_CASE("names say what is counted") {
  const Metrics metrics{{numbered(1000), numbered(50'000)}, {7, 9}};
  const Scrape scraped = scrape(to_prometheus(metrics));
  const auto is = [&](const std::string& name, std::uint64_t number) {
    CHECK(at(scraped, name) == static_cast<double>(number));
  };
  const LoopMetrics& second = metrics.loops[1];
  is(R"(connections{loop="1"})", second.connections);
  is(R"(recv_buffers_free{loop="1"})", second.recv_buffers_free);
  is(R"(mailbox_letters{loop="1"})", second.mailbox_letters);
  is(R"(timers{loop="1"})", second.timers);
  is(R"(sessions{loop="1"})", second.sessions);
  is(R"(accepted_total{loop="1"})", second.accepted);
  is(R"(connected_total{loop="1"})", second.connected);
  is(R"(connects_failed_total{loop="1"})", second.connects_failed);
  is(R"(refused_total{loop="1"})", second.refused);
  is(R"(refused_total{loop="door"})", 7);
  is(R"(accept_pauses_total{loop="1"})", second.accept_pauses);
  is(R"(accept_pauses_total{loop="door"})", 9);
  is(R"(received_bytes_total{loop="1"})", second.received_bytes);
  is(R"(sent_bytes_total{loop="1"})", second.sent_bytes);
  is(R"(sends_total{loop="1"})", second.sends);
  is(R"(short_sends_total{loop="1"})", second.short_sends);
  is(R"(recv_starved_total{loop="1"})", second.recv_starved);
  is(R"(laps_total{loop="1"})", second.laps);
  is(R"(full_laps_total{loop="1"})", second.full_laps);
  is(R"(enters_total{loop="1"})", second.enters);
  is(R"(completions_total{loop="1"})", second.completions);
  is(R"(cq_overflows_total{loop="1"})", second.cq_overflows);
  is(R"(handler_failures_total{loop="1"})", second.handler_failures);
  is(R"(closes_total{loop="1",reason="ours"})", second.closes.ours);
  is(R"(closes_total{loop="1",reason="peer"})", second.closes.peer);
  is(R"(closes_total{loop="1",reason="network"})", second.closes.network);
  is(R"(closes_total{loop="1",reason="timeout"})", second.closes.timeout);
  is(R"(closes_total{loop="1",reason="outbound_limit"})", second.closes.outbound_limit);
  is(R"(closes_total{loop="1",reason="handler_failed"})", second.closes.handler_failed);
  is(R"(closes_total{loop="1",reason="engine_stopped"})", second.closes.engine_stopped);
  is(R"(closes_total{loop="1",reason="other"})", second.closes.other);
  is(R"(datagrams_received_total{loop="1"})", second.datagrams.received);
  is(R"(datagrams_truncated_total{loop="1"})", second.datagrams.truncated);
  is(R"(datagrams_sent_total{loop="1"})", second.datagrams.sent);
  is(R"(datagrams_failed_total{loop="1"})", second.datagrams.failed);
  is(R"(datagrams_dropped_total{loop="1"})", second.datagrams.dropped);
  is(R"(datagrams_sends_total{loop="1"})", second.datagrams.sends);
  is(R"(datagrams_receives_total{loop="1"})", second.datagrams.receives);
}

TEST_CASE("lap times are a histogram: bounds in seconds, counts cumulative, the last of them all") {
  Metrics metrics{{LoopMetrics{}}, {}};
  LapTimes& times = metrics.loops[0].lap_times;
  for (const std::uint64_t time : {500U, 1024U, 1500U, 2'000'000'000U}) loop::add_lap(times, time);
  const Scrape scraped = scrape(to_prometheus(metrics));
  const auto bucket = [&](const std::string& bound) {
    return at(scraped, R"(lap_seconds_bucket{loop="0",le=")" + bound + "\"}");
  };
  CHECK(bucket("1.024e-06") == 2);
  CHECK(bucket("2.048e-06") == 3);
  CHECK(bucket("1.073741824") == 3);
  CHECK(bucket("+Inf") == 4);
  CHECK(at(scraped, R"(lap_seconds_count{loop="0"})") == 4);
  CHECK(std::abs(at(scraped, R"(lap_seconds_sum{loop="0"})") - 2.000003024) < 1e-9);
}

TEST_CASE("who is turned away at the door is counted there, and in the total") {
  test::RecordingHandler handler;
  Options options = test::quiet();
  options.loops = 2;
  options.connections_per_ip_max = 1;
  test::TestServer server{handler, options};
  test::Client stays{server.address()};
  REQUIRE(handler.wait_opened(1));
  test::Client refused{server.address()};
  CHECK(refused.expect_reset());
  REQUIRE(server.wait_refused(1));
  const Metrics metrics = server.engine().metrics();
  REQUIRE(metrics.loops.size() == 2);
  CHECK(metrics.door.refused == 1);
  CHECK(metrics.loops[0].refused + metrics.loops[1].refused == 0);
  CHECK(metrics.total().refused == server.engine().connections_refused());
  CHECK(metrics.total().accepted == 1);
}

}  // namespace
}  // namespace ringwire
