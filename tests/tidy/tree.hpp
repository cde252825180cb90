// A small tree of files to show a rule, in a directory of its own that goes with it.
//
// Leaves to others: the rules.
#pragma once

#include "tests/support/directory.hpp"

#include <filesystem>
#include <fstream>
#include <string>

namespace ringwire::tidy {

/// Files of a test.
class Tree {
 public:
  /// Makes a file, and the folders above it.
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path target = directory_ / path;
    std::filesystem::create_directories(target.parent_path());
    std::ofstream(target) << text;
  }
  /// Where it begins.
  [[nodiscard]] std::filesystem::path root() const { return directory_.path(); }

 private:
  test::Directory directory_;
};

}  // namespace ringwire::tidy
