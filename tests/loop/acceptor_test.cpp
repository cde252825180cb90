// Accepting survives whatever accept(2) can answer.
#include "lib/loop/acceptor.hpp"

#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

using ringwire::loop::Acceptor;
using ringwire::loop::Pause;
using ringwire::test::LoopFixture;
using ringwire::test::Request;
using ringwire::uring::Op;

TEST_CASE("an accept that ends with a connection keeps it and is armed again", "[acceptor]") {
  LoopFixture at;
  at.kernel.complete(*at.accept, 20);  // No F_MORE.
  at.lap();
  CHECK(at.notebook.events == ringwire::test::Words{"open"});
  CHECK(at.kernel.take(Op::accept));
}

TEST_CASE("accept without descriptors, memory or permission pauses, does not spin, and resumes",
          "[acceptor]") {
  for (const int result : {-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM, -EACCES, -EPERM}) {
    LoopFixture at;
    at.kernel.complete(*at.accept, result);
    at.kernel.waits.clear();
    at.lap();
    CHECK_FALSE(at.kernel.take(Op::accept));
    REQUIRE_FALSE(at.kernel.waits.empty());
    CHECK(at.kernel.waits.back() == static_cast<std::int64_t>(Pause::length_min));

    at.kernel.time += Pause::length_min;
    at.lap();
    CHECK(at.kernel.take(Op::accept));
  }
}

TEST_CASE("pauses double up to a tenth of a second, and shrink after a success", "[acceptor]") {
  const ringwire::base::Log log{ringwire::LogLevel::off, nullptr};
  Acceptor acceptor{10, 0, log};
  ringwire::test::ScriptKernel kernel;
  ringwire::uring::Ring ring{kernel};
  REQUIRE_FALSE(ring.open(8, 16, {}));
  const auto answer = [&](int res) {
    acceptor.arm_accept(ring);
    return acceptor.on_accept({{Op::accept, 0, 0}, res, 0}, 0);
  };
  std::vector<ringwire::kernel::Nanoseconds> pauses;
  for (int round = 0; round < 6; ++round) {
    CHECK(answer(-EMFILE) == -1);
    pauses.push_back(acceptor.resume_at() / 1'000'000);
  }
  CHECK(pauses == std::vector<ringwire::kernel::Nanoseconds>{10, 20, 40, 80, 100, 100});
  CHECK(answer(33) == 33);
  CHECK(answer(-EMFILE) == -1);
  CHECK(acceptor.resume_at() == Pause::length_min);
}

TEST_CASE("a listener that closes does not pause: its loop would wake for nothing until it ends",
          "[acceptor]") {
  const ringwire::base::Log log{ringwire::LogLevel::off, nullptr};
  Acceptor acceptor{10, 0, log};
  ringwire::test::ScriptKernel kernel;
  ringwire::uring::Ring ring{kernel};
  REQUIRE_FALSE(ring.open(8, 16, {}));
  acceptor.arm_accept(ring);
  acceptor.begin_close();
  CHECK(acceptor.on_accept({{Op::accept, 0, 0}, -EMFILE, 0}, 1'000) == -1);
  CHECK(acceptor.resume_at() == 0);
}

TEST_CASE("errors of the one connection that was to be accepted only re-arm", "[acceptor]") {
  for (const int result : {-ECONNABORTED, -EPROTO, -ENETDOWN, -EHOSTUNREACH, -EINTR, -EAGAIN}) {
    LoopFixture at;
    at.kernel.complete(*at.accept, result);
    at.lap();
    CHECK(at.kernel.take(Op::accept));
  }
}

TEST_CASE("a listener somebody else shut down is given up, not hammered", "[acceptor]") {
  LoopFixture at;
  at.kernel.complete(*at.accept, -EINVAL);
  at.lap();
  at.lap();
  CHECK_FALSE(at.kernel.take(Op::accept));
}

TEST_CASE("a closing listener cancels its accept, takes who came meanwhile, and only then closes",
          "[acceptor]") {
  LoopFixture at;
  at.loop.request_stop();
  at.lap();
  const auto cancel = at.kernel.take(Op::accept_cancel);
  REQUIRE(cancel);
  CHECK(cancel->sqe.fd == LoopFixture::listener);
  CHECK_FALSE(at.kernel.take(Op::accept_close));
  at.kernel.accept_results = {21};
  at.kernel.complete(*cancel, 1);
  at.lap();
  CHECK(at.kernel.accept_results.size() == 1);  // The accept itself has not answered yet.
  at.kernel.complete(*at.accept, -ECANCELED);
  at.lap();
  CHECK(at.notebook.events == ringwire::test::Words{"open", "drain"});
  const auto close = at.kernel.take(Op::accept_close);
  REQUIRE(close);
  CHECK(close->sqe.fd == LoopFixture::listener);
  CHECK_FALSE(at.kernel.take(Op::accept_cancel));
}

TEST_CASE("a last look that finds no descriptor to accept with ends", "[acceptor]") {
  LoopFixture at;
  at.loop.request_stop();
  at.lap();
  at.kernel.accept_results = {-EMFILE, 21};
  at.kernel.complete(at.kernel.take(Op::accept_cancel).value(), 1);
  at.kernel.complete(*at.accept, -ECANCELED);
  at.lap();
  CHECK(at.kernel.accept_results.size() == 1);
  CHECK(at.notebook.events.empty());
  CHECK(at.kernel.take(Op::accept_close));
  at.kernel.accept_results.clear();
}

TEST_CASE("a connection accepted while the listener closes is still served", "[acceptor]") {
  LoopFixture at;
  at.notebook.drain = [](ringwire::Conn&) { return ringwire::Action::none; };
  at.loop.request_stop();
  at.lap();
  at.kernel.complete(*at.accept, 20);
  at.lap();
  CHECK(at.notebook.events == ringwire::test::Words{"open", "drain"});
}

TEST_CASE("an acceptor that keeps a client accepts no other until it has given it away", "[acceptor]") {
  const ringwire::base::Log log{ringwire::LogLevel::off, nullptr};
  Acceptor acceptor{10, 0, log, {.is_tcp = false, .one_by_one = true}};
  CHECK_FALSE(acceptor.is_tcp());
  CHECK(acceptor.wants_accept(0));
  acceptor.keep_waiting(20);
  CHECK(acceptor.has_waiting());
  CHECK_FALSE(acceptor.wants_accept(0));
  CHECK(acceptor.take_waiting() == 20);
  CHECK_FALSE(acceptor.has_waiting());
  CHECK(acceptor.wants_accept(0));
}

TEST_CASE("an acceptor that may not accept now arms nothing, and is no reason to hurry", "[acceptor]") {
  const ringwire::base::Log log{ringwire::LogLevel::off, nullptr};
  ringwire::test::ScriptKernel kernel;
  ringwire::uring::Ring ring{kernel};
  REQUIRE_FALSE(ring.open(8, 16, {}));
  Acceptor acceptor{10, 0, log};
  acceptor.arm_accept(ring);
  CHECK(acceptor.on_accept({{Op::accept, 0, 0}, -EMFILE, 0}, 0) == -1);
  CHECK(acceptor.flush(ring, 0, false));
  CHECK(acceptor.resume_at() == Pause::length_min);
  CHECK(acceptor.flush(ring, Pause::length_min, false));
  CHECK(acceptor.resume_at() == 0);
  CHECK(acceptor.wants_accept(0));
  CHECK(acceptor.flush(ring, 0, true));
  CHECK_FALSE(acceptor.wants_accept(0));
}
