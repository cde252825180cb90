// `errno_matrix`: every operation answers every errno of the table three times, forced; a completion has told
// the reactor of it, and every rule of the swarm holds each time. Prints the matrix.
//
// The errnos that end a listener for good (EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP of accept) have a rule of
// their own: nobody is accepted any more, and the engine still stops with nothing left. So have those that
// end a datagram socket's receiving (EBADF, ENOTSOCK of recvmsg). EBADF of close is no cell: a descriptor
// closed twice is a bug of ours, and an assertion.
#include "lib/kernel/sim/errors.hpp"
#include "tests/sim/swarm.hpp"
#include "tests/sim/trial.hpp"

#include <fmt/format.h>
#include <liburing.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>

namespace ringwire::test {
namespace {

constexpr unsigned wanted = 3;        // Times each errno must reach the reactor.
constexpr std::uint64_t seeds = 400;  // Tried until it is: some operations are rare.
constexpr std::array ends_listener{EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP};
constexpr std::array ends_receiving{EBADF, ENOTSOCK};

// Worlds without other faults, in which this operation occurs.
Plan plan_of(kernel::sim::Choices& choices, std::uint8_t opcode, std::uint64_t seed, bool datagrams) {
  Scenario scenario = seed % 2 == 0 ? Scenario::mixed : Scenario::closing;
  if (datagrams) scenario = Scenario::datagrams;
  if (opcode == IORING_OP_MSG_RING) scenario = Scenario::balance;
  Plan plan = draw_plan(choices, scenario);
  plan.fault_rates.fill(0);
  plan.descriptors_max = 1024;
  plan.peers_max = datagrams ? 0 : 12;
  if (!datagrams) plan.datagram_addresses.clear();
  plan.act_rate = 400;
  if (opcode == IORING_OP_CONNECT) plan.may_dial = true;
  if (datagrams) plan.may_dial = false;
  if (opcode == IORING_OP_READ) {  // The bell as an eventfd.
    plan.wakes = false;
    plan.act_rate = 600;
  }
  if (opcode == IORING_OP_ASYNC_CANCEL) plan.options.inbound_limit = 64;
  if (opcode == IORING_OP_SEND) plan.write_max = 100;
  if (opcode == IORING_OP_SENDMSG && !datagrams) {  // More than one chunk at a time.
    plan.write_max = 6000;
    plan.options.outbound_limit = 0;
    plan.options.outbound_high_mark = 20000;
  }
  return plan;
}

class ForcedSwarm final : public Swarm {
 public:
  ForcedSwarm(kernel::sim::Choices& choices, Plan plan, std::uint8_t opcode, int error, std::uint64_t skip,
              bool ends)
      : Swarm{choices, std::move(plan)}, ends_{ends} {
    world().kernel().faults().force(opcode, error, static_cast<std::uint32_t>(skip));
  }

 private:
  // After an end for good those who wait are let go only by the engine's stop.
  void before_step(std::uint32_t step) override {
    if (ends_ && !told_ && world().kernel().faults().has_struck()) {
      told_ = true;
      ask_to_stop();
    }
    Swarm::before_step(step);
  }

  bool ends_;
  bool told_ = false;
};

struct Cell {
  unsigned count = 0;
  std::string broken;  // The first rule that was, with its seed.
};

// Which operations are meant, where one opcode has several uses.
enum class Use : std::uint8_t { plain, datagrams, ends_listener, ends_receiving };

Cell fill(std::uint8_t opcode, int error, Use use) {
  const bool datagrams = use == Use::datagrams || use == Use::ends_receiving;
  const bool ends = use == Use::ends_listener || use == Use::ends_receiving;
  Cell cell;
  for (std::uint64_t seed = 0; seed < seeds && cell.count < wanted; ++seed) {
    kernel::sim::SeededChoices choices{seed};
    ForcedSwarm swarm{choices, plan_of(choices, opcode, seed, datagrams), opcode, error, seed % 3, ends};
    const Outcome outcome = swarm.run();
    if (swarm.world().kernel().faults().was_told()) ++cell.count;
    if (outcome.violation.empty()) continue;
    cell.broken = fmt::format("seed {}: {}", seed, outcome.violation);
    return cell;
  }
  return cell;
}

// One row; answers how many of its cells are empty or broken.
unsigned print_row(const std::string& name, std::uint8_t opcode, std::span<const int> row, Use use) {
  unsigned bad = 0;
  std::string line;
  std::string broken;
  for (const int error : row) {
    const Cell cell = fill(opcode, error, use);
    fmt::format_to(std::back_inserter(line), " {} {}", kernel::sim::error_name(error), cell.count);
    if (cell.count == wanted && cell.broken.empty()) continue;
    ++bad;
    broken += fmt::format("  {}: {}\n", kernel::sim::error_name(error),
                          cell.broken.empty() ? "reached the reactor too rarely" : cell.broken);
  }
  fmt::print("{}:{}\n{}", name, line, broken);
  std::fflush(stdout);
  return bad;
}

int print_matrix() {
  unsigned cells = 0;
  unsigned bad = 0;
  for (const std::uint8_t opcode : kernel::sim::opcodes_with_errors()) {
    const std::span<const int> row = kernel::sim::errors_of(opcode);
    cells += static_cast<unsigned>(row.size());
    const Use use = opcode == IORING_OP_RECVMSG ? Use::datagrams : Use::plain;
    bad += print_row(kernel::sim::opcode_name(opcode), opcode, row, use);
  }
  const std::span<const int> sendmsg_row = kernel::sim::errors_of(IORING_OP_SENDMSG);
  cells += static_cast<unsigned>(sendmsg_row.size());
  bad += print_row("SENDMSG, datagrams", IORING_OP_SENDMSG, sendmsg_row, Use::datagrams);
  cells += static_cast<unsigned>(ends_listener.size());
  bad += print_row("ACCEPT, for good", IORING_OP_ACCEPT, ends_listener, Use::ends_listener);
  cells += static_cast<unsigned>(ends_receiving.size());
  bad += print_row("RECVMSG, for good", IORING_OP_RECVMSG, ends_receiving, Use::ends_receiving);
  fmt::print("{} cells; EBADF of CLOSE is an assertion\n{} passed, {} failed\n", cells, cells - bad, bad);
  return bad == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ringwire::test

int main() {
  return ringwire::test::print_matrix();
}
