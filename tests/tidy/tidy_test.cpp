// The tree keeps its own rules: each case reads the sources below RINGWIRE_SOURCE_ROOT and lists what breaks
// one.
//
// Leaves to others: the rules, which `rules_test.cpp` and `layers_test.cpp` show to be able to fail.
#include "tests/support/catch.hpp"
#include "tests/tidy/contract.hpp"
#include "tests/tidy/layers.hpp"
#include "tests/tidy/rules.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <set>
#include <string>
#include <vector>

namespace ringwire::tidy {
namespace {

const std::filesystem::path root = RINGWIRE_SOURCE_ROOT;

std::vector<Source> sources(const std::vector<std::string>& folders) {
  std::vector<Source> all;
  for (const std::string& folder : folders) {
    for (Source& source : read_tree(root, folder)) all.push_back(std::move(source));
  }
  return all;
}

const std::vector<Source>& lib() {
  static const std::vector<Source> files = sources({"lib"});
  return files;
}
const std::vector<Source>& public_face() {
  static const std::vector<Source> files = sources({"include"});
  return files;
}
const std::vector<Source>& everything() {
  static const std::vector<Source> files = sources({"include", "lib", "examples", "tests", "perf"});
  return files;
}

Layers layers() {
  return parse_layers(read_text(root / "docs/layers.md"));
}

// Fails with one line for each finding, in a form editors can jump to.
void check(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    std::cout << fmt::format("{}:{}: {}\n", finding.file, finding.line, finding.message);
  }
  CHECK(findings.size() == 0);
}

template <typename Rule>
void check_each(const std::vector<Source>& files, Rule rule) {
  std::vector<Finding> findings;
  for (const Source& source : files) {
    for (Finding& finding : rule(source)) findings.push_back(std::move(finding));
  }
  REQUIRE_FALSE(files.empty());  // A wrong root would find nothing to complain about.
  check(findings);
}

TEST_CASE("every include in lib is one that docs/layers.md allows") {
  const Layers table = layers();
  check_each(lib(), [&](const Source& source) { return check_includes(source, table); });
}

TEST_CASE("the layer table has a row for each folder and lets nobody look up or sideways") {
  std::set<std::string> folders;
  for (const auto& entry : std::filesystem::directory_iterator(root / "lib")) {
    if (entry.is_directory()) folders.insert(entry.path().filename().string());
  }
  check(check_layers(layers(), folders));
}

TEST_CASE("each source of lib has its test, and a meson.build lists both") {
  check(check_tested(root, layers()));
}

TEST_CASE("each promise of docs/contract.md has a test, and each test it names exists") {
  check(check_contract(root));
}

TEST_CASE("lib and the public headers use no banned word") {
  const Layers table = layers();
  check_each(everything(), [&](const Source& source) {
    const auto allowed = table.words.find(source.path);
    return check_words(source, allowed == table.words.end() ? std::set<std::string>{} : allowed->second);
  });
}

TEST_CASE("nothing on main is marked as unfinished") {
  check_each(everything(), check_unfinished);
}

TEST_CASE("no cast is written the C way") {
  check_each(lib(), check_casts);
  check_each(public_face(), check_casts);
}

TEST_CASE("no line has more than 110 columns") {
  check_each(everything(), check_columns);
}

TEST_CASE("no file of lib has more than 400 lines, no public header more than 250") {
  check_each(lib(), [](const Source& source) { return check_file_length(source, file_lines_max); });
  check_each(public_face(), [](const Source& source) { return check_file_length(source, header_lines_max); });
}

TEST_CASE("no function of lib has more than 70 lines") {
  check_each(lib(), check_function_length);
  check_each(public_face(), check_function_length);
}

TEST_CASE("each public declaration has a comment that explains it") {
  check_each(public_face(), check_documented);
}

TEST_CASE("each declaration in a header of lib has a comment that explains it") {
  std::vector<Source> headers = lib();
  std::erase_if(headers, [](const Source& source) { return !source.is_header(); });
  check_each(headers, check_documented);
}

TEST_CASE("sources that may be compiled as one hide no name twice") {
  check(check_collisions(root, "lib"));
  check(check_collisions(root, "tests"));
}

TEST_CASE("each file opens with what it owns, each header with pragma once") {
  check_each(everything(), check_opening);
}

TEST_CASE("includes stand in their groups, from our own to the system's") {
  check_each(everything(), check_include_groups);
}

TEST_CASE("public headers include neither liburing nor fmt, and Boost only for asio") {
  check_each(public_face(), check_public_includes);
}

TEST_CASE("uring, conn and loop assert at least 25 times in 1,000 lines of code") {
  const std::set<std::string> enforced{"uring", "conn", "loop"};
  for (const auto& [folder, density] : assertion_density(lib())) {
    std::cout << fmt::format("assertions in lib/{:7} {:5.1f} per 1,000 lines ({} in {})\n", folder,
                             density.per_thousand(), density.assertions, density.code_lines);
    // A folder of a few lines says nothing about itself yet.
    if (!enforced.contains(folder) || density.code_lines <= 300) continue;
    INFO("lib/" << folder);
    CHECK(density.per_thousand() >= 25.0);
  }
}

}  // namespace
}  // namespace ringwire::tidy
