// Which planted bug is switched on in a build that has them.
#pragma once

namespace ringwire::test {

/// The number of the mutant that runs; 0 = none.
extern int planted;

}  // namespace ringwire::test
