// The page of promises, and the tests it names.
#include "tests/tidy/contract.hpp"

#include <fmt/format.h>

#include <map>
#include <regex>

namespace ringwire::tidy {
namespace {

const std::string page_path = "docs/contract.md";

// Every row of the tables that have a column for tests, but for their two first.
std::vector<std::size_t> rows_of(const std::vector<std::string>& lines) {
  std::vector<std::size_t> rows;
  bool has_tests = false;
  for (std::size_t index = 0; index < lines.size(); ++index) {
    const std::string& line = lines[index];
    if (!line.starts_with("|")) {
      has_tests = false;
    } else if (line.ends_with("| test |")) {
      has_tests = true;
    } else if (has_tests && !line.starts_with("|--")) {
      rows.push_back(index + 1);
    }
  }
  return rows;
}

}  // namespace

std::vector<Citation> citations_of(std::string_view page) {
  static const std::regex pattern{R"re(`([a-z_0-9/]+\.cpp)` "([^"]+)")re"};
  std::vector<Citation> citations;
  std::size_t number = 0;
  for (const std::string& line : split_lines(page)) {
    ++number;
    for (std::sregex_iterator at{line.begin(), line.end(), pattern}; at != std::sregex_iterator{}; ++at) {
      citations.push_back({number, (*at)[1], (*at)[2]});
    }
  }
  return citations;
}

std::set<std::string> test_cases_in(const std::string& text) {
  static const std::regex begin{R"re(TEST_CASE\(\s*((?:"[^"]*"\s*)+))re"};
  static const std::regex literal{R"re("([^"]*)")re"};
  std::set<std::string> names;
  for (std::sregex_iterator at{text.begin(), text.end(), begin}; at != std::sregex_iterator{}; ++at) {
    const std::string pieces = (*at)[1];
    std::string name;
    for (std::sregex_iterator piece{pieces.begin(), pieces.end(), literal}; piece != std::sregex_iterator{};
         ++piece) {
      name += (*piece)[1];
    }
    names.insert(name);
  }
  return names;
}

std::vector<Finding> check_contract(const std::filesystem::path& root) {
  std::vector<Finding> findings;
  const std::string page = read_text(root / page_path);
  std::map<std::string, std::set<std::string>> known;  // File → its cases.
  std::set<std::size_t> rows_with_tests;
  for (const Citation& citation : citations_of(page)) {
    rows_with_tests.insert(citation.line);
    if (!known.contains(citation.path)) {
      known[citation.path] = test_cases_in(read_text(root / "tests" / citation.path));
    }
    if (!known[citation.path].contains(citation.name)) {
      findings.push_back({page_path, citation.line,
                          fmt::format("tests/{} has no test \"{}\"", citation.path, citation.name)});
    }
  }
  const std::vector<std::size_t> rows = rows_of(split_lines(page));
  if (rows.empty()) findings.push_back({page_path, 1, "has no table of promises"});
  for (const std::size_t row : rows) {
    if (!rows_with_tests.contains(row)) findings.push_back({page_path, row, "a promise without a test"});
  }
  for (const Source& source : read_tree(root, "tests/contract", {".cpp"})) {
    const std::string path = source.path.substr(std::string_view{"tests/"}.size());
    if (known.contains(path) || test_cases_in(read_text(root / source.path)).empty()) continue;
    findings.push_back({page_path, 1, fmt::format("names no test of {}", source.path)});
  }
  return findings;
}

}  // namespace ringwire::tidy
