// What the handler is told, in which order, and what its answers do.
#include <ringwire/error.hpp>

#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

using ringwire::Action;
using ringwire::Conn;
using ringwire::Error;
using ringwire::test::LoopFixture;
using ringwire::test::Request;
using ringwire::test::Words;
using ringwire::uring::Op;

namespace {

// Lets the connection's close run to its end.
void finish_close(LoopFixture& at) {
  for (int round = 0; round < 6; ++round) {
    at.lap();
    for (const Op op : {Op::send, Op::cancel, Op::close}) {
      if (const auto request = at.kernel.take(op)) {
        at.kernel.complete(*request, op == Op::send ? static_cast<int>(request->sqe.len) : 0);
      }
    }
  }
}

}  // namespace

TEST_CASE("data and FIN in one lap are told in this order, and then the close", "[react]") {
  LoopFixture at;
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "the end"));
  at.kernel.complete(recv, 0);
  finish_close(at);
  CHECK(at.notebook.events ==
        Words{"open", "traffic:the end", "eof", "close:" + make_error_code(Error::end_of_stream).message()});
}

TEST_CASE("data before a reset is offered before the close", "[react]") {
  LoopFixture at;
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "quick"));
  at.kernel.complete(recv, -ECONNRESET);
  finish_close(at);
  REQUIRE(at.notebook.events.size() == 3);
  CHECK(at.notebook.events[1] == "traffic:quick");
  CHECK(at.notebook.events[2] == "close:" + std::make_error_code(std::errc::connection_reset).message());
}

TEST_CASE("bytes written in on_open leave before anything else", "[react]") {
  LoopFixture at;
  at.notebook.open = [](Conn& conn) {
    conn.write("welcome");
    return Action::none;
  };
  at.connect(20);
  const auto send = at.kernel.take(Op::send);
  REQUIRE(send);
  CHECK(ringwire::test::ScriptKernel::content(*send) == "welcome");
}

TEST_CASE("Action::close delivers what was written first", "[react]") {
  LoopFixture at;
  at.notebook.traffic = [](Conn& conn) {
    conn.write("sorry");
    return Action::close;
  };
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "?"));
  at.lap();
  const auto send = at.kernel.take(Op::send);
  REQUIRE(send);
  CHECK(at.kernel.shut_down.empty());
  at.kernel.complete(*send, 5);
  at.lap();
  CHECK(at.kernel.shut_down.size() == 1);
}

TEST_CASE("Action::shutdown from any event asks the owner to stop", "[react]") {
  LoopFixture at;
  at.notebook.open = [](Conn&) { return Action::shutdown; };
  at.connect(20);
  CHECK(at.owner.count == 1);
}

TEST_CASE("an exception closes its connection with handler_failed and no other", "[react]") {
  LoopFixture at;
  at.notebook.traffic = [](Conn& conn) {
    if (ringwire::to_text(conn.next()) == "boom") throw std::runtime_error{"boom"};
    return Action::none;
  };
  const Request bad = at.connect(20);
  const Request good = at.connect(21);
  REQUIRE(at.kernel.receive(bad, "boom"));
  REQUIRE(at.kernel.receive(good, "fine"));
  at.lap();
  at.kernel.complete(bad, 0);
  finish_close(at);
  CHECK(at.loop.connections_count() == 1);
  CHECK(at.notebook.events.back() == "close:" + make_error_code(Error::handler_failed).message());
}

TEST_CASE("what the handler leaves is offered again with the next bytes only", "[react]") {
  LoopFixture at;
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "half"));
  at.lap();
  at.lap();
  REQUIRE(at.kernel.receive(recv, "whole"));
  at.lap();
  CHECK(at.notebook.events == Words{"open", "traffic:half", "traffic:halfwhole"});
  CHECK(at.kernel.free_buffers() == 1024);
}

TEST_CASE("a handler that answers none to eof keeps a half-closed connection", "[react]") {
  LoopFixture at;
  at.notebook.eof = [](Conn&) { return Action::none; };
  const Request recv = at.connect(20);
  at.kernel.complete(recv, 0);
  at.lap();
  at.lap();
  CHECK(at.loop.connections_count() == 1);
  CHECK_FALSE(at.kernel.take(Op::recv));
}

TEST_CASE("the handler may close and forget in on_traffic; no event follows but the close", "[react]") {
  LoopFixture at;
  at.notebook.traffic = [](Conn& conn) {
    conn.abort();
    return Action::none;
  };
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "x"));
  at.kernel.complete(recv, 0);
  finish_close(at);
  CHECK(at.notebook.events == Words{"open", "traffic:x", "close"});
}

TEST_CASE("context and unread bytes can be read in on_close, writing does nothing", "[react]") {
  LoopFixture at;
  std::string seen;
  at.notebook.open = [](Conn& conn) {
    conn.emplace_context<int>(42);
    return Action::none;
  };
  at.notebook.close = [&](Conn& conn, std::error_code) {
    seen = std::to_string(*conn.context<int>()) + std::string{ringwire::to_text(conn.peek())};
    CHECK(conn.write("x") == ringwire::Written::refused);
    return Action::none;
  };
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "unread"));
  at.kernel.complete(recv, -ECONNRESET);
  finish_close(at);
  CHECK(seen == "42unread");
}

TEST_CASE("on_writable waits while a handler that refilled the queue in the same lap is above the low mark",
          "[react]") {
  for (const std::size_t size : {11U, 6U}) {  // Above the high mark again, or only above the low one.
    INFO("refilled with " << size);
    LoopFixture at{{.outbound_high_mark = 10, .outbound_low_mark = 4}};
    at.notebook.open = [](Conn& conn) {
      conn.write("0123456789a");
      return Action::none;
    };
    at.notebook.traffic = [&](Conn& conn) {
      conn.discard();
      conn.write(std::string(size, 'x'));
      return Action::none;
    };
    const Request recv = at.connect(20);
    at.kernel.complete(at.kernel.take(Op::send).value(), 11);
    REQUIRE(at.kernel.receive(recv, "go on"));
    at.lap();
    CHECK(at.notebook.events == Words{"open", "traffic:go on"});
    at.kernel.complete(at.kernel.take(Op::send).value(), static_cast<int>(size));
    at.lap();
    CHECK(at.notebook.events == Words{"open", "traffic:go on", "writable"});
    at.lap();
    CHECK(at.notebook.events.size() == 3);
  }
}

TEST_CASE("on_writable comes in the lap of other traffic when the handler left room", "[react]") {
  LoopFixture at{{.outbound_high_mark = 10, .outbound_low_mark = 4}};
  at.notebook.open = [](Conn& conn) {
    conn.write("0123456789a");
    return Action::none;
  };
  const Request recv = at.connect(20);
  at.kernel.complete(at.kernel.take(Op::send).value(), 11);
  REQUIRE(at.kernel.receive(recv, "x"));
  at.lap();
  CHECK(at.notebook.events == Words{"open", "traffic:x", "writable"});
}

TEST_CASE("a truncated stream does not pass for a whole one: a reset met by a short send is no on_eof",
          "[react]") {
  for (const bool send_first : {true, false}) {
    LoopFixture at;
    at.notebook.open = [](Conn& conn) {
      conn.write("hello world");
      return Action::none;
    };
    const Request recv = at.connect(20);
    const Request send = at.kernel.take(Op::send).value();
    if (send_first) at.kernel.complete(send, 6);
    at.kernel.complete(recv, 0);
    if (!send_first) at.kernel.complete(send, 6);
    at.lap();
    CHECK(at.notebook.events == Words{"open"});
    at.kernel.complete(at.kernel.take(Op::send).value(), -EPIPE);
    at.lap();
    at.kernel.complete(at.kernel.take(Op::close).value(), 0);
    at.lap();
    CHECK(at.notebook.events ==
          Words{"open", "close:" + std::make_error_code(std::errc::connection_reset).message()});
  }
}

TEST_CASE("a paused connection is told nothing, and after resume everything, in order", "[react]") {
  LoopFixture at;
  Conn* paused = nullptr;
  at.notebook.traffic = [&](Conn& conn) {
    if (ringwire::to_text(conn.next()) != "stop") return Action::none;
    paused = &conn;
    conn.pause();
    return Action::none;
  };
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "stop"));
  at.lap();
  REQUIRE(at.kernel.receive(recv, "more"));
  at.kernel.complete(recv, 0);
  at.lap();
  at.lap();
  CHECK(at.notebook.events == Words{"open", "traffic:stop"});
  CHECK(at.kernel.free_buffers() == 1024);
  paused->resume();
  at.lap();
  CHECK(at.notebook.events == Words{"open", "traffic:stop", "traffic:more", "eof"});
}

TEST_CASE("a handler that pauses and resumes without taking anything does not hold up its loop", "[react]") {
  LoopFixture at;
  at.notebook.traffic = [&](Conn& conn) {
    conn.pause();
    conn.resume();
    return Action::none;
  };
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "x"));
  at.lap();
  at.lap();
  const std::size_t events = at.notebook.events.size();
  CHECK(events > 2);
  CHECK(events < 10);
  at.notebook.traffic = [](Conn& conn) {
    conn.discard();
    return Action::none;
  };
}

TEST_CASE("a paused connection is drained and told of room like any other", "[react]") {
  LoopFixture at{{.outbound_high_mark = 4, .outbound_low_mark = 2}};
  at.notebook.open = [](Conn& conn) {
    conn.write("hello");
    conn.pause();
    return Action::none;
  };
  at.kernel.complete(*at.accept, 20, IORING_CQE_F_MORE);
  at.lap();
  CHECK_FALSE(at.kernel.take(Op::recv));
  at.kernel.complete(at.kernel.take(Op::send).value(), 5);
  at.lap();
  CHECK(at.notebook.events == Words{"open", "writable"});
  at.loop.request_stop();
  at.lap();
  CHECK(at.notebook.events == Words{"open", "writable", "drain"});
}

TEST_CASE(
    "with redeliver on_traffic comes again in the same lap while the handler takes some and leaves some",
    "[react]") {
  LoopFixture at{{.redeliver = true}};
  at.notebook.traffic = [](Conn& conn) {
    if (const auto line = conn.next(2); line && ringwire::to_text(*line) == "zz") conn.pause();
    return Action::none;
  };
  const Request recv = at.connect(20);
  REQUIRE(at.kernel.receive(recv, "aabbc"));
  at.lap();
  CHECK(at.notebook.events == Words{"open", "traffic:aabbc", "traffic:bbc", "traffic:c"});
  REQUIRE(at.kernel.receive(recv, "czzdd"));
  at.lap();
  CHECK(at.notebook.events.back() == "traffic:zzdd");  // A pause ends it, too.
}
