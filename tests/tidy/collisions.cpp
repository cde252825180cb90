// Names in unnamed namespaces that two sources of one list in a meson.build share: compiled as one, they
// collide.
#include "tests/tidy/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <regex>

namespace ringwire::tidy {
namespace {

// Where a name is hidden, and what it takes when it is a function's.
struct Home {
  std::string file;
  std::string types;
};

// The sources that each files(…) of a meson.build names.
std::vector<std::vector<std::string>> lists_in(const std::string& text) {
  static const std::regex list(R"(\bfiles\(([^)]*)\))");
  static const std::regex name(R"('([^']+\.cpp)')");
  std::vector<std::vector<std::string>> lists;
  for (std::sregex_iterator at{text.begin(), text.end(), list}; at != std::sregex_iterator{}; ++at) {
    const std::string inside = (*at)[1];
    std::vector<std::string>& names = lists.emplace_back();
    for (std::sregex_iterator one{inside.begin(), inside.end(), name}; one != std::sregex_iterator{}; ++one)
      names.push_back((*one)[1]);
  }
  return lists;
}

}  // namespace

std::vector<Finding> check_collisions(const std::vector<Source>& sources) {
  std::vector<Finding> findings;
  std::multimap<std::string, Home> homes;
  for (const Source& source : sources) {
    for (const HiddenName& hidden : hidden_names_of(source)) {
      const auto [begin, end] = homes.equal_range(hidden.name);
      const auto other = std::find_if(begin, end, [&](const auto& entry) {
        // Functions may share a name when they take different things.
        const bool overloads = !hidden.types.empty() && !entry.second.types.empty();
        return entry.second.file != source.path && (!overloads || hidden.types == entry.second.types);
      });
      if (other != end) {
        const std::string name = hidden.name.substr(hidden.name.find("{}") + 2);
        findings.push_back(
            {source.path, hidden.line,
             fmt::format(
                 "{} is hidden in {}, too, and both may be compiled as one: another name, or one home", name,
                 other->second.file)});
      }
      homes.emplace(hidden.name, Home{source.path, hidden.types});
    }
  }
  return findings;
}

std::vector<Finding> check_collisions(const std::filesystem::path& root, std::string_view folder) {
  std::vector<Finding> findings;
  for (const Source& build : read_tree(root, folder, {"meson.build"})) {
    const std::filesystem::path here = std::filesystem::path(build.path).parent_path();
    for (const std::vector<std::string>& list : lists_in(read_text(root / build.path))) {
      std::vector<Source> sources;
      for (const std::string& name : list) {
        const std::string path = (here / name).lexically_normal().generic_string();
        sources.push_back(make_source(path, read_text(root / path)));
      }
      for (Finding& finding : check_collisions(sources)) findings.push_back(std::move(finding));
    }
  }
  return findings;
}

}  // namespace ringwire::tidy
