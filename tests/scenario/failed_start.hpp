// All that the helper of the scenarios says when it is started with some words.
#pragma once

#include "tests/support/process.hpp"

#include <string>
#include <utility>
#include <vector>

namespace ringwire::test {

/// Its lines, and "exit N". One that has started after all is told to stop.
inline std::string failed_start(std::vector<std::string> words) {
  words.insert(words.begin(), RINGWIRE_SCENARIO_HELPER);
  Child child{words};
  std::string all;
  while (const auto line = child.read_line()) {
    all += *line + "\n";
    if (line->starts_with("listening")) child.write_line("stop");
  }
  return all + "exit " + std::to_string(child.wait().value_or(-1));
}

}  // namespace ringwire::test
