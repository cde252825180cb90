// Reasons: each error comes out as it went in.
#include "lib/conn/reason.hpp"

#include "tests/support/catch.hpp"

#include <cerrno>

namespace ringwire::conn {
namespace {

TEST_CASE("a reason that nobody gave is empty") {
  CHECK_FALSE(Reason{}.error());
  CHECK(Reason{std::error_code{}}.error() == std::error_code{});
  CHECK(Reason{std::error_code{0, std::generic_category()}}.error() == std::error_code{});
}

TEST_CASE("a reason keeps its number and its category") {
  const std::error_code reason = GENERATE(
      make_error_code(Error::end_of_stream), make_error_code(Error::lockdown_failed),
      std::error_code{ECONNRESET, std::system_category()}, std::error_code{1, std::system_category()},
      std::make_error_code(std::errc::not_enough_memory), std::error_code{4095, std::generic_category()});
  const std::error_code kept = Reason{reason}.error();
  CHECK(kept.value() == reason.value());
  CHECK(kept.category() == reason.category());
}

TEST_CASE("a reason takes two bytes") {
  CHECK(sizeof(Reason) == 2);
}

}  // namespace
}  // namespace ringwire::conn
