// The real kernel the tests run on: io_uring, or the one over epoll where RINGWIRE_KERNEL says so.
//
// Suites on the real kernel are registered twice. Leaves to others: how an engine chooses
// (lib/engine/choice).
#pragma once

#include "lib/kernel/epoll/epoll.hpp"
#include "lib/kernel/linux.hpp"

#include <cstdlib>
#include <string_view>

namespace ringwire::test {

/// Does this run go over epoll?
[[nodiscard]] inline bool over_epoll() {
  const char* name = std::getenv("RINGWIRE_KERNEL");
  return name != nullptr && std::string_view{name} == "epoll";
}

/// The kernel of this run. Any thread.
[[nodiscard]] inline kernel::Linux& real_kernel() {
  static kernel::Linux uring;
  static kernel::Epoll epoll;
  return over_epoll() ? epoll : uring;
}

}  // namespace ringwire::test
