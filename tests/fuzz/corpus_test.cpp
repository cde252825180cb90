// Every input the fuzzer has taught us, with every compiler and without a fuzzer.
#include "tests/fuzz/targets.hpp"
#include "tests/support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace ringwire::test {
namespace {

using Target = void (*)(std::span<const std::uint8_t>);

// A target ends the process when a rule breaks; the name of the input stands above its message.
std::size_t run_corpus(const std::string& name, Target target) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{std::string{RINGWIRE_CORPUS} + "/" + name}) {
    INFO(entry.path().string());
    std::ifstream file{entry.path(), std::ios::binary};
    const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>{file}, {}};
    REQUIRE(file.is_open());
    REQUIRE_NOTHROW(target(bytes));
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("no address of the fuzzer's corpus breaks a rule") {
  CHECK(run_corpus("address", fuzz_address) >= 20);
}

TEST_CASE("no choices of the fuzzer's corpus break a rule") {
  CHECK(run_corpus("reactor", fuzz_reactor) >= 20);
}

}  // namespace ringwire::test
