// Promises of the public face that are not about behaviour: headers that stand alone, a README that is true.
//
// Leaves to others: compiling each header alone (tests/api/meson.build makes one translation unit of each).
#include "tests/support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

const std::filesystem::path root = RINGWIRE_SOURCE_ROOT;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::set<std::string> headers_compiled_alone() {
  std::istringstream list(RINGWIRE_HEADERS);
  return {std::istream_iterator<std::string>(list), {}};
}

// The fenced blocks of one language.
std::vector<std::string> blocks(const std::string& page, const std::string& language) {
  std::vector<std::string> found;
  const std::string fence = "```" + language + "\n";
  for (std::size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at + 1)) {
    const std::size_t begin = at + fence.size();
    found.push_back(page.substr(begin, page.find("```", begin) - begin));
  }
  return found;
}

TEST_CASE("every public header is compiled alone") {
  std::set<std::string> there;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "include")) {
    if (entry.is_regular_file()) {
      there.insert(std::filesystem::relative(entry.path(), root / "include").generic_string());
    }
  }
  REQUIRE(there.contains("ringwire/ringwire.hpp"));
  CHECK(headers_compiled_alone() == there);  // The list stands in tests/api/meson.build.
}

TEST_CASE("ringwire.hpp brings in every public header but those of asio and the simulator") {
  const std::string umbrella = read(root / "include/ringwire/ringwire.hpp");
  for (const std::string& header : headers_compiled_alone()) {
    INFO(header);
    const bool expected = header != "ringwire/ringwire.hpp" && !header.starts_with("ringwire/sim") &&
                          !header.starts_with("ringwire/asio");
    CHECK((umbrella.find("#include <" + header + ">") != std::string::npos) == expected);
  }
}

TEST_CASE("the echo server of the README is examples/echo.cpp, which is compiled") {
  const std::vector<std::string> shown = blocks(read(root / "README.md"), "cpp");
  REQUIRE_FALSE(shown.empty());
  CHECK(shown.front() == read(root / "examples/echo.cpp"));
}

TEST_CASE("every program of the README is one of the examples, which are compiled") {
  std::string examples;
  for (const auto& entry : std::filesystem::directory_iterator(root / "examples")) {
    if (entry.path().extension() == ".cpp") examples += read(entry.path());
  }
  for (const std::string& block : blocks(read(root / "README.md"), "cpp")) {
    INFO(block);
    CHECK(examples.find(block) != std::string::npos);
  }
}

TEST_CASE("every file the README links to exists") {
  const std::string page = read(root / "README.md");
  static const std::regex link(R"(\]\(([^)#]+)[^)]*\))");
  std::size_t count = 0;
  for (std::sregex_iterator at(page.begin(), page.end(), link), end; at != end; ++at) {
    const std::string target = (*at)[1];
    if (target.starts_with("http")) continue;
    INFO(target);
    CHECK(std::filesystem::exists(root / target));
    ++count;
  }
  CHECK(count >= 3);
}

TEST_CASE("every command the README names is one that dev knows") {
  const std::string page = read(root / "README.md");
  const std::string script = read(root / "dev");
  static const std::regex use(R"(\./dev ([a-z]+))");
  std::size_t count = 0;
  for (std::sregex_iterator at(page.begin(), page.end(), use), end; at != end; ++at) {
    INFO((*at)[1].str());
    CHECK(std::regex_search(script, std::regex("\n  " + (*at)[1].str() + "( \\| .*)?\\) ")));
    ++count;
  }
  CHECK(count >= 2);
}

}  // namespace
