// libFuzzer's entry; RINGWIRE_FUZZ_TARGET names the function that takes its bytes.
#include "tests/fuzz/targets.hpp"

/// Called by libFuzzer for each input.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ringwire::test::RINGWIRE_FUZZ_TARGET({data, size});
  return 0;
}
