// The hash is the paper's, and depends on its seed.
#include "lib/base/keyed_hash.hpp"

#include "tests/support/catch.hpp"

#include <array>
#include <cstdint>

namespace ringwire::base {
namespace {

constexpr HashSeed seed{0x0706'0504'0302'0100U, 0x0F0E'0D0C'0B0A'0908U};
constexpr std::array<std::uint64_t, 2> words{0x0706'0504'0302'0100U, 0x0F0E'0D0C'0B0A'0908U};

TEST_CASE("the hash of no, one and two words is that of the paper's test vectors") {
  CHECK(keyed_hash(seed, {}) == 0x726F'DB47'DD0E'0E31U);
  CHECK(keyed_hash(seed, std::span{words}.first(1)) == 0x93F5'F579'9A93'2462U);
  CHECK(keyed_hash(seed, words) == 0x3F2A'CC7F'57C2'9BDBU);
}

TEST_CASE("another seed is another hash") {
  CHECK(keyed_hash({1, 2}, words) != keyed_hash({1, 3}, words));
  CHECK(keyed_hash({1, 2}, words) != keyed_hash({2, 2}, words));
}

}  // namespace
}  // namespace ringwire::base
