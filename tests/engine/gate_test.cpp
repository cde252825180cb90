// The gate: everybody waits for the last one, and one failure turns everybody back.
#include "lib/engine/gate.hpp"

#include <ringwire/error.hpp>

#include "lib/base/error.hpp"
#include "tests/support/catch.hpp"

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

namespace ringwire::engine {
namespace {

using ringwire::test::contains;

const std::error_code none{};

TEST_CASE("a gate for one opens for it at once") {
  Gate gate{1};
  CHECK(gate.arrive(none));
  CHECK_FALSE(gate.wait());
}

TEST_CASE("nobody passes before the last has arrived, then all do") {
  constexpr int count = 4;
  Gate gate{count};
  std::atomic<int> arriving{0};
  std::atomic<int> too_early{0};
  std::atomic<int> passed{0};
  std::atomic<bool> last{false};
  std::vector<std::thread> threads;
  for (int index = 1; index < count; ++index) {
    threads.emplace_back([&] {
      ++arriving;
      const bool ok = gate.arrive(none);
      if (!last) ++too_early;
      if (ok) ++passed;
    });
  }
  while (arriving != count - 1) std::this_thread::yield();
  last = true;
  CHECK(gate.arrive(none));
  for (std::thread& thread : threads) thread.join();
  CHECK(too_early == 0);
  CHECK(passed == count - 1);
}

TEST_CASE("one failure turns everybody back, those who came before it too") {
  Gate gate{3};
  std::atomic<int> turned_back{0};
  std::vector<std::thread> threads;
  for (int index = 0; index < 2; ++index) {
    threads.emplace_back([&] { turned_back += gate.arrive(none) ? 0 : 1; });
  }
  CHECK_FALSE(gate.arrive(Error::memlock_too_small));
  for (std::thread& thread : threads) thread.join();
  CHECK(turned_back == 2);
  CHECK(gate.wait() == Error::memlock_too_small);
}

TEST_CASE("who could not even be started does not hold up the others") {
  Gate gate{2};
  bool passed = true;
  std::thread thread{[&] { passed = gate.arrive(none); }};
  gate.give_up(std::make_error_code(std::errc::resource_unavailable_try_again));
  thread.join();
  CHECK_FALSE(passed);
  CHECK(gate.wait() == std::errc::resource_unavailable_try_again);
}

TEST_CASE("the first failure is the one reported") {
  Gate gate{3};
  gate.give_up(Error::kernel_too_old);
  gate.give_up(Error::memlock_too_small);
  CHECK_FALSE(gate.arrive(Error::invalid_option));
  CHECK(gate.wait() == Error::kernel_too_old);
}

TEST_CASE("the particulars of a failure cross over to the thread that asks") {
  Gate gate{1};
  std::thread{[&] {
    static_cast<void>(gate.arrive(base::fail(Error::memlock_too_small, "needs 4096 KiB")));
  }}.join();
  static_cast<void>(base::fail(Error::closed, "something else on this thread"));
  const std::error_code error = gate.wait();
  CHECK_THAT(explain(error), contains("needs 4096 KiB"));
}

}  // namespace
}  // namespace ringwire::engine
