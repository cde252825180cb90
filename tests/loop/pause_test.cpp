// Pauses: how long, when over, and whose end comes first.
#include "lib/loop/pause.hpp"

#include "tests/support/catch.hpp"

#include <vector>

namespace ringwire::loop {
namespace {

struct Pausing {
  kernel::Nanoseconds until;
  [[nodiscard]] kernel::Nanoseconds resume_at() const { return until; }
};

TEST_CASE("without a pause nothing waits", "[pause]") {
  const Pause pause;
  CHECK(pause.is_over(0));
  CHECK(pause.until() == 0);
}

TEST_CASE("each pause is twice as long as the one before, up to a tenth of a second", "[pause]") {
  Pause pause;
  std::vector<kernel::Nanoseconds> lengths;
  for (int round = 0; round < 6; ++round) {
    pause.begin(1'000);
    lengths.push_back((pause.until() - 1'000) / 1'000'000);
  }
  CHECK(lengths == std::vector<kernel::Nanoseconds>{10, 20, 40, 80, 100, 100});
}

TEST_CASE("after a success the next pause is a short one, and the one that goes on is not cut", "[pause]") {
  Pause pause;
  pause.begin(0);
  pause.begin(0);
  pause.forget();
  CHECK(pause.until() == 2 * Pause::length_min);
  pause.begin(0);
  CHECK(pause.until() == Pause::length_min);
}

TEST_CASE("a pause is over at its end, not before, or when it is ended", "[pause]") {
  Pause pause;
  pause.begin(5);
  CHECK_FALSE(pause.is_over(Pause::length_min + 4));
  CHECK(pause.is_over(Pause::length_min + 5));
  pause.end();
  CHECK(pause.is_over(0));
  CHECK(pause.until() == 0);
}

TEST_CASE("of several pauses the first end counts, and who does not pause does not", "[pause]") {
  CHECK(first_resume_of(std::vector<Pausing>{}) == UINT64_MAX);
  CHECK(first_resume_of(std::vector<Pausing>{{0}, {0}}) == UINT64_MAX);
  CHECK(first_resume_of(std::vector<Pausing>{{9}, {0}, {7}}) == 7);
}

}  // namespace
}  // namespace ringwire::loop
