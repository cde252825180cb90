// The filter against new rings: whom it stops, whom it leaves alone, and what still works behind it.
#include "lib/kernel/linux.hpp"

#include "tests/support/catch.hpp"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace ringwire::kernel {
namespace {

// 0 when this thread can set up a ring, else the errno.
int ring_error(long number = __NR_io_uring_setup) {
  io_uring_params params{};
  const long fd = ::syscall(number, 8, &params);
  if (fd < 0) return errno;
  ::close(static_cast<int>(fd));
  return 0;
}

// Runs `body` in a thread of its own, because a filter stays for as long as the thread.
template <typename Body>
void aside(Body&& body) {
  std::thread{std::forward<Body>(body)}.join();
}

TEST_CASE("behind the filter a thread cannot set up a ring, and all others can") {
  int result = -1;
  int before = -1;
  int after = 0;
  aside([&] {
    before = ring_error();
    result = Linux{}.forbid_new_rings();
    after = ring_error();
  });
  CHECK(result == 0);
  CHECK(before == 0);
  CHECK(after == EPERM);
  CHECK(ring_error() == 0);
  CHECK(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
}

TEST_CASE("the other table of system calls is no way round the filter") {
#if defined(__x86_64__) && defined(__LP64__)
  int error = 0;
  aside([&] {
    Linux{}.forbid_new_rings();
    error = ring_error(__NR_io_uring_setup | 0x4000'0000L);  // x32; ENOSYS where nothing filters.
  });
  CHECK(error == EPERM);
#else
  test::skip("x32 is a thing of x86-64");
#endif
}

TEST_CASE("a thread started behind the filter is behind it too, without new privileges") {
  int error = 0;
  int no_new_privileges = 0;
  aside([&] {
    Linux{}.forbid_new_rings();
    aside([&] {
      error = ring_error();
      no_new_privileges = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    });
  });
  CHECK(error == EPERM);
  CHECK(no_new_privileges == 1);
}

TEST_CASE("an open ring works on behind the filter, its wakes and registrations too") {
  int entered = -1;
  int woken = -1;
  int registered = -1;
  unsigned ready = 0;
  aside([&] {
    Linux kernel;
    io_uring ring{};
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    if (kernel.open_ring(ring, 8, params) != 0) return;
    kernel.forbid_new_rings();
    registered = kernel.register_ring(ring, IORING_REGISTER_RING_FDS, nullptr, 0);
    woken = kernel.wake_ring(ring.ring_fd, 7);
    entered = kernel.enter(ring, 0, 0, 0, wait_forever);
    ready = io_uring_cq_ready(&ring);
    kernel.close_ring(ring);
  });
  CHECK(registered == 0);
  CHECK((woken == 0 || woken == -EINVAL));  // Linux 6.13 has it.
  CHECK(entered == 0);
  CHECK(ready == (woken == 0 ? 1U : 0U));
}

TEST_CASE("forbidding twice is as good as once") {
  int second = -1;
  int error = 0;
  aside([&] {
    Linux{}.forbid_new_rings();
    second = Linux{}.forbid_new_rings();
    error = ring_error();
  });
  CHECK(second == 0);
  CHECK(error == EPERM);
}

}  // namespace
}  // namespace ringwire::kernel
