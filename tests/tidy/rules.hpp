// The rules about single files: words, lengths, documentation, include groups, assertions.
//
// Leaves to others: reading (`source.hpp`), and the layers (`layers.hpp`). Each rule answers what it found,
// in the order of the lines; an empty answer is a pass.
#pragma once

#include "tests/tidy/source.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::tidy {

/// Columns of a line.
inline constexpr std::size_t columns_max = 110;
/// Lines of a function.
inline constexpr std::size_t function_lines_max = 70;
/// Lines of a file in lib.
inline constexpr std::size_t file_lines_max = 400;
/// Lines of a public header.
inline constexpr std::size_t header_lines_max = 250;

/// Words that have a better replacement, each with it. `allowed` are the words this file may use after all.
std::vector<Finding> check_words(const Source& source, const std::set<std::string>& allowed = {});

/// Marks of unfinished work, anywhere in the text, also in comments.
std::vector<Finding> check_unfinished(const Source& source);

/// Casts of the form (type)value.
std::vector<Finding> check_casts(const Source& source);

/// Lines of more than `columns_max` characters (not bytes).
std::vector<Finding> check_columns(const Source& source);

/// More lines in the file than `lines_max`.
std::vector<Finding> check_file_length(const Source& source, std::size_t lines_max);

/// A function: its first line, and how many it has up to the closing brace.
struct FunctionSpan {
  std::size_t line = 0;
  std::size_t lines_count = 0;
  std::string name;
};

/// Every function with a body that stands in a namespace or a class; lambdas belong to the function around
/// them.
std::vector<FunctionSpan> functions_of(const Source& source);

/// Functions of more than `function_lines_max` lines.
std::vector<Finding> check_function_length(const Source& source);

/// A name in an unnamed namespace, behind those it stands in. A function has the types it takes in
/// parentheses, anything else none.
struct HiddenName {
  std::size_t line = 0;
  std::string name;
  std::string types;
};

/// The functions, types with a body, enumerators and values that unnamed namespaces of a source hide.
std::vector<HiddenName> hidden_names_of(const Source& source);

/// Names hidden in two of these sources. Builds that compile several sources as one (`unity`) refuse them.
std::vector<Finding> check_collisions(const std::vector<Source>& sources);

/// The same in each list of sources, files(…), in the meson.build files below `root/folder`.
std::vector<Finding> check_collisions(const std::filesystem::path& root, std::string_view folder);

/// Declarations in a header that no `///` explains.
///
/// Looked at: functions, types, aliases, constants and macros in namespaces and in public parts of classes.
/// Not: data members, enumerators, overrides, friends, forward declarations, destructors, and copies, moves
/// and defaults.
std::vector<Finding> check_documented(const Source& source);

/// A file must open with a comment, and a header continue with #pragma once.
std::vector<Finding> check_opening(const Source& source);

/// Include groups: own header, <ringwire/…>, "lib…" or "tests/…", third party, system; a blank line between.
std::vector<Finding> check_include_groups(const Source& source);

/// Public headers include std and themselves only; `asio` headers also Boost.
std::vector<Finding> check_public_includes(const Source& source);

/// How densely a folder asserts.
struct Density {
  std::size_t assertions = 0;
  std::size_t code_lines = 0;

  /// Assertions per 1,000 lines of code; comments and blank lines do not count.
  [[nodiscard]] double per_thousand() const;
};

/// Adds up RINGWIRE_ASSERT, RINGWIRE_REQUIRE and static_assert per folder of lib.
std::map<std::string, Density> assertion_density(const std::vector<Source>& sources);

}  // namespace ringwire::tidy
