// How a connected socket becomes a connection, and when it does not.
#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <netinet/tcp.h>

#include <algorithm>
#include <chrono>

using ringwire::test::LoopFixture;
using ringwire::test::Words;
using ringwire::uring::Op;

TEST_CASE("an accepted connection gets its socket options", "[adopt]") {
  LoopFixture at{{.tcp_no_delay = true, .tcp_keepalive = std::chrono::seconds{60}}};
  at.connect(20);
  const auto& set = at.kernel.options_set;
  const auto has = [&](int name) {
    return std::find(set.begin(), set.end(), std::pair{20, name}) != set.end();
  };
  CHECK(has(TCP_NODELAY));
  CHECK(has(SO_KEEPALIVE));
}

TEST_CASE("beyond connections_max a connection is reset and counted", "[adopt]") {
  LoopFixture at{{.connections_max = 1}};
  at.connect(20);
  at.kernel.complete(*at.accept, 21, IORING_CQE_F_MORE);
  at.lap();
  CHECK(at.loop.connections_count() == 1);
  CHECK(at.loop.refused_count() == 1);
  CHECK(at.kernel.closed == std::vector<int>{21});
  CHECK(at.kernel.options_set.back() == std::pair{21, int{SO_LINGER}});
  CHECK(at.notebook.events == Words{"open"});
}

TEST_CASE("a refused hand-over counts as closed, so that the balancer's count stays right", "[adopt]") {
  LoopFixture at{{.connections_max = 1}, true};
  at.kernel.post(at.loop.ring_fd(), {Op::handoff, 0, 0}, 20);
  at.kernel.post(at.loop.ring_fd(), {Op::handoff, 0, 0}, 21);
  at.lap();
  CHECK(at.loop.connections_count() == 1);
  CHECK(at.loop.accepted_closed() == 1);
  at.kernel.post(at.loop.ring_fd(), {Op::handoff_end, 0, 0}, 2);
}

TEST_CASE("a loop stops only when every hand-over announced has come", "[adopt]") {
  LoopFixture at{{}, true};
  at.kernel.post(at.loop.ring_fd(), {Op::handoff, 0, 0}, 20);
  at.kernel.post(at.loop.ring_fd(), {Op::handoff_end, 0, 0}, 2);
  at.lap();
  CHECK(at.notebook.events == Words{"open"});
  at.kernel.post(at.loop.ring_fd(), {Op::handoff, 0, 0}, 21);
  at.lap();
  CHECK(at.notebook.events == Words{"open", "open", "drain", "drain"});
}
