// One loop on a scripted kernel does one thing so many times; callgrind counts what that costs the loop.
//
// Leaves to others: counting, the table and the verdict (instructions.py). Counted is what runs inside the
// functions named `count_…`, and of that nothing inside the kernel: callgrind's collection is switched on by
// the first and off by each call through the seam. A simulator would decide, allocate and queue inside
// `enter`, more than a lap itself costs; here that costs nothing, whatever it does. So there are no threads,
// no system calls, no clock and no choices in what is counted: two runs of one build count the same.
// Invariant: a run of 2N does exactly N more of the thing than a run of N.
#include "tests/instructions/world.hpp"

#include <gnu/libc-version.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

namespace ringwire::test {
namespace {

// ---- what is done, so many times; true when it was

bool echo_one(std::size_t count, std::size_t size) {
  World world;
  world.connect(1);
  world.lap();
  for (std::size_t index = 0; index < count; ++index) {
    world.receive(0, size);
    world.lap();  // Reads and writes.
    world.lap();  // Submits the send, which completes.
  }
  return world.echo.received == count * size && world.sent == count * size;
}

// Half of the connections have their answers taken while the other half says something.
bool echo_many(std::size_t count) {
  constexpr std::uint32_t half = 32;
  World world;
  world.connect(2 * half);
  world.lap();
  for (std::size_t index = 0; index < count / half; ++index) {
    const std::uint32_t first = index % 2 == 0 ? 0 : half;
    for (std::uint32_t slot = first; slot < first + half; ++slot) world.receive(slot, 64);
    world.lap();
  }
  world.lap();
  return world.echo.received == count * 64 && world.sent == count * 64;
}

bool open_echo_close(std::size_t count) {
  constexpr std::size_t together = 16;
  World world;
  world.bytes_when_receiving = 64;
  world.fin_when_sent = true;
  for (std::size_t index = 0; index < count / together; ++index) {
    world.connect(together);
    while (world.loop.connections_count() > 0) world.lap();
  }
  return world.echo.opened == count && world.sent == count * 64;
}

bool write_from_outside(std::size_t count) {
  World world;
  world.connect(1);
  world.lap();
  const std::string text(64, 'x');
  for (std::size_t index = 0; index < count; ++index) {
    count_write(*world.echo.last, to_bytes(text));
    world.lap();
  }
  world.lap();
  return world.sent == count * text.size();
}

bool arm_and_cancel(std::size_t count) {
  World world;
  std::size_t cancelled = 0;
  const LoopRef loop = world.loop.ref();
  const auto refused = loop.post([&] {
    for (std::size_t index = 0; index < count; ++index) {
      const TimerRef timer = loop.schedule(std::chrono::minutes{1}, [] {});
      cancelled += timer.cancel() ? 1 : 0;
    }
  });
  world.lap();
  return !refused && cancelled == count;
}

// Nothing comes, nothing is due.
bool idle_laps(std::size_t count, std::size_t connections) {
  World world;
  world.connect(connections);
  world.lap();
  for (std::size_t index = 0; index < count; ++index) world.lap();
  return world.loop.connections_count() == connections;
}

struct Workload {
  std::string_view name;
  std::size_t count;  // N; a multiple of what is done together.
  bool (*run)(std::size_t count);
};

constexpr std::array workloads{
    Workload{"echo-64", 2'000, [](std::size_t count) { return echo_one(count, 64); }},
    Workload{"echo-64-batch", 6'400, echo_many},
    Workload{"echo-16k", 1'000, [](std::size_t count) { return echo_one(count, 16 << 10); }},
    Workload{"open-echo-close", 1'600, open_echo_close},
    Workload{"write-from-thread", 2'000, write_from_outside},
    Workload{"timer", 5'000, arm_and_cancel},
    Workload{"idle-lap-1000", 2'000, [](std::size_t count) { return idle_laps(count, 1'000); }},
    Workload{"idle-lap-2000", 2'000, [](std::size_t count) { return idle_laps(count, 2'000); }},
};

}  // namespace
}  // namespace ringwire::test

int main(int count, char** words) {
  using ringwire::test::workloads;
  const std::string_view first = count > 1 ? words[1] : "";
  if (first == "--list") {
    for (const auto& workload : workloads) std::cout << workload.name << ' ' << workload.count << '\n';
    return 0;
  }
  if (first == "--made-with") {
    std::cout << "g++ " << __VERSION__ << ", glibc " << gnu_get_libc_version() << ", " << RINGWIRE_CPU
              << '\n';
    return 0;
  }
  for (const auto& workload : workloads) {
    if (count == 3 && workload.name == first)
      return workload.run(std::strtoul(words[2], nullptr, 10)) ? 0 : 1;
  }
  std::cerr << "usage: counted --list | --made-with | WORKLOAD COUNT\n";
  return 2;
}
