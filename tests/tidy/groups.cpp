// The order of #include lines, and what a public header may include.
#include "tests/tidy/rules.hpp"

#include "tests/tidy/layers.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace ringwire::tidy {
namespace {

enum Group { own, face, ours, third_party, system_or_std };

const char* name_of(Group group) {
  switch (group) {
    case own:
      return "the own header";
    case face:
      return "<ringwire/…>";
    case ours:
      return "\"lib…\" and \"tests/…\"";
    case third_party:
      return "third party";
    case system_or_std:
      return "system";
  }
  return "";
}

// lib/conn/send.cpp owns lib/conn/send.hpp, and so does its test; lib/base/error.cpp may implement
// ringwire/error.hpp.
bool is_own(const Source& source, const Include& include) {
  if (source.is_header()) return false;
  const std::filesystem::path file(source.path);
  const std::string stem = file.stem().string();
  const bool test = source.in("tests/") && stem.ends_with("_test");
  const std::string name = (test ? stem.substr(0, stem.size() - 5) : stem) + ".hpp";
  if (include.angled) return include.name == "ringwire/" + name;
  const std::string folder = file.parent_path().generic_string() + "/";
  const std::string tested = "lib/" + (test ? folder.substr(6) : folder);
  // Examples name their neighbours without a folder.
  return include.name == folder + name || (test && include.name == tested + name) || include.name == name;
}

Group group_of(const Source& source, const Include& include, bool first) {
  if (first && is_own(source, include)) return own;
  if (include.angled && include.name.starts_with("ringwire/")) return face;
  if (!include.angled) return ours;
  const std::string kind = kind_of(include);
  if (kind == "fmt" || kind == "boost" || kind == "liburing") return third_party;
  if (include.name.starts_with("catch2/") || include.name.starts_with("CLI/")) return third_party;
  return system_or_std;
}

}  // namespace

std::vector<Finding> check_include_groups(const Source& source) {
  std::vector<Finding> findings;
  std::vector<Include> includes = includes_of(source);
  // A kernel header (<sys/socket.h>) may stand with third party, with the last group, or in one of its own.
  std::erase_if(includes, [](const Include& include) { return kind_of(include) == "system"; });
  for (std::size_t i = 1; i < includes.size(); ++i) {
    const Group before = group_of(source, includes[i - 1], i == 1);
    const Group here = group_of(source, includes[i], false);
    bool blank = false;
    bool directive = false;  // A choice by #if has an order of its own.
    for (std::size_t line = includes[i - 1].line; line + 1 < includes[i].line; ++line) {
      blank = blank || source.lines[line].empty();
      directive = directive || source.code[line].find('#') != std::string::npos;
    }
    // An own header of the public face stands with its neighbours, and so may the tested one in a test.
    const bool neighbours = here == (includes[i - 1].angled ? face : ours);
    const bool one_group = before == own && neighbours && (includes[i - 1].angled || source.in("tests/"));
    if (directive || one_group) continue;
    if (here < before) {
      findings.push_back({source.path, includes[i].line,
                          fmt::format("{} must come before {}", name_of(here), name_of(before))});
    } else if (here > before && !blank) {
      findings.push_back({source.path, includes[i].line,
                          fmt::format("a blank line between {} and {}", name_of(before), name_of(here))});
    }
  }
  return findings;
}

std::vector<Finding> check_public_includes(const Source& source) {
  std::vector<Finding> findings;
  const bool asio = source.in("include/ringwire/asio");
  for (const Include& include : includes_of(source)) {
    const std::string kind = kind_of(include);
    const bool brings_asio = kind == "public" && include.name.starts_with("ringwire/asio") && !asio;
    if ((kind == "std" || kind == "public" || (asio && kind == "boost")) && !brings_asio) continue;
    findings.push_back({source.path, include.line,
                        fmt::format("a public header includes std and ringwire only, not {}", include.name)});
  }
  return findings;
}

}  // namespace ringwire::tidy
