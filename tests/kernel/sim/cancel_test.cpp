// Cancelling: whom it finds, the three ways it goes, and both orders of the completions.
#include "lib/uring/prep.hpp"
#include "tests/kernel/sim/fixture.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>
#include <string_view>

namespace ringwire::kernel::sim {
namespace {

using test::Cqe;
using test::Cqes;
using test::SimFixture;
using test::SimRing;

constexpr std::uint64_t doomed_recv = 1;
constexpr std::uint64_t doomed_send = 2;
constexpr std::uint64_t cancel_data = 3;

// A connection with a receive that waits for bytes.
struct CancelStage : SimFixture {
  CancelStage() : fd{accept()} {
    uring::prep_recv_multishot(ring.sqe(doomed_recv), fd, 0, false);
    ring.enter();
  }

  void arm_send(std::string_view text) {
    uring::prep_send(ring.sqe(doomed_send), fd, to_bytes(text));
    ring.enter();
  }
  Cqes cancel() {
    uring::prep_cancel_fd(ring.sqe(cancel_data), fd);
    ring.enter();
    return ring.reap();
  }

  int fd;
};

TEST_CASE("a cancel ends its target at once, which answers first, or second when reordered", "[cancel]") {
  for (const bool reordered : {false, true}) {
    CancelStage at;
    at.always(Fault::cancel_reordered, reordered);
    const Cqe target{doomed_recv, -ECANCELED};
    const Cqe cancel{cancel_data, 1};
    CHECK(at.cancel() == (reordered ? Cqes{cancel, target} : Cqes{target, cancel}));
    CHECK(at.kernel.operations_count() == 0);
  }
}

TEST_CASE("a cancel by user_data finds one operation, and answers 0", "[cancel]") {
  CancelStage at;
  at.arm_send("x");
  uring::prep_cancel(at.ring.sqe(cancel_data), doomed_recv);
  at.ring.enter();
  CHECK(at.ring.reap() == Cqes{{doomed_recv, -ECANCELED}, {cancel_data, 0}});
  CHECK(at.kernel.operations_count() == 1);
}

TEST_CASE("a cancel that finds nothing answers ENOENT, one of all the count 0, one for no descriptor EBADF",
          "[cancel]") {
  CancelStage at;
  uring::prep_cancel(at.ring.sqe(cancel_data), 999);
  uring::prep_cancel_fd(at.ring.sqe(4), at.listener);
  uring::prep_cancel_fd(at.ring.sqe(5), 999);
  at.ring.enter();
  CHECK(at.ring.reap() == Cqes{{cancel_data, -ENOENT}, {4, 0}, {5, -EBADF}});
}

TEST_CASE("a cancel by descriptor finds all on it, and only those", "[cancel]") {
  CancelStage at;
  at.arm_send("x");
  uring::prep_accept_multishot(at.ring.sqe(9), at.listener);
  at.ring.enter();
  CHECK(at.cancel() == Cqes{{doomed_recv, -ECANCELED}, {doomed_send, -ECANCELED}, {cancel_data, 2}});
  CHECK(at.kernel.describe_all().starts_with("ACCEPT"));
}

TEST_CASE("a cancel of everything stays in its ring", "[cancel]") {
  CancelStage at;
  SimRing other{at.kernel};
  other.lend_all();
  uring::prep_accept_multishot(other.sqe(9), at.listener);
  other.enter();
  uring::prep_cancel_all(at.ring.sqe(cancel_data));
  at.ring.enter();
  CHECK(at.ring.reap() == Cqes{{doomed_recv, -ECANCELED}, {cancel_data, 1}});
  CHECK(other.reap().empty());
  CHECK(at.kernel.operations_count() == 1);
}

TEST_CASE("a send that has begun and is cancelled answers what it has done", "[cancel]") {
  SimFixture at;
  at.kernel.set_stream_capacity(4);
  const int fd = at.accept();
  uring::prep_send(at.ring.sqe(doomed_send), fd, to_bytes("0123456789"));
  at.ring.enter();
  at.attempt_all();
  uring::prep_cancel_fd(at.ring.sqe(cancel_data), fd);
  at.ring.enter();
  CHECK(at.ring.reap() == Cqes{{doomed_send, 4}, {cancel_data, 1}});
}

TEST_CASE("a cancel that comes late answers EALREADY, and its target ends one way or the other", "[cancel]") {
  for (const bool does_its_work : {false, true}) {
    CancelStage at;
    at.always(Fault::cancel_late);
    uring::prep_cancel(at.ring.sqe(cancel_data), doomed_recv);
    at.ring.enter();
    CHECK(at.ring.reap() == Cqes{{cancel_data, -EALREADY}});
    CHECK(at.kernel.describe_all().ends_with("(cancelled)"));
    REQUIRE(at.kernel.ready().size() == 1);
    at.send("just in time");
    at.choices.answer = does_its_work ? 1 : 0;
    at.attempt_all();
    const Cqes cqes = at.ring.reap();
    REQUIRE(cqes.size() == 1);
    CHECK(cqes[0].res == (does_its_work ? 8 : -ECANCELED));
    CHECK((cqes[0].flags & IORING_CQE_F_MORE) == 0);  // Its last word in both cases.
    CHECK(at.kernel.operations_count() == 0);
  }
}

TEST_CASE("a cancel that misses answers 0, and the target completes all the same", "[cancel]") {
  CancelStage at;
  at.always(Fault::cancel_missed);
  at.send("x");
  uring::prep_cancel(at.ring.sqe(cancel_data), doomed_recv);
  at.ring.enter();
  CHECK(at.ring.reap() == Cqes{{cancel_data, 0}});
  at.choices.answer = 1;
  at.attempt_all();
  const Cqes cqes = at.ring.reap();
  REQUIRE(cqes.size() == 1);
  CHECK(cqes[0].res == 1);
  CHECK(at.kernel.operations_count() == 0);
}

TEST_CASE("an operation is cancelled once: a second cancel does not find it", "[cancel]") {
  CancelStage at;
  at.always(Fault::cancel_late);
  CHECK(at.cancel() == Cqes{{cancel_data, 1}});
  CHECK(at.cancel() == Cqes{{cancel_data, 0}});
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{doomed_recv, -ECANCELED}});
}

TEST_CASE("a late send that finds no room for its rest ends with what has left", "[cancel]") {
  SimFixture at;
  at.kernel.set_stream_capacity(4);
  const int fd = at.accept();
  uring::prep_send(at.ring.sqe(doomed_send), fd, to_bytes("0123456789"));
  at.ring.enter();
  at.always(Fault::cancel_late);
  uring::prep_cancel_fd(at.ring.sqe(cancel_data), fd);
  at.ring.enter();
  at.choices.answer = 1;
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{cancel_data, 1}, {doomed_send, 4}});
}

TEST_CASE("with a close linked to the cancel the descriptor is closed in both orders, and FIN goes out",
          "[cancel]") {
  for (const bool reordered : {false, true}) {
    CancelStage at;
    at.always(Fault::cancel_reordered, reordered);
    io_uring_sqe& cancel = at.ring.sqe(cancel_data);
    uring::prep_cancel_fd(cancel, at.fd);
    uring::link_hard(cancel);
    uring::prep_close(at.ring.sqe(4), at.fd);
    at.ring.enter();
    const Cqe target{doomed_recv, -ECANCELED};
    CHECK(at.ring.reap() ==
          (reordered ? Cqes{{cancel_data, 1}, {4, 0}, target} : Cqes{target, {cancel_data, 1}, {4, 0}}));
    CHECK(at.kernel.files().find(at.fd) == nullptr);
    CHECK(at.client->in_flight(1));
  }
}

}  // namespace
}  // namespace ringwire::kernel::sim
