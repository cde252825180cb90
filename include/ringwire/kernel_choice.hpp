// Which kernel an engine's loops run on.
//
// Leaves to others: how the choice falls (docs/kernel.md), and what each kernel costs (docs/perf.md).
#pragma once

#include <cstdint>

namespace ringwire {

/// What answers the rings.
enum class KernelChoice : std::uint8_t {
  /// io_uring; epoll where io_uring is forbidden, too old, or does not fit RLIMIT_MEMLOCK. The log then says
  /// why, once.
  automatic,
  /// io_uring, or `run` fails and says why.
  uring,
  /// epoll: works wherever Linux does, and costs more CPU.
  epoll,
};

}  // namespace ringwire
