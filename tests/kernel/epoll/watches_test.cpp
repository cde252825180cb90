// Who waits for which descriptor, through closing, reuse, and events nobody wants.
#include "lib/kernel/epoll/watches.hpp"

#include "tests/kernel/epoll/bench.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <iterator>
#include <thread>

namespace ringwire::kernel::epoll {
namespace {

// Watches with a bell, and requests made by hand.
struct WatchStage {
  WatchStage() { REQUIRE(watches.open(bell.fd()) >= 0); }

  int add(int fd, std::uint64_t user_data, std::uint8_t opcode = IORING_OP_RECV) {
    Task task;
    task.request.opcode = opcode;
    task.request.fd = fd;
    task.request.user_data = user_data;
    std::vector<Request> rest;
    return watches.add(task, rest);
  }

  // The user_data of those that are ready, in order.
  std::vector<std::uint64_t> ready() {
    std::vector<std::uint64_t> all;
    while (Operation* operation = watches.next_ready()) all.push_back(operation->task.request.user_data);
    return all;
  }

  using Ids = std::vector<std::uint64_t>;

  Socket bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Watches watches;
};

TEST_CASE("an operation is ready when its descriptor is, and not twice for one event", "[epoll]") {
  WatchStage at;
  const Connected pair;
  REQUIRE(at.add(pair.ours.fd(), 1) == 0);
  CHECK(at.watches.wait(0) <= 1);  // Room to send: nobody waits for that.
  CHECK(at.ready().empty());
  pair.peer.send("x");
  CHECK(at.watches.wait(long_time) == 1);
  CHECK(at.ready() == WatchStage::Ids{1});
  CHECK(at.watches.wait(0) == 0);
  CHECK(at.ready().empty());
}

TEST_CASE("an operation that comes after the event is told as well", "[epoll]") {
  WatchStage at;
  const Connected pair;
  pair.peer.send("x");
  REQUIRE(at.add(pair.ours.fd(), 1) == 0);
  CHECK(at.watches.wait(long_time) == 1);
  CHECK(at.ready() == WatchStage::Ids{1});
  at.watches.remove(*at.watches.find(1));
  REQUIRE(at.add(pair.ours.fd(), 2) == 0);  // Alone again: epoll is asked anew.
  CHECK(at.watches.wait(long_time) == 1);
  CHECK(at.ready() == WatchStage::Ids{2});
  REQUIRE(at.add(pair.ours.fd(), 3) == 0);  // Beside the other: what is known is enough.
  CHECK(at.ready() == WatchStage::Ids{3});
}

TEST_CASE("a descriptor that was closed and used again is watched anew", "[epoll]") {
  WatchStage at;
  int fd = -1;
  for (std::uint64_t round = 1; round <= 3; ++round) {
    Connected pair;
    if (fd >= 0) {
      REQUIRE(::dup2(pair.ours.fd(), fd) == fd);
    } else {
      fd = ::fcntl(pair.ours.fd(), F_DUPFD_CLOEXEC, 500);
    }
    pair.ours.close();
    REQUIRE(at.add(fd, round) == 0);
    pair.peer.send("x");
    CHECK(at.watches.wait(long_time) == 1);
    CHECK(at.ready() == WatchStage::Ids{round});
    at.watches.remove(*at.watches.find(round));
    ::close(fd);
  }
}

TEST_CASE("what waits on a descriptor that is closed hears nothing of its next owner", "[epoll]") {
  WatchStage at;
  Connected first;
  const int fd = first.ours.fd();
  REQUIRE(at.add(fd, 1) == 0);
  at.watches.forget(fd);
  CHECK(at.watches.find_on(fd) == nullptr);
  REQUIRE(at.watches.find(1) != nullptr);
  CHECK(at.watches.find(1)->watch == nullptr);

  Connected second;
  REQUIRE(::dup2(second.ours.fd(), fd) == fd);
  REQUIRE(at.add(fd, 2) == 0);
  second.peer.send("x");
  CHECK(at.watches.wait(long_time) >= 1);
  CHECK(at.ready() == WatchStage::Ids{2});
  CHECK(at.watches.first() == at.watches.find(1));
  at.watches.remove(*at.watches.first());
  CHECK(at.watches.find(1) == nullptr);
}

TEST_CASE("what cannot be watched is said at once, and files are always ready", "[epoll]") {
  WatchStage at;
  CHECK(at.add(-1, 1) == -EBADF);
  CHECK(at.add(999, 1) == -EBADF);
  CHECK(at.watches.first() == nullptr);
  const Socket file{::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
  REQUIRE(at.add(file.fd(), 2, IORING_OP_READ) == 0);
  CHECK(at.ready() == WatchStage::Ids{2});
}

TEST_CASE("operations are found by user_data, by descriptor, and in the order they came", "[epoll]") {
  WatchStage at;
  const Connected one;
  const Connected two;
  REQUIRE(at.add(one.ours.fd(), 11) == 0);
  REQUIRE(at.add(two.ours.fd(), 12) == 0);
  REQUIRE(at.add(one.ours.fd(), 13, IORING_OP_SEND) == 0);
  CHECK(at.watches.find(12)->task.request.fd == two.ours.fd());
  CHECK(at.watches.find(14) == nullptr);
  CHECK(at.watches.find_on(two.ours.fd()) == at.watches.find(12));
  CHECK(at.watches.find_on(-1) == nullptr);
  CHECK(at.watches.find_on(100'000) == nullptr);
  CHECK(at.watches.first() == at.watches.find(11));
  at.watches.remove(*at.watches.first());
  CHECK(at.watches.first() == at.watches.find(12));
  CHECK(at.watches.find_on(one.ours.fd()) == at.watches.find(13));
}

TEST_CASE("a wait is never shorter than its timeout", "[epoll]") {
  WatchStage at;
  Epoll kernel;
  for (const std::int64_t timeout : {1'500'000, 300'000, 1}) {
    const Nanoseconds before = kernel.now();
    CHECK(at.watches.wait(timeout) == 0);
    CHECK(kernel.now() - before >= static_cast<Nanoseconds>(timeout));
  }
}

// The calling thread may not use epoll_pwait2(2) any more, as in a container whose filter is older than it.
bool deny_pwait2(unsigned error) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{std::size(program), program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST_CASE("where waits cannot be told in nanoseconds, they are rounded up", "[epoll]") {
  for (const int error : {ENOSYS, EPERM}) {
    WatchStage at;
    bool denied = false;
    int events = -1;
    Nanoseconds took = 0;
    std::thread filtered{[&] {
      denied = deny_pwait2(static_cast<unsigned>(error));
      const Nanoseconds before = Epoll{}.now();
      events = at.watches.wait(1'300'000);
      took = Epoll{}.now() - before;
    }};
    filtered.join();
    CHECK(denied);
    CHECK(events == 0);
    CHECK(took >= 2'000'000);
  }
}

TEST_CASE("the bell ends a wait and concerns nobody, however often it was rung", "[epoll]") {
  WatchStage at;
  for (int count = 0; count < 3; ++count) {
    ::eventfd_write(at.bell.fd(), 1);
    CHECK(at.watches.wait(long_time) == 1);
    CHECK(at.watches.wait(0) == 0);
  }
  CHECK(at.ready().empty());
}

}  // namespace
}  // namespace ringwire::kernel::epoll
