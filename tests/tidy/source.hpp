// A file of the tree as the rules see it: its lines, and the same lines without comments and literals.
//
// Leaves to others: what is forbidden (`rules.hpp`, `layers.hpp`).
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::tidy {

/// A broken rule: where, and what to do about it.
struct Finding {
  std::string file;
  std::size_t line = 0;
  std::string message;
};

/// One source file. `code` has the same number of lines as `lines`, of the same lengths, but spaces where
/// comments and the insides of string and character literals were.
struct Source {
  std::string path;
  std::vector<std::string> lines;
  std::vector<std::string> code;

  /// "base" for "lib/base/log.cpp", "" elsewhere.
  [[nodiscard]] std::string folder() const;
  /// Does the path begin so?
  [[nodiscard]] bool in(std::string_view prefix) const { return path.starts_with(prefix); }
  /// Does the path end in ".hpp"?
  [[nodiscard]] bool is_header() const { return path.ends_with(".hpp"); }
};

/// An #include line.
struct Include {
  std::size_t line = 0;
  bool angled = false;
  std::string name;
};

/// Makes a Source of a text, for the tree and for the rules' own tests.
Source make_source(std::string path, const std::string& text);

/// Replaces comments and the insides of literals by spaces; newlines stay.
std::string blank_comments_and_literals(std::string_view text);

/// The text of a file; "" when there is none.
std::string read_text(const std::filesystem::path& path);

/// All sources below `root/folder` whose names end in one of `endings`, ordered by path.
std::vector<Source> read_tree(const std::filesystem::path& root, std::string_view folder,
                              const std::vector<std::string>& endings = {".hpp", ".cpp"});

/// The #include lines of a source, in order. Those in comments do not count.
std::vector<Include> includes_of(const Source& source);

/// Cuts at each newline; the text after the last one counts only when it is not empty.
std::vector<std::string> split_lines(std::string_view text);

}  // namespace ringwire::tidy
