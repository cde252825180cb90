// A directory that is gone, with all that is in it, when the test is.
#pragma once

#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace ringwire::test {

/// A new directory under the system's own for temporary files.
class Directory {
 public:
  Directory() {
    const std::string unique(6, 'X');  // What mkdtemp(3) replaces.
    std::string pattern = std::filesystem::temp_directory_path() / ("ringwire-" + unique);
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }

  /// Where it is.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// The path of a file in it.
  friend std::string operator/(const Directory& directory, const std::string& name) {
    return directory.path_ + "/" + name;
  }

 private:
  std::string path_;
};

}  // namespace ringwire::test
