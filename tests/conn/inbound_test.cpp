// Received bytes: in place while they can be, copied when they must be, and every buffer sent home.
#include "lib/conn/inbound.hpp"

#include "lib/uring/prep.hpp"
#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/failing_new.hpp"
#include "tests/support/script_kernel.hpp"

#include <new>
#include <random>
#include <string>

namespace ringwire::conn {
namespace {

using ringwire::test::contains;
using test::death_of;
using test::FailingNew;
using test::ScriptKernel;

// An Inbound, and a pool of four buffers of 64 bytes that a scripted kernel fills.
struct InboundStage {
  InboundStage() {
    REQUIRE_FALSE(ring.open(4, 8, {}));
    REQUIRE_FALSE(pool.open(ring, 4, 64));
    uring::prep_recv_multishot(ring.next_sqe({uring::Op::recv, 0, 0}), 5, pool.bgid(), false);
    ring.submit_and_wait(0, 0);
    request = kernel.take(uring::Op::recv).value();
  }
  InboundStage(const InboundStage&) = delete;
  InboundStage& operator=(const InboundStage&) = delete;
  ~InboundStage() { inbound.clear(pools); }

  // A buffer with these bytes, taken but not yet added.
  std::uint16_t arrive(std::string_view bytes) {
    pool.publish();
    if (!kernel.receive(request, bytes)) FAIL("the pool is empty");
    ring.submit_and_wait(0, 0);
    const std::uint16_t bid = ring.reap()[0].bid();
    pool.take(bid);
    return bid;
  }

  void add(std::string_view bytes) { inbound.add(pools, false, arrive(bytes), bytes.size()); }

  [[nodiscard]] std::string_view text() const { return to_text(inbound.view(pools)); }

  ScriptKernel kernel;
  uring::Ring ring{kernel};
  uring::RecvPools pools{kernel, 0, 2};
  uring::BufferPool& pool = pools.of(false);
  test::Request request{};
  Inbound inbound;
};

TEST_CASE("the first buffer is seen in place, without a copy", "[inbound]") {
  InboundStage at;
  const std::uint16_t bid = at.arrive("hello");
  const Bytes theirs = at.pool.view(bid, 5);
  const FailingNew none;  // No copy, so no memory.
  at.inbound.add(at.pools, false, bid, 5);
  CHECK(at.inbound.view(at.pools).data() == theirs.data());
  CHECK(at.inbound.size() == 5);
  CHECK(at.inbound.holds());
  CHECK(at.pool.held_count() == 1);
}

TEST_CASE("an empty inbound shows nothing and holds nothing", "[inbound]") {
  InboundStage at;
  CHECK(at.text().empty());
  CHECK(at.inbound.size() == 0);
  CHECK_FALSE(at.inbound.holds());
}

TEST_CASE("a second buffer is copied together with the first, and both go home", "[inbound]") {
  InboundStage at;
  at.add("hello ");
  at.add("world");
  CHECK(at.text() == "hello world");
  CHECK(at.inbound.size() == 11);
  CHECK_FALSE(at.inbound.holds());
  CHECK(at.pool.held_count() == 0);
}

TEST_CASE("only what is left of the first buffer is copied", "[inbound]") {
  InboundStage at;
  at.add("hello ");
  at.inbound.discard(4);
  at.add("world");
  CHECK(at.text() == "o world");
}

TEST_CASE("discarded bytes stay readable until the handler is through", "[inbound]") {
  InboundStage at;
  at.add("first second");
  const std::string_view in_place = at.text();
  at.inbound.discard(6);
  CHECK(in_place == "first second");
  CHECK(at.text() == "second");

  at.add(" third");
  const std::string_view kept = at.text();
  at.inbound.discard(12);
  CHECK(at.inbound.size() == 0);
  CHECK(kept == "second third");
}

TEST_CASE("settling copies what is left and sends the buffer home", "[inbound]") {
  InboundStage at;
  at.add("half taken");
  at.inbound.discard(5);
  at.inbound.settle(at.pools);
  CHECK(at.text() == "taken");
  CHECK_FALSE(at.inbound.holds());
  CHECK(at.pool.held_count() == 0);
  at.inbound.settle(at.pools);  // Nothing more to do.
  CHECK(at.text() == "taken");
}

TEST_CASE("settling a buffer that was wholly taken needs no memory", "[inbound]") {
  InboundStage at;
  at.add("all taken");
  at.inbound.discard(9);
  CHECK(at.pool.held_count() == 1);  // Still readable.
  const FailingNew none;
  at.inbound.settle(at.pools);
  CHECK(at.pool.held_count() == 0);
  CHECK(at.inbound.size() == 0);
}

TEST_CASE("a buffer that comes after everything was taken is again seen in place", "[inbound]") {
  InboundStage at;
  at.add("one");
  at.add("two");
  at.inbound.discard(6);
  const std::uint16_t bid = at.arrive("three");
  const FailingNew none;
  at.inbound.add(at.pools, false, bid, 5);
  CHECK(at.text() == "three");
  CHECK(at.inbound.holds());
}

TEST_CASE("a wholly taken buffer goes home when the next one comes", "[inbound]") {
  InboundStage at;
  for (int round = 0; round < 20; ++round) {  // More often than there are buffers.
    at.add("x");
    at.inbound.discard(1);
  }
  CHECK(at.pool.held_count() == 1);
}

TEST_CASE("clearing drops everything, held or kept", "[inbound]") {
  InboundStage at;
  at.add("held");
  at.inbound.clear(at.pools);
  CHECK(at.inbound.size() == 0);
  CHECK(at.pool.held_count() == 0);
  at.add("kept");
  at.add("too");
  at.inbound.clear(at.pools);
  CHECK(at.inbound.size() == 0);
  CHECK(at.text().empty());
}

TEST_CASE("without memory for a second buffer both go home all the same", "[inbound]") {
  InboundStage at;
  at.add("first");
  const std::uint16_t second = at.arrive("second");
  bool failed = false;
  try {
    const FailingNew none;
    at.inbound.add(at.pools, false, second, 6);
  } catch (const std::bad_alloc&) {
    failed = true;
  }
  CHECK(failed);
  CHECK(at.pool.held_count() == 0);
}

TEST_CASE("without memory for a third buffer the kept bytes stay, and it goes home", "[inbound]") {
  InboundStage at;
  const std::string full(64, 'x');
  at.add(full);
  at.add(full);
  bool failed = false;
  std::size_t expected = 128;
  for (int count = 0; count < 64 && !failed; ++count) {  // Until the kept piece must grow.
    const std::uint16_t bid = at.arrive(full);
    try {
      const FailingNew none;
      at.inbound.add(at.pools, false, bid, 64);
      expected += 64;
    } catch (const std::bad_alloc&) {
      failed = true;
    }
  }
  CHECK(failed);
  CHECK(at.inbound.size() == expected);
  CHECK(at.pool.held_count() == 0);
}

TEST_CASE("without memory to settle, the buffer goes home all the same", "[inbound]") {
  InboundStage at;
  at.add("leftover");
  bool failed = false;
  try {
    const FailingNew none;
    at.inbound.settle(at.pools);
  } catch (const std::bad_alloc&) {
    failed = true;
  }
  CHECK(failed);
  CHECK(at.pool.held_count() == 0);
}

TEST_CASE("discarding more than there is, and adding nothing, are bugs", "[inbound]") {
  CHECK_THAT(death_of([] {
               InboundStage at;
               at.add("four");
               at.inbound.discard(5);
             }),
             contains("discard 5 of 4"));
  CHECK_THAT(death_of([] {
               InboundStage at;
               at.inbound.add(at.pools, false, at.arrive("x"), 0);
             }),
             contains("size > 0"));
}

TEST_CASE("any order of adding, discarding and settling keeps the bytes", "[inbound]") {
  std::mt19937 random{1};
  InboundStage at;
  std::string expected;
  unsigned char next = 0;
  for (int step = 0; step < 20'000; ++step) {
    switch (random() % 4) {
      case 0:
      case 1: {
        std::string bytes(1 + random() % 64, '\0');
        for (char& byte : bytes) byte = static_cast<char>(next++);
        at.add(bytes);
        expected += bytes;
        break;
      }
      case 2: {
        const std::size_t size = random() % (expected.size() + 1);
        at.inbound.discard(size);
        expected.erase(0, size);
        break;
      }
      default:
        at.inbound.settle(at.pools);
        REQUIRE(at.pool.held_count() == 0);
    }
    REQUIRE(at.inbound.size() == expected.size());
    REQUIRE(at.text() == expected);
    REQUIRE(at.pool.held_count() <= 1);
  }
}

TEST_CASE("a large buffer is seen in place, and what is left of it stands before what comes in a small one",
          "[inbound]") {
  InboundStage at;
  uring::BufferPool& large = at.pools.of(true);
  REQUIRE_FALSE(large.open(at.ring, 2, 256));
  uring::prep_recv_multishot(at.ring.next_sqe({uring::Op::recv_large, 0, 0}), 5, large.bgid(), false);
  at.ring.submit_and_wait(0, 0);
  const std::string text(200, 'l');
  REQUIRE(at.kernel.receive(*at.kernel.take(uring::Op::recv_large), text));
  at.ring.submit_and_wait(0, 0);
  const std::uint16_t bid = at.ring.reap()[0].bid();
  large.take(bid);
  at.inbound.add(at.pools, true, bid, text.size());
  CHECK(at.inbound.view(at.pools).data() == large.view(bid, 200).data());

  at.inbound.discard(190);
  at.add("small");
  CHECK(at.text() == "llllllllllsmall");
  CHECK(at.pools.held_count() == 0);
  at.inbound.discard(15);
  at.add("again");
  CHECK(at.inbound.holds());
  CHECK(at.text() == "again");
}

TEST_CASE("take of a whole buffer lends it without a copy, and it is home when the taker lets go") {
  InboundStage at;
  const std::string text(40, 't');
  const std::uint16_t bid = at.arrive(text);
  const void* where = at.pool.view(bid, text.size()).data();
  at.inbound.add(at.pools, false, bid, text.size());
  Buffer taken = at.inbound.take(at.pools, text.size());
  CHECK(taken.text() == text);
  CHECK(taken.bytes().data() == where);
  CHECK(at.inbound.size() == 0);
  CHECK(at.pool.held_count() == 0);
  CHECK(at.pool.lent_count() == 1);
  at.pool.publish();
  CHECK(at.kernel.free_buffers() == 3);
  taken = {};
  at.pool.publish();
  CHECK(at.pool.lent_count() == 0);
  CHECK(at.kernel.free_buffers() == 4);
}

TEST_CASE("take copies when half of the buffers are out, when it is a part, and when it is little") {
  InboundStage at;
  const std::string text(40, 't');
  at.inbound.add(at.pools, false, at.arrive(text), text.size());
  const Buffer lent = at.inbound.take(at.pools, text.size());
  at.inbound.add(at.pools, false, at.arrive(text), text.size());  // One is lent and one held, of four.
  const Buffer copied = at.inbound.take(at.pools, text.size());
  CHECK(copied.text() == text);
  CHECK(at.pool.lent_count() == 1);
  CHECK(at.inbound.size() == 0);
  at.inbound.settle(at.pools);
  CHECK(at.pool.held_count() == 0);

  InboundStage part;
  part.inbound.add(part.pools, false, part.arrive(text), text.size());
  CHECK(part.inbound.take(part.pools, 30).text() == text.substr(0, 30));
  CHECK(part.pool.lent_count() == 0);
  CHECK(part.inbound.size() == 10);
  CHECK(part.inbound.take(part.pools, 10).text() == text.substr(0, 10));
  CHECK(part.pool.lent_count() == 0);  // 10 bytes are less than a quarter of 64.
}

TEST_CASE("take from what was kept, and of nothing") {
  InboundStage at;
  at.inbound.add(at.pools, false, at.arrive("one "), 4);
  at.inbound.add(at.pools, false, at.arrive("two "), 4);
  CHECK(at.inbound.take(at.pools, 8).text() == "one two ");
  CHECK(at.inbound.take(at.pools, 0).empty());
  CHECK(at.inbound.size() == 0);
}

}  // namespace
}  // namespace ringwire::conn
