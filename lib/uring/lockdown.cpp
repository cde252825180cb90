// Taking from a ring what ringwire does not need.
//
//   set up disabled ──RESTRICTIONS──▶ restricted, takes nothing yet ──ENABLE_RINGS──▶ takes what is allowed
//
// The kernel accepts restrictions only while a ring is disabled, and each step only once, so nobody can widen
// them later. The thread that enables a SINGLE_ISSUER ring is the one that may submit.
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/uring/allowed.hpp"
#include "lib/uring/ring.hpp"

#include <fmt/core.h>

#include <cstddef>

namespace ringwire::uring {
namespace {

constexpr std::size_t rules_count = allowed_opcodes.size() + allowed_registrations.size() + 1;

std::array<io_uring_restriction, rules_count> rules() {
  std::array<io_uring_restriction, rules_count> all{};
  std::size_t count = 0;
  for (const std::uint8_t opcode : allowed_opcodes) {
    all[count].opcode = IORING_RESTRICTION_SQE_OP;
    all[count++].sqe_op = opcode;
  }
  for (const std::uint8_t opcode : allowed_registrations) {
    all[count].opcode = IORING_RESTRICTION_REGISTER_OP;
    all[count++].register_op = opcode;
  }
  all[count].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  all[count++].sqe_flags = allowed_flags;
  RINGWIRE_ASSERT(count == rules_count);
  return all;
}

std::error_code refusal(const char* step, int result) {
  return base::fail(Error::lockdown_failed,
                    fmt::format("{} was refused: {}", step, base::to_error(result).message()));
}

}  // namespace

std::error_code Ring::lock_down() {
  RINGWIRE_ASSERT(open_);
  RINGWIRE_ASSERT(in_flight_ == 0);
  RINGWIRE_ASSERT((ring_.flags & IORING_SETUP_R_DISABLED) != 0);

  auto all = rules();
  if (const int result = register_ring(IORING_REGISTER_RESTRICTIONS, all.data(), all.size()); result < 0) {
    return refusal("restricting a ring to ringwire's requests (IORING_REGISTER_RESTRICTIONS)", result);
  }
  if (const int result = register_ring(IORING_REGISTER_ENABLE_RINGS, nullptr, 0); result < 0) {
    return refusal("enabling a restricted ring (IORING_REGISTER_ENABLE_RINGS)", result);
  }
  return {};
}

}  // namespace ringwire::uring
