// Rings of several threads: found by descriptor, woken from anywhere, gone when closed.
#include "lib/kernel/epoll/epoll.hpp"

#include "tests/kernel/epoll/bench.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>

#include <thread>

namespace ringwire::kernel {
namespace {

TEST_CASE("a ring over epoll has a descriptor of its own, closed on exec", "[epoll]") {
  const Bench one;
  const Bench two;
  CHECK(one.ring.ring_fd >= 0);
  CHECK(one.ring.ring_fd != two.ring.ring_fd);
  CHECK((::fcntl(one.ring.ring_fd, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(one.kernel.name() == "epoll");
  CHECK(Linux{}.name() == "io_uring");
}

TEST_CASE("a wake from a thread without a ring ends the owner's wait", "[epoll]") {
  Bench at;
  for (std::uint64_t round = 0; round < 100; ++round) {
    int answer = -1;
    std::thread other{[&] { answer = Epoll{}.wake_ring(at.ring.ring_fd, round); }};
    const auto done = at.wait(1);
    CHECK(done.at(0).user_data == round);
    CHECK(done.at(0).res == 0);
    other.join();
    CHECK(answer == 0);
  }
}

TEST_CASE("a wake of a ring that was closed answers EBADF", "[epoll]") {
  int fd = -1;
  {
    const Bench at;
    fd = at.ring.ring_fd;
  }
  CHECK(Epoll{}.wake_ring(fd, 1) == -EBADF);
}

TEST_CASE("messages between rings arrive in order, also at a full queue and while both are at work",
          "[epoll]") {
  const auto count = static_cast<std::uint32_t>(test::scaled(20'000, 3'000));
  Bench to{4, 8};
  Bench from;
  int failed = 0;
  std::thread other{[&, fd = to.ring.ring_fd] {
    for (std::uint32_t number = 0; number < count;) {
      for (int batch = 0; batch < 50 && number < count; ++batch) {
        uring::prep_message(from.sqe(number), fd, 7, number);
        ++number;
      }
      from.enter();
      for (const Cqe& done : from.reap()) failed += done.res != 0 ? 1 : 0;
    }
  }};
  std::uint32_t next = 0;
  bool in_order = true;
  while (next < count) {
    for (const Cqe& done : to.wait(1)) {
      in_order = in_order && done.user_data == 7 && done.res == static_cast<int>(next);
      ++next;
    }
  }
  other.join();
  CHECK(in_order);
  CHECK(failed == 0);
}

TEST_CASE("a message to the own ring arrives, after its own completion", "[epoll]") {
  Bench at;
  uring::prep_message(at.sqe(1), at.ring.ring_fd, 2, 3);
  const auto done = at.wait(2);
  CHECK(done.at(0).user_data == 1);
  CHECK(done.at(0).res == 0);
  CHECK(done.at(1).user_data == 2);
  CHECK(done.at(1).res == 3);
}

TEST_CASE("rings are opened and closed while others post to them", "[epoll]") {
  std::atomic<int> target{-1};
  std::atomic<bool> ended{false};
  std::vector<std::thread> others;
  for (int poster = 0; poster < 2; ++poster) {
    others.emplace_back([&] {
      Epoll kernel;
      while (!ended) kernel.wake_ring(target, 1);
    });
  }
  for (std::size_t round = 0; round < test::scaled(500, 100); ++round) {
    Bench at;
    target = at.ring.ring_fd;
    CHECK(at.wait(1).at(0).user_data == 1);
  }
  ended = true;
  for (std::thread& other : others) other.join();
}

}  // namespace
}  // namespace ringwire::kernel
