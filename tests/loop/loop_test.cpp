// The lap: what it waits for, what it looks at, and what it does not let anybody starve.
#include <ringwire/error.hpp>

#include "lib/uring/abi.hpp"
#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <string>
#include <string_view>

using ringwire::Action;
using ringwire::Conn;
using ringwire::test::LoopFixture;
using ringwire::test::Request;
using ringwire::test::Words;
using ringwire::uring::Op;

TEST_CASE("an idle loop waits for as long as it takes", "[loop]") {
  LoopFixture at;
  at.kernel.waits.clear();
  at.lap();
  REQUIRE_FALSE(at.kernel.waits.empty());
  CHECK(at.kernel.waits.back() == ringwire::kernel::wait_forever);
}

TEST_CASE("a loop with mail does not wait", "[loop]") {
  LoopFixture at;
  bool ran = false;
  CHECK_FALSE(at.loop.ref().post([&] { ran = true; }));
  at.kernel.waits.clear();
  static_cast<void>(at.loop.lap());
  CHECK(at.kernel.waits.empty());
  CHECK(ran);
}

TEST_CASE("bytes written in on_traffic leave in the same lap", "[loop]") {
  LoopFixture at;
  at.notebook.traffic = [](Conn& conn) {
    conn.write(conn.next());
    return Action::none;
  };
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "echo"));
  at.lap();
  const auto send = at.kernel.take(Op::send);
  REQUIRE(send);
  CHECK(ringwire::test::ScriptKernel::content(*send) == "echo");
}

TEST_CASE("many completions of one connection are one on_traffic a lap", "[loop]") {
  LoopFixture at;
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "a"));
  REQUIRE(at.kernel.receive(recv, "b"));
  REQUIRE(at.kernel.receive(recv, "c"));
  at.lap();
  CHECK(at.notebook.events == Words{"open", "traffic:abc"});
}

TEST_CASE("with two buffers all bytes arrive, in order", "[loop]") {
  LoopFixture at{{.recv_buffers_count = 2, .recv_buffer_size = 64}};
  std::string got;
  at.notebook.traffic = [&](Conn& conn) {
    got += ringwire::to_text(conn.next());
    return Action::none;
  };
  Request recv = at.connect(20);
  std::string expected;
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    // Keep sending until the pool is empty: the receive ends with ENOBUFS and must be armed again.
    if (!at.kernel.receive(recv, std::string(1, letter))) {
      at.lap();
      const auto again = at.kernel.take(Op::recv);
      REQUIRE(again);
      recv = *again;
      REQUIRE(at.kernel.receive(recv, std::string(1, letter)));
    }
    expected += letter;
  }
  at.lap();
  CHECK(got == expected);
  CHECK(at.kernel.free_buffers() == 2);
}

TEST_CASE("a lap ends though completions go on, and the next one does not wait", "[loop]") {
  LoopFixture at{{.cq_entries = 8192}};
  for (std::size_t count = 0; count <= ringwire::loop::Loop::completions_max; ++count) {
    at.kernel.post(at.loop.ring_fd(), {Op::wake, 0, 0}, 0);
  }
  static_cast<void>(at.loop.lap());
  CHECK(at.kernel.unreaped(at.loop.ring_fd()) > 0);
  at.kernel.waits.clear();
  static_cast<void>(at.loop.lap());
  CHECK(at.kernel.waits.empty());
  CHECK(at.kernel.unreaped(at.loop.ring_fd()) == 0);
}

TEST_CASE("completions that overflow the queue are fetched without waiting, in order", "[loop]") {
  LoopFixture at{{.recv_buffers_count = 32, .recv_buffer_size = 64, .sq_entries = 4, .cq_entries = 8}};
  std::string got;
  at.notebook.traffic = [&](Conn& conn) {
    got += ringwire::to_text(conn.next());
    return Action::none;
  };
  const Request recv = at.connect(20);
  for (char letter = 'a'; letter < 'a' + 20; ++letter)
    REQUIRE(at.kernel.receive(recv, std::string(1, letter)));
  at.kernel.waits.clear();
  for (int lap = 0; lap < 3; ++lap) static_cast<void>(at.loop.lap());
  CHECK(got == "abcdefghijklmnopqrst");
  CHECK(at.kernel.unreaped(at.loop.ring_fd()) == 0);
}

TEST_CASE("a full submission queue is submitted in between, and nothing is lost", "[loop]") {
  LoopFixture at{{.sq_entries = 4, .cq_entries = 8}};
  for (int fd = 20; fd < 60; ++fd) at.kernel.complete(*at.accept, fd, IORING_CQE_F_MORE);
  for (int lap = 0; lap < 12; ++lap) at.lap();
  int armed = 0;
  while (at.kernel.take(Op::recv)) ++armed;
  CHECK(armed == 40);
}

TEST_CASE("a receive ends after a connection's share of a lap, or one buffer, where the kernel can be told",
          "[loop]") {
  const auto credit_of = [](const ringwire::Options& options) {
    LoopFixture at{options};
    at.kernel.complete(*at.accept, 20, IORING_CQE_F_MORE);
    for (int lap = 0; lap < 3; ++lap) at.lap();
    const auto recv = at.kernel.take(Op::recv);
    return recv ? recv->sqe.file_index : 1U;
  };
  CHECK(credit_of({}) == ringwire::loop::Loop::recv_share);
  CHECK(credit_of({.recv_buffers_count = 2, .recv_buffer_size = 1 << 20}) == 1 << 20);
  CHECK(credit_of({.large_recv_buffer_size = 1 << 20}) == ringwire::loop::Loop::recv_share);
  CHECK(credit_of({.mask = "recv_credit"}) == 0);
}

TEST_CASE("while the kernel takes no submissions, connections stay due and the loop comes back", "[loop]") {
  LoopFixture at{{.sq_entries = 4, .cq_entries = 8}};
  for (int fd = 20; fd < 26; ++fd) at.kernel.complete(*at.accept, fd, IORING_CQE_F_MORE);
  at.kernel.enter_results = {0, -EBUSY, -EBUSY, -EBUSY, -EAGAIN};
  for (int lap = 0; lap < 12; ++lap) at.lap();
  int armed = 0;
  while (at.kernel.take(Op::recv)) ++armed;
  CHECK(armed == 6);
}

TEST_CASE("a loop uses no feature that the option or the environment masks, and all others", "[loop]") {
  for (const std::string masked :
       {"", "defer_taskrun", "registered_ring", "no_iowait", "wake_ring", "recv_credit", "all"}) {
    for (const bool by_option : {false, true}) {
      INFO("mask '" << masked << "' by " << (by_option ? "option" : "environment"));
      ringwire::test::ScriptKernel kernel;
      kernel.features = ringwire::uring::abi::feature_no_iowait;
      ringwire::test::Notebook notebook;
      ringwire::test::StopCounter owner;
      const ringwire::base::Log log{ringwire::LogLevel::off, nullptr};
      ringwire::Options options;
      if (by_option) {
        options.mask = masked;
      } else {
        kernel.variables["RINGWIRE_MASK"] = masked;
      }
      ringwire::loop::Loop loop{{kernel, notebook, options, log, owner}, 0, true};
      REQUIRE_FALSE(loop.open());
      REQUIRE_FALSE(loop.ref().post([] {}));
      static_cast<void>(loop.lap());

      const auto is_used = [&](std::string_view name) { return masked != "all" && masked != name; };
      CHECK(((kernel.ring_flags.back() & IORING_SETUP_DEFER_TASKRUN) != 0) == is_used("defer_taskrun"));
      CHECK((std::count(kernel.registered.begin(), kernel.registered.end(), IORING_REGISTER_RING_FDS) == 1) ==
            is_used("registered_ring"));
      CHECK((kernel.enter_flags == ringwire::uring::abi::enter_no_iowait) == is_used("no_iowait"));
      CHECK((kernel.credit_probes > 0) == is_used("recv_credit"));
      CHECK(kernel.wakes == (is_used("wake_ring") ? 2U : 0U));  // The probe, and the letter's bell.
      CHECK(kernel.events_opened == (is_used("wake_ring") ? 0U : 1U));
      CHECK(kernel.signalled.size() == kernel.events_opened);
    }
  }
}

TEST_CASE("under lockdown a loop's ring is restricted before its buffers are registered", "[loop]") {
  ringwire::Options options;
  options.lockdown = true;
  LoopFixture at{options};
  CHECK((at.kernel.ring_flags.at(0) & IORING_SETUP_R_DISABLED) != 0);
  CHECK(at.kernel.registered == std::vector<unsigned>{IORING_REGISTER_RING_FDS, IORING_REGISTER_RESTRICTIONS,
                                                      IORING_REGISTER_ENABLE_RINGS, IORING_REGISTER_PBUF_RING,
                                                      IORING_REGISTER_PBUF_RING});
  CHECK(at.connect(20).sqe.opcode == IORING_OP_RECV);
}

TEST_CASE("without the wake feature an eventfd is read, and read again", "[loop]") {
  ringwire::test::ScriptKernel kernel;
  kernel.wake_result = -EINVAL;
  ringwire::test::Notebook notebook;
  ringwire::test::StopCounter owner;
  const ringwire::base::Log log{ringwire::LogLevel::off, nullptr};
  const ringwire::Options options;
  ringwire::loop::Loop loop{{kernel, notebook, options, log, owner}, 0, false};
  REQUIRE_FALSE(loop.open());
  static_cast<void>(loop.lap());
  const auto read = kernel.take(Op::event);
  REQUIRE(read);

  REQUIRE_FALSE(loop.ref().post([] {}));
  CHECK(kernel.signalled == std::vector<int>{read->sqe.fd});
  kernel.complete(*read, 8);
  static_cast<void>(loop.lap());
  static_cast<void>(loop.lap());
  CHECK(kernel.take(Op::event));

  loop.request_stop();
  for (int round = 0; round < 4; ++round) {
    if (!loop.lap()) break;
    kernel.cancel_outstanding();
  }
  CHECK_FALSE(loop.lap());
  loop.close();
  CHECK(kernel.closed == std::vector<int>{read->sqe.fd});
}

TEST_CASE("a loop that failed to open closes its listener", "[loop]") {
  ringwire::test::ScriptKernel kernel;
  kernel.open_ring_results = {-EPERM};
  ringwire::test::Notebook notebook;
  ringwire::test::StopCounter owner;
  const ringwire::base::Log log{ringwire::LogLevel::off, nullptr};
  const ringwire::Options options;
  ringwire::loop::Loop loop{{kernel, notebook, options, log, owner}, 0, false};
  loop.add_listener(10);
  CHECK(loop.open() == ringwire::Error::io_uring_forbidden);
  loop.close();
  CHECK(kernel.closed == std::vector<int>{10});
}
