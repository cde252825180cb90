// Operations: what each answers, when it goes on, and with which completion it ends.
#include "lib/uring/prep.hpp"
#include "tests/kernel/sim/fixture.hpp"
#include "tests/support/catch.hpp"

#include <netinet/in.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::kernel::sim {
namespace {

using test::Cqe;
using test::Cqes;
using test::SimFixture;
using test::SimRing;

constexpr std::uint64_t recv_data = 1;
constexpr std::uint64_t send_data = 2;
constexpr std::uint64_t accept_data = 3;

void arm_recv(SimFixture& at, int fd, bool poll_first = false) {
  uring::prep_recv_multishot(at.ring.sqe(recv_data), fd, 0, poll_first);
  at.ring.enter();
}

void arm_send(SimFixture& at, int fd, std::string_view text) {
  uring::prep_send(at.ring.sqe(send_data), fd, to_bytes(text));
  at.ring.enter();
}

void arm_accept(SimFixture& at) {
  uring::prep_accept_multishot(at.ring.sqe(accept_data), at.listener);
  at.ring.enter();
}

// What the client has received once everything has arrived.
std::string received(SimFixture& at) {
  at.client->deliver(1, 1000, true);
  std::array<std::byte, 1000> target;
  const int size = at.client->recv(0, target);
  return size < 0 ? std::string{} : std::string{to_text({target.data(), static_cast<std::size_t>(size)})};
}

bool has_more(const Cqe& cqe) {
  return (cqe.flags & IORING_CQE_F_MORE) != 0;
}

// ---- receiving

TEST_CASE("a multishot receive brings a buffer at a time and goes on, until the end of the stream",
          "[operations]") {
  SimFixture at;
  const int fd = at.accept();
  arm_recv(at, fd);
  CHECK(at.kernel.ready().empty());
  at.send("hello world");
  for (const std::string_view part : {"hello wo", "rld"}) {
    at.attempt_all();
    const Cqes cqes = at.ring.reap();
    REQUIRE(cqes.size() == 1);
    CHECK(at.ring.content(cqes[0]) == part);
    CHECK(has_more(cqes[0]));
  }
  CHECK(at.client->shut_write(0) == 0);
  at.client->deliver(0, 0, true);
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{recv_data, 0, 0}});
  CHECK(at.kernel.operations_count() == 0);
}

TEST_CASE("a multishot receive with a credit ends with the last byte of it, and leaves the rest",
          "[operations]") {
  SimFixture at;
  const int fd = at.accept();
  uring::prep_recv_multishot(at.ring.sqe(recv_data), fd, 0, false, 10);
  at.ring.enter();
  at.send("hello world");
  at.attempt_all();
  const Cqes first = at.ring.reap();
  REQUIRE(first.size() == 1);
  CHECK(at.ring.content(first[0]) == "hello wo");
  CHECK(has_more(first[0]));
  at.attempt_all();
  const Cqes last = at.ring.reap();
  REQUIRE(last.size() == 1);
  CHECK(at.ring.content(last[0]) == "rl");
  CHECK_FALSE(has_more(last[0]));
  CHECK(at.kernel.operations_count() == 0);
  CHECK(at.client->arrived(1) == 1);
}

TEST_CASE("a receive without a free buffer ends at once, also when there is nothing to receive",
          "[operations]") {
  SimFixture at;
  const int fd = at.accept();
  uring::prep_recv_multishot(at.ring.sqe(recv_data), fd, 7, false);  // A group that has none.
  at.ring.enter();
  CHECK(at.ring.reap() == Cqes{{recv_data, -ENOBUFS}});
}

TEST_CASE("with POLL_FIRST a receive waits for bytes before it looks for a buffer", "[operations]") {
  SimFixture at;
  const int fd = at.accept();
  uring::prep_recv_multishot(at.ring.sqe(recv_data), fd, 7, true);
  at.ring.enter();
  CHECK(at.ring.reap().empty());
  at.send("x");
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{recv_data, -ENOBUFS}});
  CHECK(at.client->arrived(1) == 1);  // Nothing is lost.
}

TEST_CASE("a receive that used the last buffer ends with the next bytes", "[operations]") {
  SimFixture at;
  const int fd = at.accept();
  arm_recv(at, fd);
  at.send("aaaaaaaabbbbbbbbccccccccddddddddeeeeeeee");
  for (unsigned count = 0; count < SimRing::buffers_count; ++count) at.attempt_all();
  CHECK(at.ring.reap().size() == SimRing::buffers_count);
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{recv_data, -ENOBUFS}});
}

TEST_CASE("a multishot that finds the completion queue full ends, and its completion says so",
          "[operations]") {
  SimFixture at{2, 2};
  const int fd = at.accept();
  arm_recv(at, fd);
  at.send("aaaaaaaabbbbbbbbcccccccc");
  for (unsigned count = 0; count < 3; ++count) at.attempt_all();
  CHECK(at.kernel.operations_count() == 0);
  Cqes cqes = at.ring.reap();
  at.ring.enter();
  for (const Cqe& cqe : at.ring.reap()) cqes.push_back(cqe);
  REQUIRE(cqes.size() == 3);
  CHECK(has_more(cqes[0]));
  CHECK(has_more(cqes[1]));
  CHECK_FALSE(has_more(cqes[2]));
  CHECK(at.ring.content(cqes[2]) == "cccccccc");
}

TEST_CASE("in a burst one attempt completes a receive many times", "[operations]") {
  SimFixture at;
  const int fd = at.accept();
  arm_recv(at, fd);
  at.always(Fault::burst);
  at.send("aaaaaaaabbbbbbbbcc");
  at.attempt_all();
  CHECK(at.ring.reap().size() == 3);
}

TEST_CASE("a receive is shortened, ended, starved or interrupted, and loses nothing", "[operations]") {
  for (const Fault fault : {Fault::short_recv, Fault::recv_ends, Fault::recv_ends_empty, Fault::starved}) {
    INFO(name_of(fault));
    SimFixture at;
    const int fd = at.accept();
    arm_recv(at, fd);
    at.send("abcdef");
    at.always(fault);
    at.attempt_all();
    at.kernel.faults().heal();
    std::string got;
    for (unsigned count = 0; count < 8 && got.size() < 6; ++count) {
      for (const Cqe& cqe : at.ring.reap()) {
        if (cqe.res > 0) got += at.ring.content(cqe);
        if (!has_more(cqe)) arm_recv(at, fd);
      }
      at.attempt_all();
    }
    CHECK(got == "abcdef");
    CHECK_FALSE(at.client->hurt);
  }
}

TEST_CASE("an errno that means a broken connection breaks it, for the client too", "[operations]") {
  SimFixture at;
  const int fd = at.accept();
  arm_recv(at, fd);
  at.send("x");
  at.always(Fault::recv_fails);
  at.choices.answer = 4;  // ECONNRESET
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{recv_data, -ECONNRESET}});
  CHECK(at.client->hurt);
  CHECK(at.client->is_reset(0));
  CHECK(at.client->is_reset(1));
}

// ---- sending

TEST_CASE("a send takes what there is room for, goes on as room appears, and answers all of it",
          "[operations]") {
  SimFixture at;
  at.kernel.set_stream_capacity(4);
  const int fd = at.accept();
  arm_send(at, fd, "0123456789");
  std::string got;
  for (unsigned count = 0; count < 3; ++count) {
    CHECK(at.ring.reap().empty());
    at.attempt_all();
    CHECK(at.kernel.ready().empty());  // No room, or done.
    got += received(at);
  }
  CHECK(at.ring.reap() == Cqes{{send_data, 10}});
  CHECK(got == "0123456789");
}

TEST_CASE("a send that may be short ends when there is no more room", "[operations]") {
  SimFixture at;
  at.kernel.set_stream_capacity(4);
  const int fd = at.accept();
  {
    const std::string_view text = "0123456789";
    io_uring_sqe& sqe = at.ring.sqe(send_data);
    uring::prep_send(sqe, fd, to_bytes(text));
    uring::allow_short(sqe);
    at.ring.enter();
  }
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{send_data, 4}});
}

TEST_CASE("a send that has begun ends short and positive when the peer resets, and took the error with it",
          "[operations]") {
  SimFixture at;
  at.kernel.set_stream_capacity(4);
  const int fd = at.accept();
  arm_send(at, fd, "0123456789");
  at.attempt_all();
  at.client->close(0, true);
  at.client->deliver(0, 0, true);
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{send_data, 4}});
  arm_recv(at, fd);
  arm_send(at, fd, "456789");
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{recv_data, 0}, {send_data, -EPIPE}});
}

TEST_CASE("a send that has not begun is told the reset", "[operations]") {
  SimFixture at;
  const int fd = at.accept();
  arm_send(at, fd, "x");
  at.client->close(0, true);
  at.client->deliver(0, 0, true);
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{send_data, -ECONNRESET}});
}

TEST_CASE("a message is sent piece by piece, and its list may be gone once it is submitted", "[operations]") {
  SimFixture at;
  at.kernel.set_stream_capacity(5);
  const int fd = at.accept();
  std::string parts[] = {"one ", "", "two ", "three"};
  {
    std::array<iovec, 4> pieces{};
    for (std::size_t index = 0; index < pieces.size(); ++index)
      pieces[index] = {parts[index].data(), parts[index].size()};
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    uring::prep_sendmsg(at.ring.sqe(send_data), fd, message);
    at.ring.enter();
    pieces.fill({});
    message = {};
  }
  std::string got;
  for (unsigned count = 0; count < 3; ++count) {
    at.attempt_all();
    got += received(at);
  }
  CHECK(got == "one two three");
  CHECK(at.ring.reap() == Cqes{{send_data, 13}});
}

TEST_CASE("a send may end short for want of room, when faults say so", "[operations]") {
  SimFixture at;
  at.kernel.set_stream_capacity(4);
  const int fd = at.accept();
  at.always(Fault::short_send);
  arm_send(at, fd, "0123456789");
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{send_data, 4}});
}

// ---- what a reactor must never do

TEST_CASE("two sends at once on one descriptor are a violation, and so are two receives", "[operations]") {
  SimFixture sends;
  const int fd = sends.accept();
  arm_send(sends, fd, "one");
  CHECK(sends.kernel.violation().empty());
  arm_send(sends, fd, "two");
  CHECK(sends.kernel.violation() == "two SEND at once on descriptor " + std::to_string(fd));

  SimFixture receives;
  const int other = receives.accept();
  arm_recv(receives, other);
  arm_send(receives, other, "beside it");
  CHECK(receives.kernel.violation().empty());
  arm_recv(receives, other);
  CHECK(receives.kernel.violation() == "two RECV at once on descriptor " + std::to_string(other));
}

TEST_CASE("a request for a descriptor that is not open is answered EBADF, an unknown one EINVAL",
          "[operations]") {
  SimFixture at;
  arm_send(at, 77, "x");
  at.ring.sqe(9).opcode = IORING_OP_NOP;
  uring::prep_close(at.ring.sqe(10), 77);
  at.ring.enter();
  CHECK(at.ring.reap() == Cqes{{send_data, -EBADF}, {9, -EINVAL}, {10, -EBADF}});
}

TEST_CASE("a socket that is not connected sends and receives nothing", "[operations]") {
  SimFixture at;
  const int fd = at.kernel.open_socket(AF_INET, SOCK_STREAM, 0);
  arm_recv(at, fd);
  arm_send(at, fd, "x");
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{recv_data, -ENOTCONN}, {send_data, -ENOTCONN}});
}

// ---- accepting, connecting, closing

TEST_CASE("a multishot accept answers a descriptor for each client and goes on", "[operations]") {
  SimFixture at;
  arm_accept(at);
  CHECK(at.kernel.ready().empty());
  const auto first = at.kernel.connect(SimFixture::port);
  const auto second = at.kernel.connect(SimFixture::port);
  at.attempt_all();
  at.attempt_all();
  const Cqes cqes = at.ring.reap();
  REQUIRE(cqes.size() == 2);
  CHECK(has_more(cqes[0]));
  CHECK(at.kernel.files().find(cqes[0].res)->stream == first);
  CHECK(at.kernel.files().find(cqes[1].res)->stream == second);
}

TEST_CASE("without a free descriptor an accept ends, and the client stays in the backlog", "[operations]") {
  SimFixture at;
  arm_accept(at);
  const auto client = at.kernel.connect(SimFixture::port);
  const std::size_t limit = at.kernel.files().limit();
  at.kernel.files().set_limit(at.kernel.files().count() + 3);
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{accept_data, -EMFILE}});
  at.kernel.files().set_limit(limit);
  arm_accept(at);
  at.attempt_all();
  const Cqes cqes = at.ring.reap();
  REQUIRE(cqes.size() == 1);
  CHECK(at.kernel.files().find(cqes[0].res)->stream == client);
}

TEST_CASE("an accept that fails for want of something keeps the client; another error is the client's end",
          "[operations]") {
  struct Case {
    std::uint32_t answer;
    int error;
    bool keeps;
  };
  for (const Case& each : {Case{0, -EMFILE, true}, Case{4, -ECONNABORTED, false}}) {
    SimFixture at;
    arm_accept(at);
    const auto client = at.kernel.connect(SimFixture::port);
    at.always(Fault::accept_fails);
    at.choices.answer = each.answer;
    at.attempt_all();
    CHECK(at.ring.reap() == Cqes{{accept_data, each.error}});
    CHECK(client->is_reset(1) != each.keeps);
  }
}

TEST_CASE("a listener that was shut down ends its accept with EINVAL", "[operations]") {
  SimFixture at;
  arm_accept(at);
  CHECK(at.kernel.shutdown(at.listener, SHUT_RDWR) == 0);
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{accept_data, -EINVAL}});
  CHECK(at.kernel.connect(SimFixture::port) == nullptr);
}

TEST_CASE("a connect finds somebody, nobody, or silence", "[operations]") {
  SimFixture at;
  at.kernel.set_remote(7000, Remote::accepts);
  at.kernel.set_remote(7001, Remote::silent);
  for (const std::uint16_t port : {7000, 7001, 7002}) {
    const int fd = at.kernel.open_socket(AF_INET, SOCK_STREAM, 0);
    SocketName name = loopback_name(port);
    uring::prep_connect(at.ring.sqe(port), fd, name.storage, name.size);
    at.ring.enter();
    name = {};  // Copied at submission.
  }
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{7000, 0}, {7002, -ECONNREFUSED}});
  CHECK(at.kernel.operations_count() == 1);
  const auto streams = at.kernel.take_connected();
  REQUIRE(streams.size() == 1);
  CHECK(port_of(streams[0]->names[1]) == 7000);
  CHECK(at.kernel.take_connected().empty());
}

TEST_CASE("a descriptor closed under an armed operation sends no FIN until the operation ends",
          "[operations]") {
  SimFixture at;
  const int fd = at.accept();
  arm_recv(at, fd);
  uring::prep_close(at.ring.sqe(5), fd);
  at.ring.enter();
  CHECK(at.ring.reap() == Cqes{{5, 0}});
  CHECK_FALSE(at.client->in_flight(1));
  at.send("x");
  at.attempt_all();  // The receive still works.
  CHECK(at.ring.reap().size() == 1);
  uring::prep_cancel(at.ring.sqe(6), recv_data);
  at.ring.enter();
  CHECK(at.client->in_flight(1));
}

TEST_CASE("a close that complains has closed, one that was cancelled has not", "[operations]") {
  struct Case {
    std::uint32_t answer;
    int error;
    bool closes;
  };
  for (const Case& each : {Case{0, -EINTR, true}, Case{1, -EIO, true}, Case{4, -ECANCELED, false}}) {
    SimFixture at;
    const int fd = at.accept();
    at.always(Fault::close_fails);
    at.choices.answer = each.answer;
    uring::prep_close(at.ring.sqe(5), fd);
    at.ring.enter();
    CHECK(at.ring.reap() == Cqes{{5, each.error}});
    CHECK((at.kernel.files().find(fd) == nullptr) == each.closes);
  }
}

// ---- events, messages, links

TEST_CASE("an eventfd is read when it was signalled, and is empty then", "[operations]") {
  SimFixture at;
  const int fd = at.kernel.open_event();
  std::array<std::byte, 8> target{};
  uring::prep_read(at.ring.sqe(5), fd, target);
  at.ring.enter();
  CHECK(at.kernel.ready().empty());
  CHECK(at.kernel.signal_event(fd) == 0);
  CHECK(at.kernel.signal_event(fd) == 0);
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{5, 8}});
  std::uint64_t count = 0;
  std::memcpy(&count, target.data(), sizeof(count));
  CHECK(count == 2);
  uring::prep_read(at.ring.sqe(6), fd, target);
  at.ring.enter();
  CHECK(at.kernel.ready().empty());
}

TEST_CASE("a signalfd is read once for each signal", "[operations]") {
  SimFixture at;
  const int fd = at.kernel.open_signals();
  std::array<std::byte, 128> target{};
  uring::prep_read(at.ring.sqe(5), fd, target);
  at.ring.enter();
  CHECK(at.kernel.ready().empty());
  at.kernel.raise_signal();
  at.attempt_all();
  CHECK(at.ring.reap() == Cqes{{5, 128}});
}

TEST_CASE("a message arrives in the other ring, unless it is refused or that ring has gone", "[operations]") {
  SimFixture at;
  SimRing target{at.kernel};
  uring::prep_message(at.ring.sqe(5), target.ring.ring_fd, 42, 7);
  at.ring.enter();
  CHECK(at.ring.reap() == Cqes{{5, 0}});
  CHECK(target.reap() == Cqes{{42, 7}});

  at.always(Fault::message_refused);
  uring::prep_message(at.ring.sqe(6), target.ring.ring_fd, 42, 7);
  uring::prep_message(at.ring.sqe(7), 999, 42, 7);
  at.ring.enter();
  CHECK(at.ring.reap() == Cqes{{6, -ENOMEM}, {7, -ENOMEM}});
  CHECK(target.reap().empty());
  at.kernel.faults().heal();
  uring::prep_message(at.ring.sqe(8), 999, 42, 7);
  at.ring.enter();
  CHECK(at.ring.reap() == Cqes{{8, -EBADFD}});
}

TEST_CASE("a linked request begins when the one before has ended; a hard link also after a failure",
          "[operations]") {
  for (const bool hard : {true, false}) {
    SimFixture at;
    const int fd = at.accept();
    io_uring_sqe& cancel = at.ring.sqe(5);
    uring::prep_cancel(cancel, 12345);  // Finds nothing.
    cancel.flags |= hard ? IOSQE_IO_HARDLINK : IOSQE_IO_LINK;
    uring::prep_close(at.ring.sqe(6), fd);
    at.ring.enter();
    CHECK(at.ring.reap() == Cqes{{5, -ENOENT}, {6, hard ? 0 : -ECANCELED}});
    CHECK((at.kernel.files().find(fd) == nullptr) == hard);
  }
}

TEST_CASE("an operation may be tried at submission: its completion is there when enter returns",
          "[operations]") {
  SimFixture at;
  const int fd = at.accept();
  at.send("x");
  at.always(Fault::inline_attempt);
  arm_recv(at, fd);
  CHECK(at.ring.reap().size() == 1);
}

TEST_CASE("operations describe themselves", "[operations]") {
  SimFixture at;
  CHECK(at.kernel.describe_all() == "no operation");
  const int fd = at.accept();
  arm_recv(at, fd);
  CHECK(at.kernel.describe_all() == "RECV fd " + std::to_string(fd) + " user_data 1");
}

}  // namespace
}  // namespace ringwire::kernel::sim
