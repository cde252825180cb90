// Memory, clock, threads and limits of the real Linux.
#include "lib/kernel/linux.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include <cstdlib>
#include <thread>
#include <utility>

namespace ringwire::kernel {
namespace {

class SystemThread final : public Thread {
 public:
  SystemThread(const std::string& name, int cpu, Task body) {
    // The process's signals are for the threads of whoever embeds us: ours block them all, from the first
    // instruction on. Not those that a fault of the thread itself raises: blocked, they would end the process
    // without the report its handler writes.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT})
      sigdelset(&all, fault);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      thread_ = std::thread{[name, cpu, body = std::move(body)]() mutable {
        ::pthread_setname_np(::pthread_self(), name.c_str());
        if (cpu >= 0) pin(cpu);
        body();
      }};
    } catch (...) {
      ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
      throw;
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void join() noexcept override { thread_.join(); }

 private:
  static void pin(int cpu) noexcept {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(cpu), &set);
    ::pthread_setaffinity_np(::pthread_self(), sizeof(set),
                             &set);  // A wish: without it the loop only runs slower.
  }

  std::thread thread_;
};

std::uint64_t soft_limit(__rlimit_resource resource) noexcept {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
  return limit.rlim_cur;
}

}  // namespace

Nanoseconds Linux::now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<Nanoseconds>(time.tv_sec) * 1'000'000'000 + static_cast<Nanoseconds>(time.tv_nsec);
}

std::uint64_t Linux::random() noexcept {
  std::uint64_t number = 0;
  // Only before the kernel has gathered entropy (never after boot) it would fail or be short; the clock is
  // then the best there is.
  if (::getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number)) number = now();
  return number;
}

std::unique_ptr<Thread> Linux::start_thread(const std::string& name, int cpu, Task body) {
  return std::make_unique<SystemThread>(name, cpu, std::move(body));
}

std::vector<int> Linux::cpus() {
  std::vector<int> allowed;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) allowed.push_back(cpu);
    }
  }
  if (allowed.empty()) allowed.push_back(0);
  return allowed;
}

std::uint64_t Linux::memlock_limit() noexcept {
  return soft_limit(RLIMIT_MEMLOCK);
}

std::uint64_t Linux::descriptors_limit() noexcept {
  return soft_limit(RLIMIT_NOFILE);
}

std::string Linux::environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

}  // namespace ringwire::kernel
