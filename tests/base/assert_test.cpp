// A broken promise stops the process and says where, what and with which values.
#include "lib/base/assert.hpp"

#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace ringwire {
namespace {

using ringwire::test::contains;
using test::death_of;

enum class Colour : std::uint8_t { red = 7 };

TEST_CASE("a check that holds does nothing and evaluates its condition once") {
  int evaluated = 0;
  RINGWIRE_ASSERT(++evaluated == 1, "{}", evaluated);
  RINGWIRE_REQUIRE(evaluated == 1);
  CHECK(evaluated == 1);
}

TEST_CASE("the values of a check that holds are not evaluated") {
  int evaluated = 0;
  RINGWIRE_ASSERT(evaluated == 0, "{}", ++evaluated);
  CHECK(evaluated == 0);
}

TEST_CASE("a pointer is a condition") {
  const auto number = std::make_unique<int>(1);
  RINGWIRE_ASSERT(number);
  SUCCEED();
}

TEST_CASE("a failed assertion names file, function and condition as a bug") {
  const std::string said = death_of([] { RINGWIRE_ASSERT(1 + 1 == 3); });
  CHECK_THAT(said, contains("ringwire: bug at "));
  CHECK_THAT(said, contains("assert_test.cpp:"));
  CHECK_THAT(said, contains("operator()"));
  CHECK_THAT(said, contains("`1 + 1 == 3` does not hold\n"));
}

TEST_CASE("a failed requirement blames the caller") {
  const std::string said = death_of([] { RINGWIRE_REQUIRE(false); });
  CHECK_THAT(said, contains("ringwire: misuse by the caller at "));
}

TEST_CASE("a failed check prints its values, whatever their kind") {
  const std::string said = death_of([] {
    const std::string text = "deep";
    RINGWIRE_ASSERT(false, "{} {} {} {} {} {} {}", -3, 18'446'744'073'709'551'615U, true, 0.5, text, "flat",
                    Colour::red);
  });
  CHECK_THAT(said, contains("does not hold: -3 18446744073709551615 true 0.5 deep flat 7\n"));
}

TEST_CASE("a failed check says what the thread was doing, when that was noted") {
  const std::string said = death_of([] {
    static_cast<void>(base::note_checks("counting sheep"));
    RINGWIRE_ASSERT(false);
  });
  CHECK_THAT(said, contains("does not hold\nringwire: it happened counting sheep\n"));
}

TEST_CASE("a failed check prints pointers") {
  const std::string said = death_of([] {
    const void* nothing = nullptr;
    RINGWIRE_ASSERT(nothing != nullptr, "at {}", nothing);
  });
  CHECK_THAT(said, contains("at 0x0\n"));
}

TEST_CASE("a failed check with a wrong format still says its condition and aborts") {
  const std::string said = death_of([] { RINGWIRE_ASSERT(2 < 1, "{} {}", 1); });
  CHECK_THAT(said, contains("could not be formatted: 2 < 1\n"));
}

}  // namespace
}  // namespace ringwire
