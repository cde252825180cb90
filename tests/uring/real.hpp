// What the tests on the real kernel share: a ring, and sockets to try it on.
//
// The suite runs again with RINGWIRE_MASK=all, RINGWIRE_LOCKDOWN=1 and RINGWIRE_KERNEL=epoll: every ring here
// is opened as they say.
#pragma once

#include "lib/uring/ring.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/real_kernel.hpp"
#include "tests/support/wait.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ringwire::test {

/// All features but those RINGWIRE_MASK takes away.
inline uring::Features wanted_features() {
  uring::Features mask;
  REQUIRE_FALSE(uring::parse_mask(real_kernel().environment("RINGWIRE_MASK"), mask));
  uring::Features wanted = uring::Features::all();
  wanted.remove(mask);
  return wanted;
}

/// Only ringwire's requests when RINGWIRE_LOCKDOWN says so.
inline uring::Requests wanted_requests() {
  return real_kernel().environment("RINGWIRE_LOCKDOWN") == "1" ? uring::Requests::ours : uring::Requests::any;
}

/// An open ring on the real kernel.
struct RealRing {
  explicit RealRing(unsigned sq_entries = 8, unsigned cq_entries = 64,
                    uring::Requests requests = wanted_requests()) {
    REQUIRE_FALSE(ring.open(sq_entries, cq_entries, wanted_features(), requests));
  }

  /// Submits and waits until `count` completions have come (wakes not counted), or the deadline has.
  std::vector<uring::Completion> wait(std::size_t count) {
    std::vector<uring::Completion> all;
    const auto deadline = kernel.now() + std::chrono::nanoseconds{patience}.count();
    while (all.size() < count && kernel.now() < deadline) {
      ring.submit_and_wait(1, std::chrono::nanoseconds{patience}.count());
      for (const uring::Completion& done : ring.reap()) {
        if (done.token.op != uring::Op::wake) all.push_back(done);
      }
    }
    return all;
  }

  kernel::Kernel& kernel = real_kernel();
  uring::Ring ring{kernel};
};

/// Two connected stream sockets, closed at the end unless `forget` was called.
struct SocketPair {
  SocketPair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0); }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;
  ~SocketPair() {
    for (const int end : ends) {
      if (end >= 0) ::close(end);
    }
  }

  /// The descriptor of one end, which somebody else closes from now on.
  int forget(std::size_t index) {
    const int end = ends[index];
    ends[index] = -1;
    return end;
  }

  std::array<int, 2> ends{-1, -1};
};

}  // namespace ringwire::test
