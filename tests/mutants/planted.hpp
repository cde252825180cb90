// Which planted bug is switched on in a build that has them.
#pragma once

#include <string_view>

namespace ringwire::test {

/// The number of the mutant that runs; 0 = none.
extern int planted;

/// A planted bug, as the table has it.
struct Mutant {
  std::string_view name;
  std::string_view what;
};

}  // namespace ringwire::test
