// Names, and the errnos each operation can answer.
#include "lib/kernel/sim/faults.hpp"

#include "lib/kernel/sim/errors.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace ringwire::kernel::sim {
namespace {

constexpr std::array<std::string_view, faults_count> names{
    "short_recv",      "short_send",        "recv_ends",     "recv_ends_empty", "starved",
    "recv_fails",      "send_fails",        "accept_ends",   "accept_fails",    "connect_fails",
    "close_fails",     "read_fails",        "cancel_late",   "cancel_missed",   "cancel_reordered",
    "message_refused", "enter_interrupted", "enter_busy",    "submit_partly",   "call_fails",
    "datagram_lost",   "datagram_doubled",  "datagram_late", "inline_attempt",  "burst"};

}  // namespace

std::string_view name_of(Fault fault) noexcept {
  return names[static_cast<std::size_t>(fault)];
}

void Faults::heal() noexcept {
  const std::uint32_t inline_rate = rate(Fault::inline_attempt);
  rates_.fill(0);
  set_rate(Fault::inline_attempt, inline_rate);
  forced_.error = 0;
}

bool Faults::happens(Fault fault) {
  const bool is_fault = fault != Fault::inline_attempt;
  if ((is_fault && budget_ == 0) || !choices_.chance(rate(fault))) return false;
  if (is_fault) --budget_;
  ++counts_[index(fault)];
  return true;
}

int Faults::strike(Fault fault, std::uint8_t opcode) {
  if (const int error = take_forced(opcode); error != 0) {
    ++counts_[index(fault)];
    return error;
  }
  return happens(fault) ? draw_error(opcode) : 0;
}

int Faults::take_forced(std::uint8_t opcode) {
  if (forced_.error == 0 || forced_.opcode != opcode) return 0;
  if (forced_.skip > 0) return --forced_.skip, 0;
  struck_ = -std::exchange(forced_.error, 0);
  count_error(opcode, struck_);
  return struck_;
}

std::uint64_t Faults::total() const noexcept {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0}) - count(Fault::inline_attempt);
}

int Faults::draw_error(std::uint8_t opcode) {
  const std::span<const int> errors = errors_of(opcode);
  if (errors.empty()) return 0;
  const int error = -errors[choices_.draw_size(static_cast<std::uint32_t>(errors.size()))];
  count_error(opcode, error);
  return error;
}

}  // namespace ringwire::kernel::sim
