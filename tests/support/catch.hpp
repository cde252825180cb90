// Catch2 2.13 and 3 through one header, and a skip that both can show.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <string>

namespace ringwire::test {

/// A matcher for text that contains `part`; Catch2 3 gave its own another name.
inline auto contains(const std::string& part) {
#if __has_include(<catch2/catch_all.hpp>)
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}

/// Counts the running test case as skipped and prints why. Follow it with `return`.
void skip(const std::string& reason);

}  // namespace ringwire::test
