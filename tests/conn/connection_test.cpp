// Bookkeeping: what is due, what is news, and who is told at the end.
#include "tests/conn/fixture.hpp"
#include "tests/support/catch.hpp"

#include <memory>
#include <utility>
#include <vector>

using ringwire::test::ConnFixture;
using ringwire::uring::Op;

TEST_CASE("a connection is due once, however often it is written to", "[connection]") {
  ConnFixture at;
  at.conn->write("a");
  at.conn->write("b");
  CHECK(at.shared.due.pop_front() == at.conn.get());
  CHECK(at.shared.due.empty());
}

TEST_CASE("news are told once", "[connection]") {
  ConnFixture at;
  at.conn->wake();
  at.conn->wake();
  CHECK(at.shared.news.pop_front() == at.conn.get());
  CHECK(at.shared.news.empty());
  CHECK(at.conn->take_news().traffic);
  CHECK_FALSE(at.conn->take_news().traffic);
}

TEST_CASE("a closing connection is neither woken nor drained", "[connection]") {
  ConnFixture at;
  at.conn->close();
  at.conn->wake();
  at.conn->drain();
  CHECK(at.shared.news.empty());
}

TEST_CASE("a closing connection keeps its slot until the last send completes", "[connection]") {
  ConnFixture at;
  at.lap();
  const auto recv = at.kernel.take(Op::recv);
  at.conn->write("on its way");
  at.lap();
  const auto send = at.kernel.take(Op::send);
  at.kernel.complete(*recv, -ECONNRESET);
  at.step();
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::cancel), 1);
  at.kernel.complete(*at.kernel.take(Op::close), 0);
  at.step();
  CHECK_FALSE(at.conn->is_closed());
  at.kernel.complete(*send, 4);  // Short and positive: what a cancelled MSG_WAITALL answers.
  at.step();
  CHECK(at.conn->is_closed());
}

TEST_CASE("close callbacks are handed out once", "[connection]") {
  ConnFixture at;
  int told = 0;
  at.conn->notify_closed([&](std::error_code) { ++told; });
  at.conn->notify_closed([&](std::error_code) { ++told; });
  for (auto& done : at.conn->take_closed_callbacks()) done({});
  CHECK(told == 2);
  CHECK(at.conn->take_closed_callbacks().empty());
}

TEST_CASE("a write callback with nothing waiting is news at once", "[connection]") {
  ConnFixture at;
  at.conn->notify_sent([](std::error_code) {});
  CHECK(at.shared.news.pop_front() == at.conn.get());
  CHECK(at.conn->take_done(false));
}

TEST_CASE("the context is destroyed with its connection, and replaced when set again", "[connection]") {
  auto watched = std::make_shared<int>(1);
  {
    ConnFixture at;
    at.conn->emplace_context<std::shared_ptr<int>>(watched);
    at.conn->emplace_context<std::shared_ptr<int>>(watched);
    CHECK(watched.use_count() == 2);
    CHECK(at.conn->context<int>() == nullptr);
    at.conn->fail({});
    at.finish();
    CHECK(watched.use_count() == 2);
    at.conn.reset();
    CHECK(watched.use_count() == 1);
  }
}
