// The layer table, and what follows from it.
#include "tests/tidy/layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <sstream>

namespace ringwire::tidy {
namespace {

std::string trim(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" `");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" `") - begin + 1);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(trim(part));
  return parts;
}

// "lib/base" → "base".
std::string without_lib(const std::string& folder) {
  return folder.starts_with("lib/") ? folder.substr(4) : folder;
}

bool names(const std::filesystem::path& meson_build, const std::string& file) {
  const std::string text = read_text(meson_build);
  return text.find("'" + file + "'") != std::string::npos;
}

}  // namespace

Table table_below(const std::string& page, const std::string& heading) {
  Table table;
  bool here = false;
  int rows = 0;
  for (const std::string& line : split_lines(page)) {
    if (line.starts_with("#")) {
      here = line.find(heading) != std::string::npos;
    } else if (here && line.starts_with("|")) {
      // The first row is the header, the second the rule below it.
      if (++rows > 2) table.push_back(split(line.substr(1), '|'));
    } else if (here && rows > 0) {
      break;
    }
  }
  return table;
}

Layers parse_layers(const std::string& page) {
  Layers layers;
  for (const auto& row : table_below(page, "The table")) {
    if (row.size() < 4 || !row[1].starts_with("lib/")) continue;
    const std::string folder = without_lib(row[1]);
    layers.number[folder] = std::stoi(row[0]);
    for (const std::string& word : split(row[3], ',')) layers.allowed[folder].insert(without_lib(word));
  }
  for (const auto& row : table_below(page, "Sources without a test of their own")) {
    if (row.size() >= 2) layers.untested[row[0]] = row[1];
  }
  for (const auto& row : table_below(page, "Words allowed after all")) {
    if (row.size() >= 2) layers.words[row[0]].insert(row[1]);
  }
  return layers;
}

std::string kind_of(const Include& include) {
  if (!include.angled) {
    if (!include.name.starts_with("lib/")) return "unknown";
    const std::size_t slash = include.name.find('/', 4);
    return slash == std::string::npos ? "unknown" : include.name.substr(4, slash - 4);
  }
  for (const char* library : {"ringwire", "fmt", "boost"}) {
    if (include.name.starts_with(std::string(library) + "/")) {
      return library == std::string_view("ringwire") ? "public" : library;
    }
  }
  if (include.name == "liburing.h" || include.name.starts_with("liburing/")) return "liburing";
  const bool standard =
      include.name.find('.') == std::string::npos && include.name.find('/') == std::string::npos;
  return standard ? "std" : "system";
}

std::vector<Finding> check_includes(const Source& source, const Layers& layers) {
  std::vector<Finding> findings;
  const std::string folder = source.folder();
  const auto allowed = layers.allowed.find(folder);
  if (allowed == layers.allowed.end()) {
    findings.push_back({source.path, 1, fmt::format("lib/{} is not in the table of docs/layers.md", folder)});
    return findings;
  }
  for (const Include& include : includes_of(source)) {
    const std::string kind = kind_of(include);
    if (kind == folder || kind == "public" || kind == "std" || allowed->second.contains(kind)) continue;
    findings.push_back(
        {source.path, include.line,
         fmt::format("lib/{} may not include {} ({}): docs/layers.md; pass the lower thing down", folder,
                     include.name, kind)});
  }
  return findings;
}

std::vector<Finding> check_layers(const Layers& layers, const std::set<std::string>& folders) {
  std::vector<Finding> findings;
  const std::string page = "docs/layers.md";
  for (const auto& [folder, allowed] : layers.allowed) {
    for (const std::string& other : allowed) {
      const auto number = layers.number.find(other);
      if (number == layers.number.end() || number->second < layers.number.at(folder)) continue;
      findings.push_back({page, 1, fmt::format("{} may not include {}: it is not below", folder, other)});
    }
  }
  for (const std::string& folder : folders) {
    if (!layers.allowed.contains(folder)) findings.push_back({page, 1, "no row for lib/" + folder});
  }
  return findings;
}

std::vector<Finding> check_tested(const std::filesystem::path& root, const Layers& layers) {
  std::vector<Finding> findings;
  for (const Source& source : read_tree(root, "lib", {".cpp"})) {
    const std::filesystem::path path(source.path);
    const std::filesystem::path folder = path.parent_path();
    const std::filesystem::path tests = "tests" / folder.lexically_relative("lib");
    const std::string test = path.stem().string() + "_test.cpp";
    const bool tested = std::filesystem::exists(root / tests / test);
    const bool excused = layers.untested.contains(source.path);

    if (!names(root / folder / "meson.build", path.filename().string())) {
      findings.push_back({source.path, 1, fmt::format("is not listed in {}/meson.build", folder.string())});
    }
    if (!tested && !excused) {
      findings.push_back(
          {source.path, 1,
           fmt::format("has no {}/{}; write it, or give a reason in docs/layers.md", tests.string(), test)});
    }
    if (tested && excused) {
      findings.push_back({"docs/layers.md", 1, source.path + " has a test now; remove its exception"});
    }
    if (tested && !names(root / tests / "meson.build", test)) {
      findings.push_back(
          {(tests / test).string(), 1, fmt::format("is not listed in {}/meson.build", tests.string())});
    }
  }
  for (const auto& [source, reason] : layers.untested) {
    if (!std::filesystem::exists(root / source)) {
      findings.push_back({"docs/layers.md", 1, source + " does not exist; remove its exception"});
    }
    if (reason.empty()) findings.push_back({"docs/layers.md", 1, source + " has no reason"});
  }
  return findings;
}

}  // namespace ringwire::tidy
