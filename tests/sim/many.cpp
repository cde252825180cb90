// Workers take seeds from a counter in shared memory and add their figures up there.
#include "tests/sim/many.hpp"

#include "tests/sim/swarm.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <vector>

namespace ringwire::test {
namespace {

constexpr std::size_t workers_max = 256;
constexpr std::size_t opcodes_max = 64;
constexpr std::size_t errors_max = 136;

struct Shared {
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> runs{0};
  std::atomic<std::uint64_t> steps{0};
  std::atomic<std::uint64_t> completions{0};
  std::atomic<std::uint64_t> faults{0};
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> kinds[kernel::sim::faults_count]{};
  std::atomic<std::uint64_t> errors[opcodes_max][errors_max]{};
  std::atomic<std::uint64_t> current[workers_max]{};  // The seed each worker is at.
};

void add(Shared& shared, const Outcome& outcome, const kernel::sim::Faults& faults) {
  constexpr auto relaxed = std::memory_order_relaxed;
  shared.runs.fetch_add(1, relaxed);
  shared.steps.fetch_add(outcome.steps, relaxed);
  shared.completions.fetch_add(outcome.completions, relaxed);
  shared.faults.fetch_add(outcome.faults, relaxed);
  shared.connections.fetch_add(outcome.connections, relaxed);
  shared.bytes.fetch_add(outcome.bytes, relaxed);
  for (std::size_t kind = 0; kind < kernel::sim::faults_count; ++kind) {
    shared.kinds[kind].fetch_add(faults.count(static_cast<kernel::sim::Fault>(kind)), relaxed);
  }
  for (const auto& [key, count] : faults.errors()) {
    shared.errors[key.first][static_cast<std::size_t>(-key.second)].fetch_add(count, relaxed);
  }
}

[[noreturn]] void work(const Batch& batch, Shared& shared, unsigned worker) {
  if (batch.quiet) {
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(null, STDERR_FILENO);
  }
  while (!shared.stop) {
    const std::uint64_t index = shared.next.fetch_add(1);
    if (index >= batch.count) break;
    const std::uint64_t seed = batch.first + index;
    shared.current[worker] = seed;
    ::alarm(30);  // A run takes milliseconds: one that does not end is a failure.
    kernel::sim::SeededChoices choices{seed};
    Swarm swarm{choices, draw_plan(choices, scenario_of(batch, seed))};
    const Outcome outcome = swarm.run();
    if (!outcome.violation.empty()) std::_Exit(1);
    add(shared, outcome, swarm.world().kernel().faults());
  }
  std::_Exit(0);
}

Figures figures_of(const Shared& shared) {
  Figures figures;
  figures.runs = shared.runs;
  figures.steps = shared.steps;
  figures.completions = shared.completions;
  figures.faults = shared.faults;
  figures.connections = shared.connections;
  figures.bytes = shared.bytes;
  for (std::size_t kind = 0; kind < kernel::sim::faults_count; ++kind)
    figures.kinds[kind] = shared.kinds[kind];
  for (std::size_t opcode = 0; opcode < opcodes_max; ++opcode) {
    for (std::size_t error = 0; error < errors_max; ++error) {
      const std::uint64_t count = shared.errors[opcode][error];
      if (count > 0) figures.errors[{static_cast<std::uint8_t>(opcode), static_cast<int>(error)}] = count;
    }
  }
  return figures;
}

// Waits for all; the first that did not end well stops the others.
std::optional<std::uint64_t> wait_for(const std::vector<pid_t>& workers, Shared& shared) {
  std::optional<std::uint64_t> failed;
  for (std::size_t left = workers.size(); left > 0; --left) {
    int status = 0;
    const pid_t ended = ::wait(&status);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    shared.stop = true;
    const auto worker =
        static_cast<std::size_t>(std::find(workers.begin(), workers.end(), ended) - workers.begin());
    if (!failed) failed = shared.current[worker];
  }
  return failed;
}

}  // namespace

Scenario scenario_of(const Batch& batch, std::uint64_t seed) {
  return batch.scenario.value_or(static_cast<Scenario>(seed % scenario_names.size()));
}

Figures run_batch(const Batch& batch) {
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  Shared& shared = *new (memory) Shared;
  const auto begin = std::chrono::steady_clock::now();
  const auto cpus = static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN));
  const unsigned jobs = std::min<unsigned>(batch.jobs != 0 ? batch.jobs : cpus, workers_max);
  std::vector<pid_t> workers;
  for (unsigned worker = 0; worker < jobs; ++worker) {
    const pid_t child = ::fork();
    if (child == 0) work(batch, shared, worker);
    workers.push_back(child);
  }
  const std::optional<std::uint64_t> failed = wait_for(workers, shared);
  Figures figures = figures_of(shared);
  figures.failed = failed;
  figures.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  ::munmap(memory, sizeof(Shared));
  return figures;
}

}  // namespace ringwire::test
