// A directory that is gone, with all that is in it, when the test is.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace ringwire::test {

/// A new directory under the system's own for temporary files.
class Directory {
 public:
  Directory() {
    std::string pattern = std::filesystem::temp_directory_path() / "ringwire-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }

  /// The path of a file in it.
  friend std::string operator/(const Directory& directory, const std::string& name) {
    return directory.path_ + "/" + name;
  }

 private:
  std::string path_;
};

}  // namespace ringwire::test
