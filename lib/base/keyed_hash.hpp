// A hash that strangers cannot aim at: SipHash-2-4 (Aumasson, Bernstein 2012) over whole words.
//
// For tables whose keys come from the network: who does not know the seed cannot choose keys that collide.
// Leaves to others: where the seed comes from (`Kernel::random`).
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace ringwire::base {

/// The secret of one table.
struct HashSeed {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

/// SipHash-2-4 of the words, each taken as its eight bytes, the lowest first.
[[nodiscard]] constexpr std::uint64_t keyed_hash(const HashSeed& seed,
                                                 std::span<const std::uint64_t> words) noexcept {
  std::uint64_t v0 = seed.first ^ 0x736F'6D65'7073'6575U;  // The paper's constants.
  std::uint64_t v1 = seed.second ^ 0x646F'7261'6E64'6F6DU;
  std::uint64_t v2 = seed.first ^ 0x6C79'6765'6E65'7261U;
  std::uint64_t v3 = seed.second ^ 0x7465'6462'7974'6573U;
  const auto round = [&] {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32) + v3;
    v2 += v1;
    v3 = std::rotl(v3, 21) ^ v0;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  };
  const auto take = [&](std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  };
  for (const std::uint64_t word : words) take(word);
  take(static_cast<std::uint64_t>(words.size() * 8)
       << 56);  // The last block has the length, and no byte left over.
  v2 ^= 0xFF;
  for (int count = 0; count < 4; ++count) round();
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace ringwire::base
