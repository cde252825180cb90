// The receive buffers: who holds them on a scripted kernel, and bytes through them on the real one.
#include "lib/uring/pool.hpp"

#include <ringwire/error.hpp>

#include "lib/uring/prep.hpp"
#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/script_kernel.hpp"
#include "tests/uring/real.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

namespace ringwire::uring {
namespace {

using ringwire::test::contains;
using test::death_of;
using test::ScriptKernel;

constexpr std::size_t buffer_size = 64;

// Buffers of 64 bytes on a scripted kernel, and a receive armed to fill them.
struct Script {
  explicit Script(std::size_t count = 2) {
    REQUIRE_FALSE(ring.open(4, 8, {}));
    REQUIRE_FALSE(pool.open(ring, count, buffer_size));
    prep_recv_multishot(ring.next_sqe({Op::recv, 0, 0}), 5, pool.bgid(), false);
    ring.submit_and_wait(0, 0);
    request = kernel.take(Op::recv).value();
  }

  // The bid of the buffer `text` arrived in, taken.
  std::uint16_t receive(std::string_view text) {
    REQUIRE(kernel.receive(request, text));
    ring.submit_and_wait(0, 0);
    const auto batch = ring.reap();
    REQUIRE(batch.size() == 1);
    REQUIRE(batch[0].has_buffer());
    pool.take(batch[0].bid());
    return batch[0].bid();
  }

  ScriptKernel kernel;
  Ring ring{kernel};
  BufferPool pool{kernel, 3};
  test::Request request{};
};

TEST_CASE("an open pool has lent every buffer and holds none") {
  Script at;
  CHECK(at.pool.count() == 2);
  CHECK(at.pool.bgid() == 3);
  CHECK(at.pool.held_count() == 0);
  CHECK(at.kernel.free_buffers(3) == 2);
}

TEST_CASE("a buffer that came is held and shows its bytes until it is given back") {
  Script at;
  const std::uint16_t first = at.receive("first");
  const std::uint16_t second = at.receive("second, longer");
  CHECK(first != second);
  CHECK(at.pool.held_count() == 2);
  CHECK(to_text(at.pool.view(first, 5)) == "first");
  CHECK(to_text(at.pool.view(second, 6)) == "second");
  at.pool.give_back(first);
  CHECK(at.pool.held_count() == 1);
  CHECK(to_text(at.pool.view(second, 14)) == "second, longer");
}

TEST_CASE("the kernel sees what was given back when it is published, not before") {
  Script at;
  const std::uint16_t bid = at.receive("x");
  CHECK(at.kernel.free_buffers(3) == 1);
  at.pool.give_back(bid);
  CHECK(at.kernel.free_buffers(3) == 1);
  at.pool.publish();
  CHECK(at.kernel.free_buffers(3) == 2);
}

TEST_CASE("buffers do not overlap: filled to the brim, each keeps its bytes") {
  Script at;
  const std::string a(buffer_size, 'a');
  const std::string b(buffer_size, 'b');
  const std::uint16_t first = at.receive(a);
  const std::uint16_t second = at.receive(b);
  CHECK(to_text(at.pool.view(first, buffer_size)) == a);
  CHECK(to_text(at.pool.view(second, buffer_size)) == b);
}

TEST_CASE("the ring of buffers goes round more often than its tail can count") {
  Script at;
  for (int round = 0; round < 70'000; ++round) {
    const std::uint16_t bid = at.receive("x");
    at.pool.give_back(bid);
    at.pool.publish();
    if (at.kernel.free_buffers(3) != 2) FAIL("round " << round);
  }
  CHECK(to_text(at.pool.view(at.receive("y"), 1)) == "y");
}

TEST_CASE("a shared buffer goes home when it was given back and its last reference has died") {
  Script at;
  REQUIRE(at.pool.count() == 2);
  const std::string text(40, 's');
  const std::uint16_t bid = at.receive(text);
  const Bytes bytes = at.pool.view(bid, text.size());
  Script more{4};
  const std::uint16_t other = more.receive(text);

  SECTION("half of them are out: nothing is shared") {
    CHECK(at.pool.share(bytes).empty());
    at.pool.give_back(bid);
    at.pool.publish();
    CHECK(at.kernel.free_buffers(3) == 2);
  }
  SECTION("a part of a buffer, one piece more of it, and the rest") {
    const Bytes view = more.pool.view(other, text.size());
    Buffer first = more.pool.share(view.first(20));
    const Buffer second = more.pool.share(view);
    CHECK(first.bytes().data() == view.data());
    CHECK(second.text() == text);
    CHECK(more.pool.held_count() == 1);
    CHECK(more.pool.lent_count() == 0);
    more.pool.give_back(other);
    CHECK(more.pool.held_count() == 0);
    CHECK(more.pool.lent_count() == 1);
    more.pool.publish();
    CHECK(more.kernel.free_buffers(3) == 3);
    CHECK(more.pool.share(view).empty());  // It is not held any more.
    first = {};
    more.pool.publish();
    CHECK(more.kernel.free_buffers(3) == 3);
    CHECK(second.text() == text);
  }
  SECTION("all references have died before it is given back") {
    const Bytes view = more.pool.view(other, text.size());
    for (int round = 0; round < 3; ++round) CHECK_FALSE(more.pool.share(view).empty());
    more.pool.give_back(other);
    more.pool.publish();
    CHECK(more.pool.lent_count() == 0);
    CHECK(more.kernel.free_buffers(3) == 4);
  }
  SECTION("one that is shared is lent") {
    const Bytes view = more.pool.view(other, text.size());
    Buffer shared = more.pool.share(view);
    Buffer lent = more.pool.lend(other, view);
    shared = {};
    more.pool.publish();
    CHECK(more.kernel.free_buffers(3) == 3);
    CHECK(lent.text() == text);
    lent = {};
    more.pool.publish();
    CHECK(more.kernel.free_buffers(3) == 4);
  }
  SECTION("what is not ours, or only a few bytes") {
    CHECK(more.pool.share(bytes).empty());
    CHECK(more.pool.share(to_bytes(text)).empty());
    CHECK(more.pool.share(more.pool.view(other, 15)).empty());
    more.pool.give_back(other);
    more.pool.publish();
    CHECK(more.kernel.free_buffers(3) == 4);
  }
}

TEST_CASE("giving a buffer back twice is a bug") {
  CHECK_THAT(death_of([] {
               Script at;
               const std::uint16_t bid = at.receive("x");
               at.pool.give_back(bid);
               at.pool.give_back(bid);
             }),
             contains("given back twice"));
}

TEST_CASE("looking at a buffer that is the kernel's is a bug") {
  CHECK_THAT(death_of([] { static_cast<void>(Script{}.pool.view(0, 1)); }),
             contains("bid 0 is the kernel's"));
  CHECK_THAT(death_of([] { static_cast<void>(Script{}.pool.view(2, 1)); }), contains("bid 2 of 2"));
}

TEST_CASE("a buffer that comes twice, or that never was, is a bug") {
  CHECK_THAT(death_of([] {
               Script at;
               at.pool.take(1);
               at.pool.take(1);
             }),
             contains("bid 1 came twice"));
  CHECK_THAT(death_of([] { Script{}.pool.take(2); }), contains("bid 2 of 2"));
  CHECK_THAT(death_of([] { Script{}.pool.give_back(2); }), contains("bid 2 of 2"));
}

TEST_CASE("more bytes than a buffer has room for are a bug") {
  CHECK_THAT(death_of([] {
               Script at;
               at.pool.take(0);
               static_cast<void>(at.pool.view(0, buffer_size + 1));
             }),
             contains("65 bytes of a buffer of 64"));
}

TEST_CASE("buffers the kernel refuses are named in the error, and their memory is freed") {
  struct Refusal {
    int result;
    std::error_code error;
    std::string says;
  };
  const std::vector<Refusal> refusals{
      {-EINVAL, Error::kernel_too_old, "provided-buffer rings"},
      {-ENOMEM, Error::memlock_too_small, "1024 receive buffers needs 16 KiB, RLIMIT_MEMLOCK is 64 KiB"},
      {-EEXIST, std::error_code{EEXIST, std::system_category()}, "registering the receive buffers"},
  };
  for (const Refusal& refusal : refusals) {
    INFO("result " << refusal.result);
    ScriptKernel kernel;
    Ring ring{kernel};
    REQUIRE_FALSE(ring.open(4, 8, {}));
    BufferPool pool{kernel, 0};
    kernel.register_results = {refusal.result};
    const std::error_code error = pool.open(ring, 1024, buffer_size);
    CHECK(error == refusal.error);
    CHECK_THAT(explain(error), contains(refusal.says));
    CHECK(kernel.maps_count() == 0);
    CHECK_FALSE(pool.open(ring, 1024, buffer_size));  // Nothing of the failure is left.
    CHECK(kernel.maps_count() == 1);
  }
}

TEST_CASE("a closed pool has freed its memory, and can be opened anew") {
  Script at;
  static_cast<void>(at.receive("held to the end"));
  at.pool.close();
  at.pool.close();
  CHECK(at.kernel.maps_count() == 0);
  CHECK(at.pool.held_count() == 0);
  REQUIRE_FALSE(at.pool.open(at.ring, 4, buffer_size));
  CHECK(at.kernel.free_buffers(3) == 4);
}

// ---- the real kernel

// A pool of `count` buffers on a socket pair, and all that came through it.
struct Stream {
  explicit Stream(std::size_t count) { REQUIRE_FALSE(pool.open(at.ring, count, buffer_size)); }

  void arm(bool poll_first) {
    prep_recv_multishot(at.ring.next_sqe({Op::recv, 0, 0}), pair.ends[0], pool.bgid(), poll_first);
  }

  // Takes completions until the receive ends, and answers with what; gives buffers back if told to.
  int receive_until_end(bool give_back) {
    while (true) {
      for (const Completion& done : at.wait(1)) {
        if (done.has_buffer()) take(done, give_back);
        if (!done.has_more()) return done.res;
      }
    }
  }

  void take(const Completion& done, bool give_back) {
    pool.take(done.bid());
    received += to_text(pool.view(done.bid(), static_cast<std::size_t>(done.res)));
    if (!give_back) {
      held.push_back(done.bid());
      return;
    }
    pool.give_back(done.bid());
    pool.publish();
  }

  void send(std::string_view bytes) {
    REQUIRE(::send(pair.ends[1], bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }

  test::RealRing at{8, 256};
  BufferPool pool{at.kernel, 0};
  test::SocketPair pair;
  std::string received;
  std::vector<std::uint16_t> held;
};

TEST_CASE("two buffers take what fits, the rest waits for the next receive, in order") {
  Stream stream{2};
  const std::string bytes = test::random_bytes(1, 3 * buffer_size);
  stream.send(bytes);
  stream.arm(false);
  CHECK(stream.receive_until_end(false) == -ENOBUFS);
  CHECK(stream.received == bytes.substr(0, 2 * buffer_size));
  CHECK(stream.pool.held_count() == 2);
  CHECK(stream.at.ring.in_flight() == 0);

  for (const std::uint16_t bid : stream.held) stream.pool.give_back(bid);
  stream.pool.publish();
  stream.arm(true);
  stream.take(stream.at.wait(1).at(0), true);
  CHECK(stream.received == bytes);
}

TEST_CASE("with poll first, a receive armed without a buffer waits until there are bytes") {
  Stream stream{1};
  stream.send("x");
  stream.arm(false);
  stream.take(stream.at.wait(1).at(0), false);
  CHECK(stream.at.ring.in_flight() == 1);  // It goes on, and has no buffer left.
  stream.send("y");
  CHECK(stream.receive_until_end(false) == -ENOBUFS);

  char y = 0;
  REQUIRE(::recv(stream.pair.ends[0], &y, 1, 0) == 1);
  stream.arm(true);
  stream.at.ring.submit_and_wait(0, 0);
  CHECK(stream.at.ring.reap().empty());
  CHECK(stream.at.ring.in_flight() == 1);
  stream.pool.give_back(stream.held[0]);
  stream.pool.publish();
  stream.send("z");
  stream.take(stream.at.wait(1).at(0), true);
  CHECK(stream.received == "xz");
}

// A peer that sent bytes and reset the connection behind them.
void send_and_reset(test::SocketPair& pair, std::string_view bytes) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t name_size = sizeof name;
  auto* raw = static_cast<sockaddr*>(static_cast<void*>(&name));
  REQUIRE(::bind(listener, raw, name_size) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  REQUIRE(::getsockname(listener, raw, &name_size) == 0);
  const int peer = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(peer, raw, name_size) == 0);
  const int accepted = ::accept(listener, nullptr, nullptr);
  REQUIRE(::dup3(accepted, pair.ends[0], O_CLOEXEC) == pair.ends[0]);
  ::close(accepted);
  ::close(listener);
  REQUIRE(::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  const linger now{1, 0};
  REQUIRE(::setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
  ::close(peer);
}

TEST_CASE("a receive that waited for its turn tells the bytes, and the next one the reset behind them") {
  Stream stream{2};
  send_and_reset(stream.pair, "last words");
  prep_recv_when_ready(stream.at.ring.next_sqe({Op::recv, 0, 0}), stream.pair.ends[0], stream.pool.bgid());
  CHECK(stream.receive_until_end(true) == 10);
  CHECK(stream.received == "last words");
  stream.arm(false);
  CHECK(stream.receive_until_end(true) == -ECONNRESET);
}

TEST_CASE("a stream of any piece sizes arrives whole and in order through few buffers") {
  for (const std::size_t count : {1U, 2U, 8U}) {
    INFO(count << " buffers");
    Stream stream{count};
    const std::string bytes = test::random_bytes(count, 100'000);
    std::size_t sent = 0;
    bool armed = false;
    bool starved = false;
    std::size_t starvations = 0;
    while (stream.received.size() < bytes.size()) {
      const std::size_t piece = std::min(bytes.size() - sent, std::size_t{1} + sent % 999);
      const ssize_t gone = ::send(stream.pair.ends[1], bytes.data() + sent, piece, MSG_DONTWAIT);
      if (gone > 0)
        sent += static_cast<std::size_t>(gone);  // Else the socket is full: there is plenty to receive.
      if (!armed) stream.arm(starved);
      armed = true;
      // One lap: buffers go home only after all of its completions were looked at.
      for (const Completion& done : stream.at.wait(1)) {
        if (done.has_buffer()) stream.take(done, false);
        if (done.has_more()) continue;
        armed = false;
        starved = done.res == -ENOBUFS;
        starvations += starved ? 1 : 0;
        REQUIRE((done.res > 0 || starved));
      }
      for (const std::uint16_t bid : stream.held) stream.pool.give_back(bid);
      stream.held.clear();
      stream.pool.publish();
    }
    CHECK(stream.received == bytes);
    CHECK(stream.pool.held_count() == 0);
    CHECK(starvations > 0);
  }
}

TEST_CASE("the end of a stream ends its receive with 0 and no buffer") {
  Stream stream{2};
  stream.send("last");
  ::close(stream.pair.forget(1));
  stream.arm(false);
  CHECK(stream.receive_until_end(true) == 0);
  CHECK(stream.received == "last");
  CHECK(stream.pool.held_count() == 0);
}

}  // namespace
}  // namespace ringwire::uring
