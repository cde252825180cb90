// The balancer, and the loops it hands connections to, stepped by hand on one scripted kernel in one thread.
#include "lib/engine/balancer.hpp"

#include <ringwire/error.hpp>

#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <vector>

namespace ringwire::engine {
namespace {

using test::Request;
using uring::Op;

constexpr kernel::Nanoseconds millisecond = 1'000'000;

// A balancer with listeners 10, 11, … in front of some loops; its accepts are armed.
struct BalancerStage {
  explicit BalancerStage(std::size_t loops_count = 2, Options given = {}, int listeners = 1)
      : options{given} {
    kernel.wake_result = given.mask.empty() ? 0 : -EINVAL;
    std::vector<loop::Loop*> served;
    for (std::size_t index = 0; index < loops_count; ++index) {
      loops.push_back(std::make_unique<loop::Loop>(with(), index, true));
      REQUIRE_FALSE(loops.back()->open());
      served.push_back(loops.back().get());
    }
    balancer = std::make_unique<Balancer>(with(), served);
    for (int index = 0; index < listeners; ++index) balancer->add_listener(10 + index);
    REQUIRE_FALSE(balancer->open());
    REQUIRE(balancer->lap());
    for (int index = 0; index < listeners; ++index) accepts.push_back(kernel.take(Op::accept).value());
  }
  BalancerStage(const BalancerStage&) = delete;
  BalancerStage& operator=(const BalancerStage&) = delete;

  // Ends whatever runs as a willing kernel would.
  ~BalancerStage() {
    kernel.enter_results.clear();
    balancer->request_stop();
    for (int round = 0; round < 30; ++round) {
      kernel.cancel_outstanding();
      kernel.time += 10'000 * millisecond;
      if (running) running = balancer->lap();
      lap_loops();
    }
  }

  [[nodiscard]] loop::Surroundings with() { return {kernel, notebook, options, log, owner}; }

  // Two laps of the balancer: what the first decided is submitted by the second.
  void lap() {
    for (int count = 0; count < 2 && running; ++count) running = balancer->lap();
  }

  void lap_loops() {
    ended.resize(loops.size());
    for (std::size_t index = 0; index < loops.size(); ++index) {
      for (int count = 0; count < 2 && !ended[index]; ++count) ended[index] = !loops[index]->lap();
    }
  }

  // Accepts one descriptor on the first listener.
  void accept(int fd, unsigned flags = IORING_CQE_F_MORE) { kernel.complete(accepts[0], fd, flags); }

  // From the next lap on messages are not carried out but found in `kernel.submitted`.
  void hold_messages() { kernel.enter_results.assign(100, 0); }
  void let_messages_go() { kernel.enter_results.clear(); }

  // The held messages, taken.
  std::vector<Request> messages() {
    std::vector<Request> all;
    while (auto message = kernel.take(Op::handoff_send)) all.push_back(*message);
    return all;
  }

  // What each loop has, from its counter.
  [[nodiscard]] std::vector<std::size_t> counts() const {
    std::vector<std::size_t> numbers;
    for (const auto& loop : loops) numbers.push_back(loop->connections_count());
    return numbers;
  }

  test::ScriptKernel kernel;
  test::Notebook notebook;
  test::StopCounter owner;
  base::Log log{LogLevel::off, nullptr};
  Options options;
  std::vector<std::unique_ptr<loop::Loop>> loops;
  std::vector<bool> ended;
  std::unique_ptr<Balancer> balancer;
  std::vector<Request> accepts;
  bool running = true;
};

TEST_CASE("a batch of accepted connections goes out in one submit, alternating over the loops") {
  BalancerStage at;
  at.hold_messages();
  for (int fd = 100; fd < 106; ++fd) at.accept(fd);
  REQUIRE(at.balancer->lap());
  CHECK(at.kernel.submitted.empty());  // Written, not yet submitted.
  const std::size_t enters = at.kernel.enters;
  REQUIRE(at.balancer->lap());
  CHECK(at.kernel.enters == enters + 1);
  const auto messages = at.messages();
  REQUIRE(messages.size() == 6);
  for (std::size_t index = 0; index < 6; ++index) {
    CHECK(messages[index].sqe.fd == at.loops[index % 2]->ring_fd());
    CHECK(messages[index].sqe.len == 100 + index);
    CHECK(uring::Token::unpack(messages[index].sqe.off) == uring::Token{Op::handoff, 0, 0});
  }
}

TEST_CASE("what is handed over is opened by its loop, once") {
  BalancerStage at{3};
  for (int fd = 100; fd < 107; ++fd) at.accept(fd);
  at.lap();
  at.lap_loops();
  CHECK(at.counts() == std::vector<std::size_t>{3, 2, 2});
  CHECK(std::count(at.notebook.events.begin(), at.notebook.events.end(), "open") == 7);
}

TEST_CASE("a message the kernel refused is sent again to the same loop, and nothing is lost or doubled") {
  BalancerStage at;
  at.hold_messages();
  at.accept(100);
  at.accept(101);
  at.lap();
  auto messages = at.messages();
  REQUIRE(messages.size() == 2);
  at.kernel.complete(messages[0], -ENOMEM);
  at.kernel.complete(messages[1], 0);
  for (int round = 0; round < 3; ++round) {
    at.lap();
    messages = at.messages();
    REQUIRE(messages.empty());  // Not at once: the loop must have had time for a lap.
    at.kernel.time += millisecond;
    at.lap();
    messages = at.messages();
    REQUIRE(messages.size() == 1);
    CHECK(messages[0].sqe.len == 100);
    CHECK(messages[0].sqe.fd == at.loops[0]->ring_fd());
    at.kernel.complete(messages[0], -EOVERFLOW);
  }
  at.let_messages_go();
  at.lap();
  at.kernel.time += millisecond;
  at.lap();
  at.lap_loops();
  CHECK(at.counts()[0] == 1);
}

TEST_CASE("while a message waits to be sent again, the balancer sleeps until then") {
  BalancerStage at;
  at.hold_messages();
  at.accept(100);
  at.lap();
  at.kernel.complete(at.messages().at(0), -EBADFD);
  at.lap();
  CHECK(at.kernel.waits.back() == static_cast<std::int64_t>(millisecond));
}

TEST_CASE("a kernel that takes no submission now loses no connection") {
  BalancerStage at;
  at.accept(100);
  at.accept(101);
  REQUIRE(at.balancer->lap());
  at.kernel.enter_results = {-EBUSY, -EAGAIN, -EINTR};
  for (int round = 0; round < 4; ++round) REQUIRE(at.balancer->lap());
  at.lap_loops();
  CHECK(at.counts() == std::vector<std::size_t>{1, 1});
}

// A balancer in front of two loops with the smallest queues, whose queue is full of messages the kernel does
// not take now.
struct Crowded {
  Crowded() {
    event = at.kernel.take(Op::event).value();
    REQUIRE(event.ring_fd == at.balancer->ring_fd());
    for (int fd = 100; fd < 104; ++fd) at.accept(fd);
    REQUIRE(at.balancer->lap());
    at.kernel.waits.clear();
  }

  // A lap in which the kernel takes nothing; what it brings finds the queue full.
  void lap_in_vain() {
    at.kernel.enter_results = {-EBUSY, -EBUSY};
    REQUIRE(at.balancer->lap());
    REQUIRE(at.kernel.enter_results.empty());
    at.kernel.waits.clear();
  }

  BalancerStage at{2, {.sq_entries = 4, .cq_entries = 8, .mask = "wake_ring"}};
  Request event{};
};

TEST_CASE("an accept that found the balancer's queue full is armed in the next lap, which does not wait") {
  Crowded crowded;
  BalancerStage& at = crowded.at;
  at.kernel.complete(at.accepts[0], -ECONNABORTED);
  crowded.lap_in_vain();
  CHECK_FALSE(at.kernel.take(Op::accept));
  REQUIRE(at.balancer->lap());
  CHECK(at.kernel.waits.empty());
  REQUIRE(at.balancer->lap());
  CHECK(at.kernel.take(Op::accept));
  CHECK(at.kernel.waits == std::vector<std::int64_t>{kernel::wait_forever});
  at.lap_loops();
  CHECK(at.counts() == std::vector<std::size_t>{2, 2});
}

TEST_CASE("a read of the balancer's eventfd that found the queue full is armed in the next lap") {
  Crowded crowded;
  BalancerStage& at = crowded.at;
  at.kernel.complete(crowded.event, 8);
  crowded.lap_in_vain();
  CHECK_FALSE(at.kernel.take(Op::event));
  REQUIRE(at.balancer->lap());
  CHECK(at.kernel.waits.empty());
  REQUIRE(at.balancer->lap());
  const auto again = at.kernel.take(Op::event);
  REQUIRE(again);
  CHECK(again->ring_fd == at.balancer->ring_fd());
}

TEST_CASE("more connections than there is room for go out as the kernel takes them, without a wait between") {
  Crowded crowded;
  BalancerStage& at = crowded.at;
  for (int fd = 104; fd < 107; ++fd) at.accept(fd);
  crowded.lap_in_vain();
  REQUIRE(at.balancer->lap());
  CHECK(at.kernel.waits.empty());
  at.lap();
  at.lap_loops();
  CHECK(at.counts() == std::vector<std::size_t>{4, 3});
}

TEST_CASE("more connections than there are submission entries go out in several submits") {
  BalancerStage at;
  for (int fd = 1000; fd < 1600; ++fd) at.accept(fd);
  at.lap();
  at.lap_loops();
  CHECK(at.counts() == std::vector<std::size_t>{300, 300});
}

TEST_CASE("a burst is balanced by what was assigned, before any loop has seen it") {
  BalancerStage at{2, {.balancing = Balancing::least_connections}};
  for (int fd = 1000; fd < 2000; ++fd) at.accept(fd);
  at.lap();
  CHECK(at.counts() == std::vector<std::size_t>{0, 0});
  at.lap_loops();
  CHECK(at.counts() == std::vector<std::size_t>{500, 500});
}

TEST_CASE("a loop whose connections ended is filled up again") {
  BalancerStage at{2, {.balancing = Balancing::least_connections}};
  for (int fd = 100; fd < 106; ++fd) at.accept(fd);
  at.lap();
  at.lap_loops();
  // Loop 1 loses two of its three: their peers reset.
  for (int count = 0; count < 2; ++count) {
    const auto recv =
        std::find_if(at.kernel.submitted.begin(), at.kernel.submitted.end(), [&](const Request& each) {
          return each.token().op == Op::recv && each.ring_fd == at.loops[1]->ring_fd();
        });
    REQUIRE(recv != at.kernel.submitted.end());
    at.kernel.complete(*recv, -ECONNRESET);
    at.kernel.submitted.erase(recv);
    at.lap_loops();
    at.kernel.complete(at.kernel.take(Op::close).value(), 0);
    at.lap_loops();
  }
  REQUIRE(at.counts() == std::vector<std::size_t>{3, 1});
  at.lap();
  for (int fd = 200; fd < 202; ++fd) at.accept(fd);
  at.lap();
  at.lap_loops();
  CHECK(at.counts() == std::vector<std::size_t>{3, 3});
}

TEST_CASE("an accept that ended with a connection delivers it and is armed again") {
  BalancerStage at;
  at.accept(100, 0);  // No F_MORE.
  at.lap();
  CHECK(at.kernel.take(Op::accept));
  at.lap_loops();
  CHECK(at.counts() == std::vector<std::size_t>{1, 0});
}

TEST_CASE("each listener is accepted on, and re-armed by itself") {
  BalancerStage at{2, {}, 3};
  for (std::size_t index = 0; index < 3; ++index)
    CHECK(at.accepts[index].sqe.fd == 10 + static_cast<int>(index));
  at.kernel.complete(at.accepts[2], 100, IORING_CQE_F_MORE);
  at.kernel.complete(at.accepts[1], -ECONNABORTED);
  at.lap();
  const auto again = at.kernel.take(Op::accept);
  REQUIRE(again);
  CHECK(again->sqe.fd == 11);
  CHECK_FALSE(at.kernel.take(Op::accept));
  at.lap_loops();
  CHECK(at.counts() == std::vector<std::size_t>{1, 0});
}

TEST_CASE("without descriptors accepting pauses, longer each time, and resumes without spinning") {
  BalancerStage at;
  for (const std::int64_t pause : {10, 20, 40, 80, 100, 100}) {
    at.kernel.complete(at.accepts[0], -EMFILE);
    at.lap();
    CHECK_FALSE(at.kernel.take(Op::accept));
    at.kernel.waits.clear();
    REQUIRE(at.balancer->lap());
    CHECK(at.kernel.waits == std::vector{pause * static_cast<std::int64_t>(millisecond)});
    at.kernel.time += static_cast<kernel::Nanoseconds>(pause) * millisecond;
    at.lap();
    at.accepts[0] = at.kernel.take(Op::accept).value();
  }
  CHECK(at.balancer->accept_pauses() == 6);
  at.accept(100);
  at.lap();
  at.lap_loops();
  CHECK(at.counts() == std::vector<std::size_t>{1, 0});
}

TEST_CASE("with nothing to do the balancer sleeps until it is woken") {
  BalancerStage at;
  at.lap();
  at.kernel.waits.clear();
  REQUIRE(at.balancer->lap());
  CHECK(at.kernel.waits == std::vector<std::int64_t>{kernel::wait_forever});
}

// Has the listener's cancel submitted after a stop; and, once that has been answered, the close.
struct Stopping {
  explicit Stopping(BalancerStage& at) {
    at.balancer->request_stop();
    at.lap();
    cancel = at.kernel.take(Op::accept_cancel);
    close = at.kernel.take(Op::accept_close);
  }

  // The accept has ended so, and the cancel said so.
  void answer(BalancerStage& at, int accepted = -ECANCELED, int cancelled = 1) {
    CHECK_FALSE(close);
    at.kernel.complete(at.accepts[0], accepted);
    at.kernel.complete(cancel.value(), cancelled);
    at.lap();
    close = at.kernel.take(Op::accept_close);
  }

  std::optional<Request> cancel;
  std::optional<Request> close;
};

TEST_CASE("stop closes the listeners first, and tells the loops when that is done") {
  BalancerStage at;
  for (int fd = 100; fd < 103; ++fd) at.accept(fd);
  at.lap();
  at.hold_messages();
  Stopping stopping{at};
  REQUIRE(stopping.cancel);
  CHECK(stopping.cancel->sqe.fd == 10);
  CHECK(at.messages().empty());
  stopping.answer(at);
  REQUIRE(stopping.close);
  CHECK(stopping.close->sqe.fd == 10);
  CHECK(at.messages().empty());  // The close is still under way.
  at.kernel.complete(*stopping.close, 0);
  at.lap();
  const auto messages = at.messages();
  REQUIRE(messages.size() == 2);
  for (std::size_t index = 0; index < 2; ++index) {
    CHECK(messages[index].sqe.fd == at.loops[index]->ring_fd());
    CHECK(uring::Token::unpack(messages[index].sqe.off) == uring::Token{Op::handoff_end, 0, 0});
    CHECK(messages[index].sqe.len == (index == 0 ? 2 : 1));  // So many it was given.
    at.kernel.post(at.loops[index]->ring_fd(), {Op::handoff_end, 0, 0},
                   static_cast<int>(messages[index].sqe.len));
    at.kernel.complete(messages[index], 0);
  }
  CHECK(at.running);
  at.lap();
  CHECK_FALSE(at.running);
}

TEST_CASE("a connection accepted while the listener closes is still delivered, and counted") {
  BalancerStage at;
  Stopping stopping{at};
  stopping.answer(at, 100, -ENOENT);  // It came before the cancel did, and was the accept's last.
  at.kernel.complete(stopping.close.value(), 0);
  at.lap();
  at.lap();
  CHECK_FALSE(at.running);
  at.lap_loops();
  CHECK(at.notebook.events == test::Words{"open", "drain"});
  CHECK(at.counts() == std::vector<std::size_t>{1, 0});
}

TEST_CASE("who came while the accept was being cancelled is found by a last look, delivered and counted") {
  BalancerStage at;
  at.kernel.accept_results = {100, -ECONNABORTED, 101};
  Stopping stopping{at};
  CHECK(at.kernel.accept_results.size() == 3);  // Not while the accept may still take them.
  stopping.answer(at);
  CHECK(at.kernel.accept_results.empty());
  at.kernel.complete(stopping.close.value(), 0);
  at.lap();
  at.lap();
  CHECK_FALSE(at.running);
  at.lap_loops();
  CHECK(at.notebook.events == test::Words{"open", "drain", "open", "drain"});
  CHECK(at.counts() == std::vector<std::size_t>{1, 1});
}

TEST_CASE("a refused message during stop is delivered before its loop may end") {
  BalancerStage at;
  at.hold_messages();
  at.accept(100);
  Stopping stopping{at};
  const auto first = at.messages();
  REQUIRE(first.size() == 1);
  stopping.answer(at);
  at.kernel.complete(stopping.close.value(), 0);
  at.lap();
  for (const Request& end : at.messages()) {
    at.kernel.post(end.sqe.fd, {Op::handoff_end, 0, 0}, static_cast<int>(end.sqe.len));
    at.kernel.complete(end, 0);
  }
  at.kernel.complete(first[0], -ENOMEM);
  at.lap_loops();
  CHECK_FALSE(at.ended[0]);  // It waits for the one it was promised.
  at.let_messages_go();
  at.lap();
  CHECK(at.running);
  at.kernel.time += millisecond;
  at.lap();
  CHECK_FALSE(at.running);
  at.lap_loops();
  CHECK(at.notebook.events == test::Words{"open", "drain"});
}

TEST_CASE("loops that had nothing end with the balancer") {
  BalancerStage at;
  Stopping stopping{at};
  stopping.answer(at);
  at.kernel.complete(stopping.close.value(), 0);
  at.lap();
  at.lap();
  CHECK_FALSE(at.running);
  at.lap_loops();
  CHECK(at.ended == std::vector<bool>{true, true});
}

TEST_CASE("a close that was cancelled before it began is tried again") {
  BalancerStage at;
  Stopping stopping{at};
  stopping.answer(at);
  at.kernel.complete(stopping.close.value(), -ECANCELED);
  at.lap();
  CHECK(at.kernel.take(Op::accept_close));
  CHECK_FALSE(at.kernel.take(Op::accept_cancel));  // Nothing is armed any more.
}

TEST_CASE("a listener that is closed while its accept pauses needs no cancel, and nobody spins") {
  BalancerStage at;
  at.kernel.complete(at.accepts[0], -EMFILE);
  at.lap();
  const Stopping stopping{at};
  CHECK_FALSE(stopping.cancel);
  REQUIRE(stopping.close);
  at.kernel.time += 50 * millisecond;  // The pause would be over.
  at.kernel.waits.clear();
  REQUIRE(at.balancer->lap());
  CHECK(at.kernel.waits == std::vector<std::int64_t>{kernel::wait_forever});
  at.kernel.complete(*stopping.close, 0);
  at.lap();
  at.lap();
  CHECK_FALSE(at.running);
}

TEST_CASE("under lockdown the balancer's ring is restricted as the loops' are, and hands over all the same") {
  Options options;
  options.lockdown = true;
  BalancerStage at{2, options};
  REQUIRE(at.kernel.ring_flags.size() == 3);
  for (const unsigned flags : at.kernel.ring_flags) CHECK((flags & IORING_SETUP_R_DISABLED) != 0);
  CHECK(std::count(at.kernel.registered.begin(), at.kernel.registered.end(), IORING_REGISTER_RESTRICTIONS) ==
        3);
  for (int fd = 20; fd < 24; ++fd) at.accept(fd);
  at.lap();
  at.lap_loops();
  CHECK(at.notebook.events == test::Words(4, "open"));
}

TEST_CASE("where threads cannot post to rings, stop rings an eventfd, and its read is taken back") {
  BalancerStage at{2, {.mask = "wake_ring"}};
  const auto read = at.kernel.take(Op::event);  // Of the first loop, second loop or balancer: all are armed.
  REQUIRE(read);
  at.kernel.signalled.clear();
  at.balancer->request_stop();
  REQUIRE(at.kernel.signalled.size() == 1);
  at.lap();
  at.kernel.complete(at.kernel.take(Op::accept_cancel).value(), 1);
  at.kernel.complete(at.accepts[0], -ECANCELED);
  at.lap();
  at.kernel.complete(at.kernel.take(Op::accept_close).value(), 0);
  at.lap();
  at.lap();
  CHECK(at.running);  // The read of the eventfd is still lent.
  REQUIRE(at.kernel.take(Op::cancel_all));
  at.kernel.cancel_outstanding();
  at.lap();
  CHECK_FALSE(at.running);
  at.balancer->close();
  CHECK(at.kernel.closed == std::vector<int>{at.kernel.signalled[0]});
}

TEST_CASE("a balancer that cannot open says why, and closes its listeners") {
  test::ScriptKernel kernel;
  test::Notebook notebook;
  test::StopCounter owner;
  const base::Log log{LogLevel::off, nullptr};
  Options options;
  const loop::Surroundings with{kernel, notebook, options, log, owner};
  loop::Loop loop{with, 0, true};
  {
    Balancer balancer{with, {&loop}};
    balancer.add_listener(10);
    kernel.open_ring_results = {-EPERM};
    CHECK(balancer.open() == Error::io_uring_forbidden);
    balancer.close();
    CHECK(kernel.closed == std::vector<int>{10});
  }
  CHECK(kernel.closed == std::vector<int>{10});
  kernel.variables["RINGWIRE_MASK"] = "no_such_feature";
  Balancer balancer{with, {&loop}};
  balancer.add_listener(11);
  CHECK(balancer.open() == Error::invalid_option);
}

}  // namespace
}  // namespace ringwire::engine
