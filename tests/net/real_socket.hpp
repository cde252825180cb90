// A socket on the real kernel, to look at its options.
//
// Leaves to others: what sets them.
#pragma once

#include "lib/kernel/linux.hpp"
#include "tests/support/catch.hpp"

#include <sys/socket.h>

namespace ringwire::test {

/// Closed at the end.
struct RealSocket {
  explicit RealSocket(int type = SOCK_STREAM) : fd(kernel.open_socket(AF_INET, type, 0)) { REQUIRE(fd >= 0); }
  ~RealSocket() { kernel.close(fd); }
  RealSocket(const RealSocket&) = delete;
  RealSocket& operator=(const RealSocket&) = delete;

  /// A number of its options, as the kernel has it.
  [[nodiscard]] int option(int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    CHECK(kernel.get_option(fd, level, name, &value, size) == 0);
    return value;
  }

  kernel::Linux kernel;
  int fd;
};

}  // namespace ringwire::test
