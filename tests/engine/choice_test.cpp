// Which kernel is chosen, by what is asked for and what can be had. Both kernels are scripted.
#include "lib/engine/choice.hpp"

#include <ringwire/error.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/script_kernel.hpp"

#include <cerrno>
#include <string>
#include <vector>

namespace ringwire::engine {
namespace {

using Catch::Matchers::Contains;
using test::ScriptKernel;

std::vector<std::string> warnings;  // What the sink below was given.

// Two kernels to choose from, and a log that is kept.
struct ChoiceStage {
  ChoiceStage() {
    warnings.clear();
    options.log_sink = [](LogLevel level, std::string_view line) {
      if (level == LogLevel::warn) warnings.emplace_back(line);
    };
  }

  std::error_code choose() { return choose_kernel(options, {uring, epoll}, chosen); }

  ScriptKernel uring;
  ScriptKernel epoll;
  Options options;
  kernel::Kernel* chosen = nullptr;
};

TEST_CASE("io_uring is chosen where it works, without a word, and its trial leaves nothing") {
  for (const KernelChoice choice : {KernelChoice::automatic, KernelChoice::uring}) {
    ChoiceStage at;
    at.options.kernel = choice;
    CHECK_FALSE(at.choose());
    CHECK(at.chosen == &at.uring);
    CHECK(warnings.empty());
    CHECK(at.uring.rings_count() == 0);
    CHECK(at.uring.maps_count() == 0);
  }
}

TEST_CASE("epoll is chosen when asked for, and io_uring is not even tried") {
  ChoiceStage at;
  at.options.kernel = KernelChoice::epoll;
  CHECK_FALSE(at.choose());
  CHECK(at.chosen == &at.epoll);
  CHECK(at.uring.ring_flags.empty());
  CHECK(warnings.empty());
}

struct Obstacle {
  const char* name;
  int ring_result;
  int register_result;
  std::error_code error;
  const char* cause;
  const char* cure;
};

const std::vector<Obstacle>& obstacles() {
  static const std::vector<Obstacle> all{
      {"a filter", -EPERM, 0, Error::io_uring_forbidden, "not permitted", "seccomp"},
      {"no io_uring", -ENOSYS, 0, Error::kernel_too_old, "not implemented", "6.1"},
      {"an old kernel", 0, -EINVAL, Error::kernel_too_old, "provided-buffer rings", "6.1"},
      {"little memory", 0, -ENOMEM, Error::memlock_too_small, "RLIMIT_MEMLOCK", "ulimit -l"},
  };
  return all;
}

void put(const Obstacle& obstacle, ChoiceStage& at) {
  if (obstacle.ring_result != 0) at.uring.open_ring_results.assign(100, obstacle.ring_result);
  if (obstacle.register_result != 0) at.uring.register_results.assign(100, obstacle.register_result);
}

TEST_CASE("where io_uring cannot be had, epoll takes its place after one warning with cause and cure") {
  for (const Obstacle& obstacle : obstacles()) {
    INFO(obstacle.name);
    ChoiceStage at;
    put(obstacle, at);
    CHECK_FALSE(at.choose());
    CHECK(at.chosen == &at.epoll);
    REQUIRE(warnings.size() == 1);
    CHECK_THAT(warnings[0], Contains("epoll") && Contains(obstacle.cause) && Contains(obstacle.cure));
    CHECK(at.uring.rings_count() == 0);
    CHECK(at.uring.maps_count() == 0);
  }
}

TEST_CASE("where io_uring was asked for and cannot be had, that is the answer, with cause and cure") {
  for (const Obstacle& obstacle : obstacles()) {
    INFO(obstacle.name);
    ChoiceStage at;
    put(obstacle, at);
    at.options.kernel = KernelChoice::uring;
    const std::error_code error = at.choose();
    CHECK(error == obstacle.error);
    CHECK_THAT(explain(error), Contains(obstacle.cause) && Contains(obstacle.cure) &&
                                   Contains("epoll was ruled out (Options::kernel)"));
    CHECK(warnings.empty());
  }
}

TEST_CASE("what else may fail is left to the start to say") {
  ChoiceStage at;
  at.uring.open_ring_results = {-EMFILE};
  CHECK_FALSE(at.choose());
  CHECK(at.chosen == &at.uring);
  CHECK(warnings.empty());
}

TEST_CASE("with little locked memory, room is asked for twice as many rings as there will be") {
  ChoiceStage at;  // The scripted limit is 64 KiB.
  at.options.loops = 3;
  CHECK_FALSE(at.choose());
  CHECK(at.uring.ring_flags.size() == 8);
  at.options.kernel = KernelChoice::uring;
  CHECK_FALSE(at.choose());
  CHECK(at.uring.ring_flags.size() == 9);
}

TEST_CASE("RINGWIRE_KERNEL overrules the option") {
  ChoiceStage at;
  at.options.kernel = KernelChoice::uring;
  at.uring.variables["RINGWIRE_KERNEL"] = "epoll";
  CHECK_FALSE(at.choose());
  CHECK(at.chosen == &at.epoll);

  at.options.kernel = KernelChoice::epoll;
  at.uring.variables["RINGWIRE_KERNEL"] = "uring";
  CHECK_FALSE(at.choose());
  CHECK(at.chosen == &at.uring);

  at.uring.open_ring_results = {-EPERM};
  CHECK(at.choose() == Error::io_uring_forbidden);
  at.uring.variables["RINGWIRE_KERNEL"] = "automatic";
  at.uring.open_ring_results = {-EPERM};
  CHECK_FALSE(at.choose());
  CHECK(at.chosen == &at.epoll);
}

TEST_CASE("an unknown name in RINGWIRE_KERNEL is refused, and the known ones are named") {
  ChoiceStage at;
  at.uring.variables["RINGWIRE_KERNEL"] = "Epoll";
  const std::error_code error = at.choose();
  CHECK(error == Error::invalid_option);
  CHECK_THAT(explain(error), Contains("'Epoll'") && Contains("automatic, uring and epoll"));
  CHECK(at.chosen == nullptr);
}

TEST_CASE("bad options are refused before a ring is tried") {
  ChoiceStage at;
  at.options.cq_entries = 3;
  CHECK(at.choose() == Error::invalid_option);
  at.options = {};
  at.options.kernel = static_cast<KernelChoice>(3);
  CHECK(at.choose() == Error::invalid_option);
  CHECK(at.uring.ring_flags.empty());
}

TEST_CASE("RINGWIRE_LOG silences the warning as it does every line") {
  ChoiceStage at;
  at.uring.open_ring_results = {-EPERM};
  at.uring.variables["RINGWIRE_LOG"] = "error";
  CHECK_FALSE(at.choose());
  CHECK(warnings.empty());
}

}  // namespace
}  // namespace ringwire::engine
