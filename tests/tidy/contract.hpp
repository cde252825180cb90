// docs/contract.md against the tests it names: each promise has one, and each exists.
//
// Leaves to others: what the tests check. Invariant: a name in the page is the whole name of a TEST_CASE.
#pragma once

#include "tests/tidy/source.hpp"

#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::tidy {

/// A test that a page names: `path` below tests and the name in quotes.
struct Citation {
  std::size_t line = 0;
  std::string path;
  std::string name;
};

/// The tests a page names, in order.
std::vector<Citation> citations_of(std::string_view page);

/// The names of the test cases in a source, wherever they are broken over lines.
std::set<std::string> test_cases_in(const std::string& text);

/// Rows without a test, in the tables whose last column is "test"; tests that do not exist; files of
/// tests/contract that no row names.
std::vector<Finding> check_contract(const std::filesystem::path& root);

}  // namespace ringwire::tidy
