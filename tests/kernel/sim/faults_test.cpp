// Faults: as often as told, counted, and at an end when everything heals.
#include "lib/kernel/sim/faults.hpp"

#include "lib/kernel/sim/errors.hpp"
#include "tests/kernel/sim/fixture.hpp"
#include "tests/support/catch.hpp"

#include <liburing.h>

#include <cerrno>
#include <set>
#include <string_view>

namespace ringwire::kernel::sim {
namespace {

TEST_CASE("without a rate nothing happens, and nothing is drawn", "[faults]") {
  SeededChoices choices{1};
  Faults faults{choices};
  for (std::size_t kind = 0; kind < faults_count; ++kind)
    CHECK_FALSE(faults.happens(static_cast<Fault>(kind)));
  CHECK(choices.taken().empty());
  CHECK(faults.total() == 0);
}

TEST_CASE("a fault is counted when it happens, by its kind", "[faults]") {
  test::SameChoice choices;
  Faults faults{choices};
  faults.set_rate(Fault::starved, 1000);
  CHECK(faults.rate(Fault::starved) == 1000);
  CHECK(faults.happens(Fault::starved));
  CHECK(faults.happens(Fault::starved));
  CHECK_FALSE(faults.happens(Fault::recv_ends));
  CHECK(faults.count(Fault::starved) == 2);
  CHECK(faults.count(Fault::recv_ends) == 0);
  CHECK(faults.total() == 2);
}

TEST_CASE("an attempt at submission is no fault: it has no budget and heals not", "[faults]") {
  test::SameChoice choices;
  Faults faults{choices};
  faults.set_rate(Fault::inline_attempt, 1000);
  faults.set_budget(0);
  CHECK(faults.happens(Fault::inline_attempt));
  CHECK(faults.count(Fault::inline_attempt) == 1);
  CHECK(faults.total() == 0);
  faults.heal();
  CHECK(faults.happens(Fault::inline_attempt));
}

TEST_CASE("a budget ends the faults, whatever their rates", "[faults]") {
  test::SameChoice choices;
  Faults faults{choices};
  faults.set_rate(Fault::starved, 1000);
  faults.set_rate(Fault::recv_ends, 1000);
  faults.set_budget(3);
  CHECK(faults.happens(Fault::starved));
  CHECK(faults.happens(Fault::recv_ends));
  CHECK(faults.happens(Fault::starved));
  CHECK_FALSE(faults.happens(Fault::recv_ends));
  CHECK(faults.total() == 3);
}

TEST_CASE("after healing nothing fails, and what did is still counted", "[faults]") {
  test::SameChoice choices;
  Faults faults{choices};
  faults.set_rate(Fault::send_fails, 1000);
  CHECK(faults.happens(Fault::send_fails));
  faults.heal();
  CHECK_FALSE(faults.happens(Fault::send_fails));
  CHECK(faults.count(Fault::send_fails) == 1);
}

TEST_CASE("errors are drawn from the operation's own, and counted", "[faults]") {
  test::SameChoice choices;
  Faults faults{choices};
  for (const int error : errors_of(IORING_OP_RECV)) {
    CHECK(faults.draw_error(IORING_OP_RECV) == -error);
    ++choices.answer;
    CHECK(faults.errors().at({std::uint8_t{IORING_OP_RECV}, -error}) == 1);
  }
  CHECK(faults.draw_error(IORING_OP_NOP) == 0);
}

TEST_CASE("each kind has a name of its own", "[faults]") {
  std::set<std::string_view> names;
  for (std::size_t kind = 0; kind < faults_count; ++kind) names.insert(name_of(static_cast<Fault>(kind)));
  CHECK(names.size() == faults_count);
  CHECK_FALSE(names.contains(""));
  CHECK(name_of(Fault::short_recv) == "short_recv");
  CHECK(name_of(Fault::burst) == "burst");
}

}  // namespace
}  // namespace ringwire::kernel::sim
