// Memory, clock, threads and limits of the real Linux.
#include "lib/kernel/linux.hpp"

#include "tests/support/catch.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <thread>

namespace ringwire::kernel {
namespace {

Nanoseconds steady_now() {
  return static_cast<Nanoseconds>(
      std::chrono::nanoseconds{std::chrono::steady_clock::now().time_since_epoch()}.count());
}

std::vector<int> affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

// Sets a soft limit, and back at the end.
class SoftLimit {
 public:
  SoftLimit(__rlimit_resource resource, rlim_t value) : resource_{resource} {
    ::getrlimit(resource_, &before_);
    const rlimit limit{value, before_.rlim_max};
    ok_ = ::setrlimit(resource_, &limit) == 0;
  }
  SoftLimit(const SoftLimit&) = delete;
  SoftLimit& operator=(const SoftLimit&) = delete;
  ~SoftLimit() { ::setrlimit(resource_, &before_); }

  [[nodiscard]] bool ok() const { return ok_; }

 private:
  __rlimit_resource resource_;
  rlimit before_{};
  bool ok_ = false;
};

TEST_CASE("mapped memory is page-aligned, zeroed, and ours to write to its last byte") {
  Linux kernel;
  constexpr std::size_t size = 3 * 4096 + 1;
  void* memory = kernel.map_memory(size);
  REQUIRE(memory != nullptr);
  CHECK(std::bit_cast<std::uintptr_t>(memory) % static_cast<std::uintptr_t>(::getpagesize()) == 0);
  auto* bytes = static_cast<unsigned char*>(memory);
  CHECK(std::count(bytes, bytes + size, 0) == size);
  std::fill(bytes, bytes + size, 0xAB);
  CHECK(bytes[size - 1] == 0xAB);
  kernel.unmap_memory(memory, size);
}

TEST_CASE("memory that was given back is zeroed again when it is mapped anew") {
  Linux kernel;
  for (int round = 0; round < 3; ++round) {
    auto* bytes = static_cast<unsigned char*>(kernel.map_memory(4096));
    REQUIRE(bytes != nullptr);
    CHECK(bytes[0] == 0);
    bytes[0] = 1;
    kernel.unmap_memory(bytes, 4096);
  }
}

TEST_CASE("more memory than there can be is answered with nullptr") {
  Linux kernel;
  CHECK(kernel.map_memory(std::size_t{1} << 60) == nullptr);
}

TEST_CASE("the clock is the monotonic one, in nanoseconds") {
  Linux kernel;
  Nanoseconds last = steady_now();
  for (int count = 0; count < 100; ++count) {
    const Nanoseconds now = kernel.now();
    REQUIRE(now >= last);
    last = now;
  }
  CHECK(steady_now() >= last);
}

TEST_CASE("a thread has its name, its CPU, and no signal that could interrupt it") {
  Linux kernel;
  std::array<char, 16> name{};
  std::vector<int> cpus;
  sigset_t blocked{};
  const int cpu = kernel.cpus().back();
  auto thread = kernel.start_thread("ringwire/123456", cpu, [&] {
    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
    cpus = affinity();
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  });
  thread->join();
  CHECK(std::string_view{name.data()} == "ringwire/123456");
  CHECK(cpus == std::vector<int>{cpu});
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGUSR1, SIGPIPE, SIGCHLD}) {
    CHECK(sigismember(&blocked, signal) == 1);
  }
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    CHECK(sigismember(&blocked, fault) == 0);  // Who handles crashes hears of ours.
  }
}

TEST_CASE("starting a thread leaves the starter's own signals as they were") {
  Linux kernel;
  sigset_t before{};
  sigset_t after{};
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  kernel.start_thread("quiet", -1, [] {})->join();
  ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int signal = 1; signal < SIGRTMIN; ++signal) {
    CHECK(sigismember(&before, signal) == sigismember(&after, signal));
  }
}

TEST_CASE("a thread without a CPU may run wherever its starter may") {
  Linux kernel;
  std::vector<int> cpus;
  kernel.start_thread("free", -1, [&] { cpus = affinity(); })->join();
  CHECK(cpus == affinity());
}

TEST_CASE("a CPU this machine lacks is only a wish that is not granted") {
  Linux kernel;
  bool ran = false;
  kernel.start_thread("far", CPU_SETSIZE - 1, [&] { ran = true; })->join();
  CHECK(ran);
}

TEST_CASE("the CPUs are those this process may use, in order") {
  Linux kernel;
  const std::vector<int> cpus = kernel.cpus();
  CHECK(cpus == affinity());
  CHECK(std::is_sorted(cpus.begin(), cpus.end()));
}

TEST_CASE("a process that was narrowed to one CPU sees one") {
  std::vector<int> seen;
  const int only = affinity().back();
  std::thread{[&] {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(only), &set);
    ::sched_setaffinity(0, sizeof set, &set);
    Linux kernel;
    seen = kernel.cpus();
  }}.join();
  CHECK(seen == std::vector<int>{only});
}

TEST_CASE("random numbers differ") {
  Linux kernel;
  CHECK(kernel.random() != kernel.random());  // One chance in 2^64 to fail.
}

TEST_CASE("the limits are the soft ones, and follow their changes") {
  Linux kernel;
  {
    const SoftLimit limit{RLIMIT_NOFILE, 123};
    REQUIRE(limit.ok());
    CHECK(kernel.descriptors_limit() == 123);
  }
  CHECK(kernel.descriptors_limit() != 123);
  const SoftLimit limit{RLIMIT_MEMLOCK, 8192};
  REQUIRE(limit.ok());
  CHECK(kernel.memlock_limit() == 8192);
}

TEST_CASE("no limit at all is the largest number") {
  Linux kernel;
  const SoftLimit limit{RLIMIT_MEMLOCK, RLIM_INFINITY};
  if (!limit.ok()) {
    test::skip("the hard limit forbids it");
    return;
  }
  CHECK(kernel.memlock_limit() == UINT64_MAX);
}

TEST_CASE("an environment variable is read as it is now, and is empty when not set") {
  Linux kernel;
  ::setenv("RINGWIRE_TEST_VARIABLE", "one", 1);
  CHECK(kernel.environment("RINGWIRE_TEST_VARIABLE") == "one");
  ::setenv("RINGWIRE_TEST_VARIABLE", "two", 1);
  CHECK(kernel.environment("RINGWIRE_TEST_VARIABLE") == "two");
  ::unsetenv("RINGWIRE_TEST_VARIABLE");
  CHECK(kernel.environment("RINGWIRE_TEST_VARIABLE").empty());
}

}  // namespace
}  // namespace ringwire::kernel
