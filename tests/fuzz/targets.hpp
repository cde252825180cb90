// What the fuzzer feeds, one function a target; the corpus in the tree goes through the same functions in
// every test run.
//
// Leaves to others: where the bytes come from (libFuzzer, or `corpus_test.cpp`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringwire::test {

/// The bytes are an address as a user might write it: it is refused with a reason, or means one thing.
void fuzz_address(std::span<const std::uint8_t> input);

/// The bytes are a simulation's choices (the first one: which scenario): no rule of the swarm may break.
void fuzz_reactor(std::span<const std::uint8_t> input);

}  // namespace ringwire::test
