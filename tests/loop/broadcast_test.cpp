// One buffer to many: a letter for each loop, and who is gone is passed over.
#include <ringwire/conn_ref.hpp>
#include <ringwire/error.hpp>

#include "lib/uring/prep.hpp"
#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <string>
#include <system_error>
#include <vector>

using ringwire::broadcast;
using ringwire::Buffer;
using ringwire::Conn;
using ringwire::ConnRef;
using ringwire::Options;
using ringwire::test::LoopFixture;
using ringwire::test::ScriptKernel;
using ringwire::uring::Op;

namespace {

// Keeps a handle to each connection that opens.
std::vector<ConnRef>& keep_refs(LoopFixture& at, std::vector<ConnRef>& refs) {
  at.notebook.open = [&refs](Conn& conn) {
    refs.push_back(conn.ref());
    return ringwire::Action::none;
  };
  return refs;
}

}  // namespace

TEST_CASE("a broadcast reaches every connection named, of both loops, once", "[broadcast]") {
  LoopFixture one;
  LoopFixture two;
  std::vector<ConnRef> refs;
  keep_refs(one, refs);
  keep_refs(two, refs);
  one.connect(20);
  two.connect(30);
  one.connect(21);
  CHECK_FALSE(broadcast(refs, Buffer{"news"}));
  one.lap();
  two.lap();
  for (LoopFixture* at : {&one, &one, &two}) {
    const auto send = at->kernel.take(Op::send);
    REQUIRE(send);
    CHECK(ScriptKernel::content(*send) == "news");
  }
  CHECK_FALSE(one.kernel.take(Op::send));
  CHECK_FALSE(two.kernel.take(Op::send));
}

TEST_CASE("large bytes are sent from the buffer itself", "[broadcast]") {
  LoopFixture at;
  std::vector<ConnRef> refs;
  keep_refs(at, refs);
  at.connect(20);
  at.connect(21);
  const Buffer buffer{std::string(5000, 'x')};
  CHECK_FALSE(broadcast(refs, buffer));
  at.lap();
  for (int index = 0; index < 2; ++index) {
    const auto send = at.kernel.take(Op::send);
    REQUIRE(send);
    CHECK(send->sqe.addr == ringwire::uring::to_u64(buffer.bytes().data()));
    CHECK(send->sqe.len == 5000);
  }
}

TEST_CASE("handles of nobody, and of the dead, are passed over", "[broadcast]") {
  LoopFixture at;
  std::vector<ConnRef> refs;
  keep_refs(at, refs);
  at.connect(20);
  refs.push_back(ConnRef{});
  refs.push_back(ConnRef{refs.front().loop(), 5, 1});
  CHECK_FALSE(broadcast(refs, Buffer{"news"}));
  CHECK_FALSE(broadcast({}, Buffer{"nobody's"}));
  at.lap();
  const auto send = at.kernel.take(Op::send);
  REQUIRE(send);
  CHECK(ScriptKernel::content(*send) == "news");
  at.stop();
  CHECK_FALSE(broadcast(refs, Buffer{"too late"}));
}

TEST_CASE("a loop whose mailbox is full is the answer, and the other is told all the same", "[broadcast]") {
  LoopFixture full{{.mailbox_max = 1}};
  LoopFixture free;
  std::vector<ConnRef> refs;
  keep_refs(full, refs);
  keep_refs(free, refs);
  full.connect(20);
  free.connect(30);
  REQUIRE_FALSE(full.loop.ref().post([] {}));
  CHECK(broadcast(refs, Buffer{"news"}) == std::errc::resource_unavailable_try_again);
  free.lap();
  CHECK(free.kernel.take(Op::send));
}
