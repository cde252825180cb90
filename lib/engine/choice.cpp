// Ask, try, and say why not.
#include "lib/engine/choice.hpp"

#include <ringwire/error.hpp>

#include "lib/base/error.hpp"
#include "lib/base/log.hpp"
#include "lib/engine/options.hpp"
#include "lib/kernel/epoll/epoll.hpp"
#include "lib/kernel/linux.hpp"
#include "lib/uring/recv_pools.hpp"
#include "lib/uring/ring.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>

namespace ringwire::engine {
namespace {

// The lowest rung of the ladder in lib/uring/setup.cpp.
constexpr std::size_t sq_entries_least = 128;
constexpr std::size_t cq_entries_least = 1024;
// With so much locked memory for each thread there is enough, whatever rung its ring stands on.
constexpr std::uint64_t memlock_ample = std::uint64_t{512} << 10;

// A ring and its buffers, as small as a loop can work with.
struct Trial {
  explicit Trial(kernel::Kernel& kernel) : ring{kernel}, pools{kernel, 0, 1} {}

  std::error_code open(const Options& options) {
    const auto sq = static_cast<unsigned>(std::min(options.sq_entries, sq_entries_least));
    const auto cq = static_cast<unsigned>(std::min(options.cq_entries, cq_entries_least));
    if (const auto error = ring.open(sq, cq, {})) return error;
    return pools.open(ring, options);
  }

  uring::Ring ring;
  uring::RecvPools pools;
};

// Opens `count` at the same time, and closes them.
std::error_code try_rings(kernel::Kernel& kernel, const Options& options, std::size_t count) {
  std::deque<Trial> trials;
  for (std::size_t index = 0; index < count; ++index) {
    if (const auto error = trials.emplace_back(kernel).open(options)) return error;
  }
  return {};
}

// Linux gives a closed ring's memory back some time later. Where memory is short, therefore, twice as many
// are tried as there will be: then the engine's own fit beside what is left of these.
std::size_t trials_count(const Options& options, kernel::Kernel& kernel) {
  const std::size_t threads = loops_count(options, kernel) + 1;
  return kernel.memlock_limit() / threads >= memlock_ample ? 1 : 2 * threads;
}

bool is_reason(std::error_code error) {
  return error == Error::io_uring_forbidden || error == Error::kernel_too_old ||
         error == Error::memlock_too_small;
}

std::error_code read_choice(const Options& options, kernel::Kernel& kernel, KernelChoice& choice) {
  choice = options.kernel;
  const std::string name = kernel.environment("RINGWIRE_KERNEL");
  if (name.empty()) return {};
  if (name == "automatic") {
    choice = KernelChoice::automatic;
  } else if (name == "uring") {
    choice = KernelChoice::uring;
  } else if (name == "epoll") {
    choice = KernelChoice::epoll;
  } else {
    return base::fail(Error::invalid_option,
                      fmt::format("RINGWIRE_KERNEL is '{}'; there are automatic, uring and epoll", name));
  }
  return {};
}

}  // namespace

Kernels real_kernels() noexcept {
  static kernel::Linux linux;
  static kernel::Epoll epoll;
  return {linux, epoll};
}

std::error_code choose_kernel(const Options& options, const Kernels& kernels, kernel::Kernel*& chosen) {
  KernelChoice choice{};
  if (const auto error = check_options(options)) return error;
  if (const auto error = read_choice(options, kernels.uring, choice)) return error;
  chosen = choice == KernelChoice::epoll ? &kernels.epoll : &kernels.uring;
  if (choice == KernelChoice::epoll) return {};

  const bool is_forced = choice == KernelChoice::uring;
  const std::size_t count = is_forced ? 1 : trials_count(options, kernels.uring);
  const std::error_code error = try_rings(kernels.uring, options, count);
  if (!is_reason(error)) return {};  // What else may fail, the start will say.
  if (is_forced) {
    return base::fail(error, base::last_detail(error) + ", and epoll was ruled out (Options::kernel)");
  }
  make_log(options, kernels.uring)
      .warn("io_uring cannot be used; epoll takes its place and costs more CPU. Why: {}", explain(error));
  chosen = &kernels.epoll;
  return {};
}

}  // namespace ringwire::engine
