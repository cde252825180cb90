// The main of every test executable: runs Catch2 and prints the counts as "N passed, N failed, N skipped".
//
// Leaves to others: adding them up (`dev test`). Test cases are counted, not assertions.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include "tests/support/catch.hpp"

#include <csignal>
#include <cstddef>
#include <iostream>
#include <set>
#include <string>

namespace {

struct Counts {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::set<std::string> skipped;
  std::string current;
};

Counts& counts() {
  static Counts instance;
  return instance;
}

#if __has_include(<catch2/catch_all.hpp>)
using ListenerBase = Catch::EventListenerBase;
#else
using ListenerBase = Catch::TestEventListenerBase;
#endif

class Counter : public ListenerBase {
 public:
  using ListenerBase::ListenerBase;

  void testCaseStarting(const Catch::TestCaseInfo& info) override { counts().current = info.name; }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    if (stats.totals.testCases.failed + stats.totals.testCases.failedButOk > 0) {
      ++counts().failed;
      counts().skipped.erase(counts().current);
    } else if (!counts().skipped.contains(counts().current)) {
      ++counts().passed;
    }
  }
};
CATCH_REGISTER_LISTENER(Counter)

}  // namespace

namespace ringwire::test {

void skip(const std::string& reason) {
  std::cout << "SKIPPED: " << counts().current << ": " << reason << std::endl;
  counts().skipped.insert(counts().current);
  SUCCEED("skipped: " << reason);
}

}  // namespace ringwire::test

int main(int argument_count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);  // Clients in the tests write to peers that left.
  const int result = Catch::Session().run(argument_count, arguments);
  const bool broken = result != 0 && counts().failed == 0;  // A crash in a fixture, or bad arguments.
  std::cout << counts().passed << " passed, " << counts().failed + (broken ? 1 : 0) << " failed, "
            << counts().skipped.size() << " skipped" << std::endl;
  return result;
}
