// Who accepts with a limit: one by one, not at all when full, and who came too early waits.
#include "lib/loop/entrance.hpp"

#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>

namespace ringwire::loop {
namespace {

using ringwire::test::Request;
using uring::Op;

// An entrance with listeners 10 and 11 in front of a ring; the test plays the thread.
struct Stage {
  explicit Stage(std::size_t all, std::size_t per_ip = 0) : admission{all, per_ip} {
    REQUIRE_FALSE(ring.open(8, 16, {}));
    bell.open(1, 77);
    entrance.add(10, true);
    entrance.add(11, false);
  }
  ~Stage() {
    std::vector<Mail> rest;
    bell.close(rest);
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // Arms what is due and answers which listeners now accept.
  std::vector<int> arm() {
    REQUIRE(entrance.flush(ring, 0));
    ring.submit_and_wait(0, 0);
    std::vector<int> fds;
    while (const auto request = kernel.take(Op::accept)) {
      fds.push_back(request->sqe.fd);
      multishot = (request->sqe.ioprio & IORING_ACCEPT_MULTISHOT) != 0;
    }
    return fds;
  }
  Entrance::Entered accept(std::uint32_t listener, int fd) {
    return entrance.on_completion({{Op::accept, 0, listener}, fd, 0}, 0);
  }
  [[nodiscard]] bool is_closed_by_us(int fd) const {
    return std::find(kernel.closed.begin(), kernel.closed.end(), fd) != kernel.closed.end();
  }

  ringwire::test::ScriptKernel kernel;
  ringwire::test::Notebook notebook;
  ringwire::test::StopCounter owner;
  base::Log log{LogLevel::off, nullptr};
  Options options;
  Mailbox bell{kernel, 1};
  Admission admission;
  uring::Ring ring{kernel};
  Entrance entrance{{kernel, notebook, options, log, owner, &admission}, bell};
  bool multishot = false;
};

TEST_CASE("with a limit on all connections accepts are made one by one") {
  Stage at{5};
  CHECK(at.arm() == std::vector<int>{10, 11});
  CHECK_FALSE(at.multishot);
  const auto entered = at.accept(0, 20);
  CHECK(entered.fd == 20);
  CHECK(entered.arrival.is_tcp);
  CHECK(at.arm() == std::vector<int>{10});
}

TEST_CASE("with a limit on each address only, accepts are multishot") {
  Stage at{0, 5};
  CHECK(at.arm() == std::vector<int>{10, 11});
  CHECK(at.multishot);
}

TEST_CASE("a full entrance arms no accept, and arms it again when somebody has left") {
  Stage at{1};
  CHECK(at.arm() == std::vector<int>{10, 11});
  CHECK(at.accept(1, 20).fd == 20);
  CHECK(at.arm().empty());
  CHECK(at.kernel.signalled.empty());
  at.admission.leave(0);
  CHECK(at.kernel.signalled == std::vector<int>{77});
  CHECK(at.arm() == std::vector<int>{11});
}

TEST_CASE(
    "who is accepted by the second listener when the first has taken the last place waits for the next") {
  Stage at{1};
  CHECK(at.arm() == std::vector<int>{10, 11});
  CHECK(at.accept(0, 20).fd == 20);
  CHECK(at.accept(1, 21).fd == -1);
  CHECK(at.entrance.take_waiting().fd == -1);
  CHECK(at.arm().empty());
  at.admission.leave(0);
  const auto entered = at.entrance.take_waiting();
  CHECK(entered.fd == 21);
  CHECK_FALSE(entered.arrival.is_tcp);
  CHECK(at.kernel.closed.empty());
}

TEST_CASE("who waits when the listeners close comes in all the same, and is not forgotten") {
  Stage at{1};
  CHECK(at.arm() == std::vector<int>{10, 11});
  CHECK(at.accept(0, 20).fd == 20);
  CHECK(at.accept(1, 21).fd == -1);
  at.entrance.begin_close();
  CHECK(at.owner.closings == 1);
  CHECK_FALSE(at.entrance.is_closed());
  CHECK(at.entrance.take_waiting().fd == 21);
  CHECK(at.entrance.take_waiting().fd == -1);  // The last look.
  REQUIRE(at.entrance.flush(at.ring, 0));
  for (const std::uint32_t listener : {0U, 1U}) {
    static_cast<void>(at.entrance.on_completion({{Op::accept_close, 0, listener}, 0, 0}, 0));
  }
  CHECK(at.entrance.is_closed());
}

TEST_CASE("a full engine takes nobody more at the last look, one with room takes who fits") {
  Stage at{2};
  CHECK(at.arm() == std::vector<int>{10, 11});
  CHECK(at.accept(0, 20).fd == 20);
  static_cast<void>(at.accept(1, -ECONNABORTED));
  at.kernel.accept_results = {21, 22};
  at.entrance.begin_close();
  CHECK(at.entrance.take_waiting().fd == 21);
  CHECK(at.entrance.take_waiting().fd == -1);
  CHECK(at.kernel.accept_results.size() == 1);
  at.kernel.accept_results.clear();
}

TEST_CASE("an entrance that ends with its ring closes who waits and its listeners") {
  Stage at{1};
  CHECK(at.arm() == std::vector<int>{10, 11});
  CHECK(at.accept(0, 20).fd == 20);
  CHECK(at.accept(1, 21).fd == -1);
  at.entrance.close_now();
  CHECK(at.is_closed_by_us(21));
  CHECK(at.is_closed_by_us(10));
  CHECK(at.is_closed_by_us(11));
  CHECK_FALSE(at.is_closed_by_us(20));
}

TEST_CASE("an entrance without listeners closes nobody's address") {
  Stage at{1};
  Entrance none{{at.kernel, at.notebook, at.options, at.log, at.owner}, at.bell};
  CHECK(none.empty());
  none.begin_close();
  CHECK(none.is_closed());
  CHECK(at.owner.closings == 0);
}

TEST_CASE("of several pauses the one that ends first counts") {
  Stage at{0, 1};
  CHECK(at.arm() == std::vector<int>{10, 11});
  CHECK(at.entrance.first_resume() == UINT64_MAX);
  for (const std::uint32_t listener : {1U, 0U}) {
    static_cast<void>(at.entrance.on_completion({{Op::accept, 0, listener}, -EMFILE, 0}, 7 + listener));
  }
  CHECK(at.entrance.first_resume() == Pause::length_min + 7);
}

}  // namespace
}  // namespace ringwire::loop
