// docs/layers.md as data: who may include whom, which sources have no test of their own, which words are
// allowed after all.
//
// Leaves to others: the rules about single files (`rules.hpp`). Invariant: the page is the only place of
// these facts.
#pragma once

#include "tests/tidy/source.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace ringwire::tidy {

/// A Markdown table: each row's cells, without backticks.
using Table = std::vector<std::vector<std::string>>;

/// What docs/layers.md says.
struct Layers {
  /// Folder below lib → what it may include: folders, or std, fmt, liburing, boost, system.
  std::map<std::string, std::set<std::string>> allowed;
  /// Folder → its number. Two folders on one number do not see each other.
  std::map<std::string, int> number;
  /// Source → the reason it has no test of its own.
  std::map<std::string, std::string> untested;
  /// File → words that are banned elsewhere and allowed here.
  std::map<std::string, std::set<std::string>> words;
};

/// The rows of the table below a heading, without its header.
Table table_below(const std::string& page, const std::string& heading);

/// Reads the page. A table that is missing leaves its part empty.
Layers parse_layers(const std::string& page);

/// What kind of header an include names: a folder below lib, or public, std, fmt, liburing, boost, system,
/// unknown.
std::string kind_of(const Include& include);

/// Includes of a lib source that the table does not allow.
std::vector<Finding> check_includes(const Source& source, const Layers& layers);

/// Contradictions in the page itself: a folder that may include upward or sideways, or one that does not
/// exist.
std::vector<Finding> check_layers(const Layers& layers, const std::set<std::string>& folders);

/// Sources without a test, tests and sources that no meson.build lists, exceptions that are not needed any
/// more.
std::vector<Finding> check_tested(const std::filesystem::path& root, const Layers& layers);

}  // namespace ringwire::tidy
