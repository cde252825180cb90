// The public face of one connection: what each call answers, and what it leaves for the lap's flush.
//
// Leaves to others: what a close then does (close_test.cpp), when callbacks fire (send_test.cpp).
#include <ringwire/conn.hpp>
#include <ringwire/error.hpp>

#include "lib/uring/prep.hpp"
#include "tests/base/death.hpp"
#include "tests/conn/fixture.hpp"
#include "tests/support/catch.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <utility>

namespace ringwire {
namespace {

using ringwire::test::contains;
using test::ConnFixture;
using test::death_of;
using uring::Op;

// A connection whose receive is armed.
struct Stage : ConnFixture {
  explicit Stage(const Options& given = {}) : ConnFixture{given}, face{*conn} {
    lap();
    step();
    request = kernel.take(Op::recv).value();
  }

  void arrive(std::string_view bytes) {
    REQUIRE(kernel.receive(request, bytes));
    step();
  }

  // Is the connection due at the next flush? Leaves it so.
  bool is_due() { return !shared.due.empty(); }
  // Does what a flush does, so that `is_due` speaks of what comes after.
  void settle_due() {
    while (shared.due.pop_front() != nullptr) {
    }
  }

  Conn& face;
  test::Request request{};
};

std::string text(const std::optional<Bytes>& bytes) {
  return bytes ? std::string{to_text(*bytes)} : "(nothing)";
}

Options marks(std::size_t low, std::size_t high, std::size_t limit) {
  return {.outbound_high_mark = high, .outbound_low_mark = low, .outbound_limit = limit};
}

// ---- inbound

TEST_CASE("peek shows what came and takes nothing", "[conn]") {
  Stage at;
  at.arrive("hello");
  CHECK(to_text(at.face.peek()) == "hello");
  CHECK(text(at.face.peek(2)) == "he");
  CHECK(text(at.face.peek(5)) == "hello");
  CHECK(at.face.inbound_size() == 5);
}

TEST_CASE("peek and next for more than came answer nothing and take nothing", "[conn]") {
  Stage at;
  at.arrive("hello");
  CHECK_FALSE(at.face.peek(6));
  CHECK_FALSE(at.face.next(6));
  CHECK(at.face.inbound_size() == 5);
}

TEST_CASE("with nothing there, peek and next are empty, and nothing is a size that can be had", "[conn]") {
  Stage at;
  CHECK(at.face.peek().empty());
  CHECK(at.face.next().empty());
  CHECK(text(at.face.peek(0)).empty());
  CHECK(text(at.face.next(0)).empty());
  CHECK_FALSE(at.face.peek(1));
  CHECK(at.face.discard() == 0);
}

TEST_CASE("next takes, and what it took stays readable until the event returns", "[conn]") {
  Stage at;
  at.arrive("headbody");
  const auto head = at.face.next(4);
  const auto body = at.face.next(4);
  CHECK(text(head) == "head");
  CHECK(text(body) == "body");
  CHECK(at.face.inbound_size() == 0);
}

TEST_CASE("next without a size takes everything", "[conn]") {
  Stage at;
  at.arrive("one");
  at.arrive("two");
  CHECK(to_text(at.face.next()) == "onetwo");
  CHECK(at.face.inbound_size() == 0);
}

TEST_CASE("discard drops up to so many bytes and answers how many", "[conn]") {
  Stage at;
  at.arrive("0123456789");
  CHECK(at.face.discard(0) == 0);
  CHECK(at.face.discard(4) == 4);
  CHECK(to_text(at.face.peek()) == "456789");
  CHECK(at.face.discard(100) == 6);
  CHECK(at.face.discard() == 0);
}

TEST_CASE("read copies and drops as much as there is room for", "[conn]") {
  Stage at;
  at.arrive("0123456789");
  std::array<std::byte, 4> room{};
  CHECK(at.face.read(room) == 4);
  CHECK(to_text(room) == "0123");
  CHECK(at.face.read({}) == 0);
  CHECK(at.face.read(room) == 4);
  CHECK(at.face.read(room) == 2);
  CHECK(to_text(Bytes{room}.first(2)) == "89");
  CHECK(at.face.read(room) == 0);
}

TEST_CASE("taking from a full inbound makes the connection due, to receive again", "[conn]") {
  Stage at{{.inbound_limit = 8}};
  at.arrive("0123456789");
  at.settle_due();
  CHECK(at.face.discard(2) == 2);
  CHECK_FALSE(at.is_due());  // Still full.
  CHECK(at.face.discard(1) == 1);
  CHECK(at.is_due());
  at.settle_due();
  CHECK(at.face.discard(1) == 1);
  CHECK_FALSE(at.is_due());  // It was not full any more.
}

// ---- outbound

TEST_CASE("a write is copied, so its source may change at once", "[conn]") {
  Stage at;
  std::string bytes = "original";
  CHECK(at.face.write(bytes) == Written::queued);
  bytes = "changed!";
  CHECK(at.face.outbound_size() == 8);
  at.lap();
  CHECK(test::ScriptKernel::content(at.kernel.take(Op::send).value()) == "original");
}

TEST_CASE("bytes just received can be written back from where they lie", "[conn]") {
  Stage at;
  at.arrive("echo");
  CHECK(at.face.write(at.face.next()) == Written::queued);
  at.conn->settle();
  at.lap();
  CHECK(test::ScriptKernel::content(at.kernel.take(Op::send).value()) == "echo");
}

TEST_CASE("a write makes the connection due, an empty one does not", "[conn]") {
  Stage at;
  at.settle_due();
  CHECK(at.face.write("") == Written::queued);
  CHECK_FALSE(at.is_due());
  CHECK(at.face.write("x") == Written::queued);
  CHECK(at.is_due());
}

TEST_CASE("writev queues all parts in order, or none", "[conn]") {
  Stage at{marks(1, 8, 8)};
  const std::array fits{to_bytes("ab"), to_bytes(""), to_bytes("cd")};
  const std::array too_much{to_bytes("1"), to_bytes("2345")};
  CHECK(at.face.writev(fits) == Written::queued);
  CHECK(at.face.writev(too_much) == Written::refused);
  CHECK(at.face.outbound_size() == 4);
  at.lap();
  CHECK(test::ScriptKernel::content(at.kernel.take(Op::send).value()) == "abcd");
}

TEST_CASE("above the high mark a write is taken and says so, at the mark it does not", "[conn]") {
  Stage at{marks(2, 4, 100)};
  CHECK(at.face.write("1234") == Written::queued);
  CHECK(at.face.write("5") == Written::above_high_mark);
  CHECK(at.face.write("") == Written::above_high_mark);
  CHECK(at.face.outbound_size() == 5);
}

TEST_CASE("beyond the limit a write is refused whole, and a smaller one still taken", "[conn]") {
  Stage at{marks(2, 4, 10)};
  CHECK(at.face.write("12345678") == Written::above_high_mark);
  CHECK(at.face.write("901") == Written::refused);
  CHECK(at.face.outbound_size() == 8);
  CHECK(at.face.write("90") == Written::above_high_mark);
  CHECK(at.face.write("1") == Written::refused);
}

TEST_CASE("a write refused while bytes wait is followed by on_writable, one refused while none wait is not",
          "[conn]") {
  ConnFixture at{{.outbound_high_mark = 100, .outbound_low_mark = 10, .outbound_limit = 100}};
  at.lap();
  CHECK(at.conn->write(std::string(200, 'x')) == Written::refused);
  CHECK(at.conn->write(std::string(60, 'x')) == Written::queued);
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 60);
  at.step();
  CHECK_FALSE(at.conn->take_news().writable);

  CHECK(at.conn->write(std::string(60, 'x')) == Written::queued);
  CHECK(at.conn->write(std::string(60, 'x')) == Written::refused);
  at.lap();
  at.kernel.complete(*at.kernel.take(Op::send), 60);
  at.step();
  CHECK(at.conn->take_news().writable);
  CHECK(at.conn->claim_writable());
}

TEST_CASE("without a limit nothing is refused for its size", "[conn]") {
  Stage at{marks(2, 4, 0)};
  CHECK(at.face.write(std::string(3 << 20, 'x')) == Written::above_high_mark);
  CHECK(at.face.outbound_size() == 3 << 20);
}

TEST_CASE("above the mark stays above until the low one is reached", "[conn]") {
  Stage at{marks(2, 4, 100)};
  CHECK(at.face.write("12345") == Written::above_high_mark);
  at.lap();
  at.kernel.complete(at.kernel.take(Op::send).value(), 2);  // 3 left: between the marks.
  at.step();
  CHECK(at.face.write("") == Written::above_high_mark);
  at.lap();
  at.kernel.complete(at.kernel.take(Op::send).value(), 1);  // 2 left: the low mark.
  at.step();
  CHECK(at.conn->take_news().writable);
  CHECK(at.face.write("x") == Written::queued);
}

TEST_CASE("a write beyond the limit resets the connection, when the policy says so", "[conn]") {
  Options options = marks(2, 4, 10);
  options.outbound_policy = OutboundPolicy::close;
  Stage at{options};
  CHECK(at.face.write("12345678") == Written::above_high_mark);
  CHECK(at.face.write("901") == Written::refused);
  CHECK_FALSE(at.conn->is_open());
  CHECK(at.conn->reason() == Error::outbound_limit);
  CHECK_FALSE(at.conn->offers_traffic());
  CHECK(at.kernel.options_set == std::vector<std::pair<int, int>>{{Stage::fd, SO_LINGER}});
  CHECK(at.face.outbound_size() == 8);
}

TEST_CASE("a write beyond the budget is refused, whatever the connection's own limit", "[conn]") {
  conn::SendBudget budget{1 << 20, 2};
  Stage at{marks(1, 1 << 20, 0)};
  at.shared.budget = conn::BudgetShare{budget, 0};
  conn::BudgetShare{budget, 1}.publish(200 << 10);
  CHECK(at.face.write(std::string(80 << 10, 'x')) == Written::refused);
  CHECK(at.face.outbound_size() == 0);
  CHECK(at.face.write(std::string(30 << 10, 'x')) == Written::queued);
}

TEST_CASE("a buffer is sent without a copy, and counts like any write", "[conn]") {
  Stage at{marks(2, 1999, 3000)};
  const Buffer buffer{std::string(2000, 'b')};
  CHECK(at.face.write(buffer) == Written::above_high_mark);
  CHECK(at.face.write(buffer) == Written::refused);
  CHECK(at.face.write(Buffer{}) == Written::above_high_mark);
  CHECK(at.face.outbound_size() == 2000);
  at.lap();
  const auto send = at.kernel.take(Op::send).value();
  CHECK(send.sqe.addr == uring::to_u64(buffer.bytes().data()));
  at.kernel.complete(send, 2000);
  at.step();
  CHECK(at.face.outbound_size() == 0);
}

TEST_CASE("take answers owned bytes, or nothing when fewer came", "[conn]") {
  Stage at;
  at.arrive("0123456789");
  CHECK_FALSE(at.face.take(11));
  const auto head = at.face.take(4);
  REQUIRE(head);
  const Buffer rest = at.face.take();
  CHECK(at.face.take().empty());
  at.conn->settle();
  CHECK(head->text() == "0123");
  CHECK(rest.text() == "456789");
  CHECK(at.face.inbound_size() == 0);
}

TEST_CASE("taking from a full inbound makes room, too", "[conn]") {
  Stage at{{.inbound_limit = 8}};
  at.arrive("0123456789");
  at.settle_due();
  CHECK(at.face.take(2));
  CHECK_FALSE(at.is_due());
  CHECK(at.face.take(1));
  CHECK(at.is_due());
}

TEST_CASE("flush is a hint: it marks the connection and sends nothing by itself", "[conn]") {
  Stage at;
  at.settle_due();
  at.face.flush();
  CHECK(at.is_due());
  CHECK(at.kernel.submitted.empty());
}

TEST_CASE("socket options are set on the connection's socket, bad values on none", "[conn]") {
  using std::chrono::seconds;
  Stage at;
  CHECK_FALSE(at.face.set_no_delay(false));
  CHECK_FALSE(at.face.set_keepalive(seconds{60}, seconds{5}, 3));
  CHECK_FALSE(at.face.set_recv_buffer_size(10'000));
  CHECK_FALSE(at.face.set_send_buffer_size(10'000));
  CHECK(at.face.set_keepalive(seconds{60}, seconds{0}, 3) == std::errc::invalid_argument);
  CHECK(at.face.set_recv_buffer_size(0) == std::errc::invalid_argument);
  CHECK(at.face.set_linger(seconds{-1}) == std::errc::invalid_argument);
  CHECK(at.kernel.options_set == std::vector<std::pair<int, int>>{{Stage::fd, TCP_NODELAY},
                                                                  {Stage::fd, TCP_KEEPIDLE},
                                                                  {Stage::fd, TCP_KEEPINTVL},
                                                                  {Stage::fd, TCP_KEEPCNT},
                                                                  {Stage::fd, SO_KEEPALIVE},
                                                                  {Stage::fd, SO_RCVBUF},
                                                                  {Stage::fd, SO_SNDBUF}});
}

TEST_CASE("a linger of its own bounds close, 0 resets at once, nothing is the option again", "[conn]") {
  using std::chrono::seconds;
  constexpr kernel::Nanoseconds second = 1'000'000'000;
  Stage slow;
  CHECK_FALSE(slow.face.set_linger(seconds{60}));
  slow.face.write("x");
  slow.face.close();
  CHECK(slow.conn->deadline() == slow.shared.now + 60 * second);
  Stage none;
  CHECK_FALSE(none.face.set_linger(std::nullopt));
  CHECK_FALSE(none.face.set_linger(seconds{1}));
  CHECK_FALSE(none.face.set_linger(std::nullopt));
  none.face.close();
  CHECK(none.conn->deadline() == none.shared.now + 5 * second);
  Stage now;
  CHECK_FALSE(now.face.set_linger(seconds{0}));
  now.face.write("never sent");
  now.face.close();
  CHECK(now.conn->wants_close());
  CHECK(now.kernel.options_set == std::vector<std::pair<int, int>>{{Stage::fd, SO_LINGER}});
  CHECK_FALSE(now.conn->reason());
}

TEST_CASE("dup answers another descriptor of the same socket", "[conn]") {
  Stage at;
  int descriptor = -1;
  CHECK_FALSE(at.face.dup(descriptor));
  CHECK(descriptor >= 0);
  CHECK(descriptor != Stage::fd);
}

// ---- life

TEST_CASE("after close, abort or shutdown_write nothing more is taken", "[conn]") {
  Stage closed;
  closed.face.close();
  CHECK(closed.face.write("x") == Written::refused);
  Stage aborted;
  aborted.face.abort();
  CHECK(aborted.face.write("x") == Written::refused);
  Stage half;
  half.face.shutdown_write();
  CHECK(half.face.write("x") == Written::refused);
  CHECK(half.face.writev({}) == Written::refused);
  CHECK(half.face.outbound_size() == 0);
}

TEST_CASE("close after the peer's FIN is the peer's end of stream, before it is ours", "[conn]") {
  Stage ours;
  ours.face.close();
  CHECK_FALSE(ours.conn->reason());
  Stage theirs;
  theirs.kernel.complete(theirs.request, 0);
  theirs.step();
  theirs.face.close();
  CHECK(theirs.conn->reason() == Error::end_of_stream);
}

TEST_CASE("nothing is done before the flush: close and abort only mark", "[conn]") {
  Stage at;
  at.settle_due();
  at.face.write("x");
  at.face.close();
  CHECK(at.is_due());
  CHECK(at.kernel.submitted.empty());
  CHECK(at.kernel.shut_down.empty());
  CHECK(at.kernel.closed.empty());
  CHECK_FALSE(at.conn->is_open());
}

TEST_CASE("abort asks for a reset, and its reason is empty", "[conn]") {
  Stage at;
  at.face.write("never sent");
  at.face.abort();
  CHECK(at.kernel.options_set == std::vector<std::pair<int, int>>{{Stage::fd, SO_LINGER}});
  CHECK_FALSE(at.conn->reason());
  CHECK_FALSE(at.conn->offers_traffic());
  CHECK(at.face.outbound_size() == 10);  // What was never sent can be asked in on_close.
}

TEST_CASE("half closing twice, or while closing, changes nothing", "[conn]") {
  Stage at;
  at.face.shutdown_write();
  at.face.shutdown_write();
  at.lap();
  CHECK(at.kernel.shut_down == std::vector<std::pair<int, int>>{{Stage::fd, SHUT_WR}});
  at.lap();
  CHECK(at.kernel.shut_down.size() == 1);
  CHECK(at.conn->is_open());
  at.face.close();
  at.face.shutdown_write();
  at.lap();
  CHECK(at.kernel.shut_down.size() == 1);
}

TEST_CASE("an idle timeout of its own replaces the option's, counting from now", "[conn]") {
  constexpr kernel::Nanoseconds millisecond = 1'000'000;
  Stage at{{.idle_timeout = std::chrono::milliseconds{100}}};
  const kernel::Nanoseconds opened = at.shared.now;
  CHECK(at.conn->deadline() == opened + 100 * millisecond);
  at.shared.now = opened + 70 * millisecond;
  at.settle_due();
  at.face.set_idle_timeout(std::chrono::milliseconds{50});
  CHECK(at.conn->deadline() == opened + 120 * millisecond);
  CHECK(at.is_due());  // So that the flush moves the timer.
  at.face.set_idle_timeout(std::chrono::milliseconds{0});
  CHECK(at.conn->deadline() == 0);
}

TEST_CASE("a negative idle timeout is the caller's mistake", "[conn]") {
  CHECK_THAT(death_of([] { Stage{}.face.set_idle_timeout(std::chrono::milliseconds{-1}); }),
             contains("idle timeout -1 ms"));
}

// ---- who

TEST_CASE("a handle names slot, generation and loop", "[conn]") {
  Stage at;
  CHECK(at.face.ref() == ConnRef{at.shared.loop, 7, 3});
  CHECK_FALSE(at.face.ref() == ConnRef{at.shared.loop, 7, 4});
  CHECK_FALSE(at.face.ref() == ConnRef{at.shared.loop, 8, 3});
  CHECK(at.face.loop() == at.shared.loop);
  CHECK(at.face.fd() == Stage::fd);
}

TEST_CASE("an address the kernel no longer has is empty", "[conn]") {
  Stage at;
  CHECK(at.face.local_address() == Address{});
  CHECK(at.face.remote_address() == Address{});
}

struct Session {
  explicit Session(int* count_, int number_ = 0) : count{count_}, number{number_} { ++*count; }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { --*count; }
  int* count;
  int number;
};

TEST_CASE("a context is found by its type and by no other", "[conn]") {
  int alive = 0;  // Outlives the connection and its context.
  Stage at;
  CHECK(at.face.context<Session>() == nullptr);
  Session& made = at.face.emplace_context<Session>(&alive, 42);
  CHECK(at.face.context<Session>() == &made);
  CHECK(made.number == 42);
  CHECK(at.face.context<int>() == nullptr);
  CHECK(at.face.context<const Session>() == nullptr);
  CHECK(alive == 1);
}

TEST_CASE("a new context takes the place of the old one, which is destroyed", "[conn]") {
  int alive = 0;  // Outlives the connection and its context.
  Stage at;
  at.face.emplace_context<Session>(&alive, 1);
  at.face.emplace_context<Session>(&alive, 2);
  CHECK(alive == 1);
  CHECK(at.face.context<Session>()->number == 2);
  at.face.emplace_context<std::string>("of another type");
  CHECK(alive == 0);
  CHECK(at.face.context<Session>() == nullptr);
  CHECK(*at.face.context<std::string>() == "of another type");
}

TEST_CASE("received bytes are sent from where they are, and copied when they are few") {
  Stage at;
  uring::BufferPool& large = at.pools.of(true);
  REQUIRE_FALSE(large.open(at.ring, 8, 4096));
  const auto receive = [&](std::size_t size) {
    uring::prep_recv_multishot(at.ring.next_sqe({Op::recv_large, 1, 1}), 5, large.bgid(), false);
    at.ring.submit_and_wait(0, 0);
    REQUIRE(at.kernel.receive(*at.kernel.take(Op::recv_large), std::string(size, 'e'), false));
    at.ring.submit_and_wait(0, 0);
    const std::uint16_t bid = at.ring.reap()[0].bid();
    large.take(bid);
    return bid;
  };
  const std::uint16_t bid = receive(2000);
  const Bytes bytes = large.view(bid, 2000);
  CHECK(at.face.write(bytes) == Written::queued);
  large.give_back(bid);
  at.lap();
  const auto send = at.kernel.take(Op::send);
  REQUIRE(send);
  CHECK(send->sqe.addr == uring::to_u64(bytes.data()));
  CHECK(large.lent_count() == 1);
  at.kernel.complete(*send, 2000);
  at.step();
  at.pools.publish();
  CHECK(large.lent_count() == 0);

  const std::uint16_t few = receive(1023);
  CHECK(at.face.write(large.view(few, 1023)) == Written::queued);
  large.give_back(few);
  CHECK(large.lent_count() == 0);
}

}  // namespace
}  // namespace ringwire
