// Log lines: which are written, where, and what happens to one that cannot be.
#include "lib/base/log.hpp"

#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ringwire::base {
namespace {

std::vector<std::pair<LogLevel, std::string>> lines;
int formatted = 0;

void keep(LogLevel level, std::string_view line) {
  lines.emplace_back(level, line);
}

struct Counted {};
struct Broken {};

}  // namespace
}  // namespace ringwire::base

template <>
struct fmt::formatter<ringwire::base::Counted> : fmt::formatter<int> {
  template <typename Context>
  auto format(const ringwire::base::Counted& /*value*/, Context& context) const {
    return fmt::format_to(context.out(), "{}", ++ringwire::base::formatted);
  }
};

template <>
struct fmt::formatter<ringwire::base::Broken> : fmt::formatter<int> {
  template <typename Context>
  auto format(const ringwire::base::Broken& /*value*/, Context& context) const {
    if (ringwire::base::formatted >= 0) throw std::bad_alloc();
    return context.out();
  }
};

namespace ringwire::base {
namespace {

TEST_CASE("a line reaches the sink formatted, with its level") {
  lines.clear();
  const Log log(LogLevel::debug, keep);
  log.debug("{} of {}", 1, "two");
  log.info("plain");
  log.warn("{:04}", 7);
  log.error("{}", std::string(2000, 'x'));
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == std::pair{LogLevel::debug, std::string{"1 of two"}});
  CHECK(lines[1] == std::pair{LogLevel::info, std::string{"plain"}});
  CHECK(lines[2] == std::pair{LogLevel::warn, std::string{"0007"}});
  CHECK(lines[3] == std::pair{LogLevel::error, std::string(2000, 'x')});
}

TEST_CASE("a line below the level is neither written nor formatted") {
  lines.clear();
  formatted = 0;
  const Log log(LogLevel::warn, keep);
  CHECK_FALSE(log.enabled(LogLevel::info));
  CHECK(log.enabled(LogLevel::warn));
  log.info("{}", Counted{});
  CHECK(lines.empty());
  CHECK(formatted == 0);
  log.warn("{}", Counted{});
  CHECK(formatted == 1);
}

TEST_CASE("a log that is off writes nothing") {
  lines.clear();
  const Log log(LogLevel::off, keep);
  log.error("lost");
  CHECK(lines.empty());
  CHECK_FALSE(log.enabled(LogLevel::error));
  CHECK_FALSE(log.enabled(LogLevel::off));
}

TEST_CASE("without a sink a line goes to standard error with its level in front") {
  const std::string said = test::death_of([] {
    Log(LogLevel::info, nullptr).warn("port {} is busy", 9000);
    std::abort();
  });
  CHECK(said == "ringwire: warn: port 9000 is busy\n");
}

TEST_CASE("a line that cannot be formatted is replaced, and nothing is thrown") {
  const std::string said = test::death_of([] {
    Log(LogLevel::info, nullptr).warn("{}", Broken{});
    std::abort();
  });
  CHECK(said == "ringwire: error: a log line was lost while it was formatted\n");
}

TEST_CASE("what was thrown is said by its text, or that it has none") {
  lines.clear();
  const Log log{LogLevel::error, keep};
  try {
    throw std::runtime_error("on purpose");
  } catch (...) {
    log_exception(log, "a test");
  }
  try {
    throw 7;
  } catch (...) {
    log_exception(log, "a test");
  }
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].second == "a test threw: on purpose");
  CHECK(lines[1].second == "a test threw something that is no std::exception");
}

TEST_CASE("level names are read, and anything else is what it was") {
  CHECK(parse_log_level("debug", LogLevel::warn) == LogLevel::debug);
  CHECK(parse_log_level("info", LogLevel::warn) == LogLevel::info);
  CHECK(parse_log_level("warn", LogLevel::info) == LogLevel::warn);
  CHECK(parse_log_level("error", LogLevel::warn) == LogLevel::error);
  CHECK(parse_log_level("off", LogLevel::warn) == LogLevel::off);
  CHECK(parse_log_level("", LogLevel::warn) == LogLevel::warn);
  CHECK(parse_log_level("DEBUG", LogLevel::info) == LogLevel::info);
}

}  // namespace
}  // namespace ringwire::base
