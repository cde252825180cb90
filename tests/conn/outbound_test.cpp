// Bytes to be sent, how they are shown to the kernel, and who is told when they are gone.
#include "lib/conn/outbound.hpp"

#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/failing_new.hpp"

#include <array>
#include <random>
#include <string>
#include <vector>

namespace ringwire::conn {
namespace {

using ringwire::test::contains;
using test::death_of;
using test::FailingNew;

constexpr std::size_t kib = 1024;

struct OutboundStage {
  OutboundStage() = default;
  OutboundStage(const OutboundStage&) = delete;
  OutboundStage& operator=(const OutboundStage&) = delete;
  ~OutboundStage() { outbound.clear(pool); }

  void append(std::string_view text) {
    const Bytes bytes = to_bytes(text);
    outbound.append(pool, {&bytes, 1});
  }
  void consume(std::size_t size) { outbound.consume(pool, size); }

  // Notes `number` when what has been appended so far is gone.
  void notify(int number) {
    outbound.notify([this, number](std::error_code) { told.push_back(number); });
  }
  // Calls what is due, as the loop does.
  void tell(bool all = false) {
    while (auto done = outbound.take_done(all)) (*done)({});
  }

  // All that the next sendmsg would send.
  [[nodiscard]] std::string message() {
    std::string text;
    const msghdr* header = outbound.gather();
    for (std::size_t index = 0; index < header->msg_iovlen; ++index) {
      text.append(static_cast<const char*>(header->msg_iov[index].iov_base), header->msg_iov[index].iov_len);
    }
    return text;
  }

  base::ChunkPool pool{64 * kib};
  Outbound outbound;
  std::vector<int> told;
};

TEST_CASE("small writes lie in one piece, in order", "[outbound]") {
  OutboundStage at;
  at.append("one ");
  at.append("two");
  CHECK(at.outbound.is_single());
  CHECK(to_text(at.outbound.front()) == "one two");
  CHECK(at.outbound.size() == 7);
}

TEST_CASE("all parts of one write are taken in order, empty ones too", "[outbound]") {
  OutboundStage at;
  const std::array parts{to_bytes("a"), to_bytes(""), to_bytes("bc")};
  at.outbound.append(at.pool, parts);
  CHECK(to_text(at.outbound.front()) == "abc");
}

TEST_CASE("what does not fit one chunk is gathered over the borders, byte for byte", "[outbound]") {
  OutboundStage at;
  const std::string bytes = test::random_bytes(7, 150 * kib);
  at.append(std::string_view{bytes}.substr(0, 100));
  at.append(std::string_view{bytes}.substr(100, 5000));
  at.append(std::string_view{bytes}.substr(5100));
  CHECK_FALSE(at.outbound.is_single());
  CHECK(at.message() == bytes);
}

TEST_CASE("no more than the most pieces are gathered at once, the rest later", "[outbound]") {
  OutboundStage at;
  const std::string bytes = test::random_bytes(8, 20 * 64 * kib);
  at.append(bytes);
  const std::string first = at.message();
  CHECK(first.size() == Outbound::pieces_max * 64 * kib);
  CHECK(at.outbound.gather()->msg_iovlen == Outbound::pieces_max);
  at.consume(first.size());
  CHECK(first + at.message() == bytes);
}

TEST_CASE("a short send goes on in the middle of a piece", "[outbound]") {
  OutboundStage at;
  const std::string bytes = test::random_bytes(9, 80 * kib);
  at.append(bytes);
  for (const std::size_t size : {1 * kib, 64 * kib - 1, std::size_t{1}, std::size_t{5}}) {
    at.consume(size);
    const std::size_t gone = bytes.size() - at.outbound.size();
    if (!at.outbound.is_single()) CHECK(at.message() == bytes.substr(gone));
    CHECK(to_text(at.outbound.front()) == std::string_view{bytes}.substr(gone, at.outbound.front().size()));
  }
}

TEST_CASE("what the kernel was shown stays where it is while more is written", "[outbound]") {
  OutboundStage at;
  const std::string bytes = test::random_bytes(10, 70 * kib);
  at.append(bytes);
  const msghdr* header = at.outbound.gather();
  const auto* address = header->msg_iov[0].iov_base;
  const std::size_t size = header->msg_iov[0].iov_len;
  at.append(test::random_bytes(11, 70 * kib));
  CHECK(header->msg_iov[0].iov_base == address);
  CHECK(header->msg_iov[0].iov_len == size);
  CHECK(std::string_view{static_cast<const char*>(address), size} == std::string_view{bytes}.substr(0, size));
}

TEST_CASE("without memory to gather there is no message, and the front is left", "[outbound]") {
  OutboundStage at;
  at.append(std::string(70 * kib, 'x'));
  {
    const FailingNew none;
    CHECK(at.outbound.gather() == nullptr);
  }
  CHECK_FALSE(at.outbound.front().empty());
}

TEST_CASE("a callback there is no memory for stays with its caller", "[outbound]") {
  OutboundStage at;
  at.append("12345");
  bool told = false;
  Done done = [&told](std::error_code) { told = true; };
  {
    const FailingNew none;
    CHECK_THROWS_AS(at.outbound.notify(std::move(done)), std::bad_alloc);
  }
  REQUIRE(done);
  done({});
  CHECK(told);
  CHECK_FALSE(at.outbound.take_done(true));
}

TEST_CASE("a callback is due when the last byte before it is gone, and not a byte earlier", "[outbound]") {
  OutboundStage at;
  at.append("12345");
  at.notify(1);
  at.append("678");
  CHECK_FALSE(at.outbound.has_done());
  at.consume(4);
  CHECK_FALSE(at.outbound.has_done());
  CHECK_FALSE(at.outbound.take_done(false));
  at.consume(1);
  CHECK(at.outbound.has_done());
  at.tell();
  CHECK(at.told == std::vector{1});
  CHECK_FALSE(at.outbound.has_done());
}

TEST_CASE("callbacks come in the order they were asked for", "[outbound]") {
  OutboundStage at;
  for (int number = 0; number < 5; ++number) {
    at.append("xx");
    at.notify(number);
  }
  at.consume(5);
  at.tell();
  CHECK(at.told == std::vector{0, 1});
  at.consume(5);
  at.tell();
  CHECK(at.told == std::vector{0, 1, 2, 3, 4});
}

TEST_CASE("a callback with nothing before it is due at once", "[outbound]") {
  OutboundStage at;
  at.notify(1);
  CHECK(at.outbound.has_done());
  at.append("x");
  at.consume(1);
  at.notify(2);
  at.tell();
  CHECK(at.told == std::vector{1, 2});
}

TEST_CASE("several callbacks for the same byte are all due with it", "[outbound]") {
  OutboundStage at;
  at.append("x");
  at.notify(1);
  at.notify(2);
  at.consume(1);
  at.tell();
  CHECK(at.told == std::vector{1, 2});
}

TEST_CASE("at the end all callbacks are taken, and bytes that were dropped make none of them due",
          "[outbound]") {
  OutboundStage at;
  at.append("sent");
  at.notify(1);
  at.append("never sent");
  at.notify(2);
  at.notify(3);
  at.consume(4);
  at.outbound.clear(at.pool);
  CHECK(at.outbound.empty());
  at.tell(false);
  CHECK(at.told == std::vector{1});
  CHECK_FALSE(at.outbound.has_done());
  at.tell(true);
  CHECK(at.told == std::vector{1, 2, 3});
  CHECK_FALSE(at.outbound.take_done(true));
}

TEST_CASE("an empty outbound holds no chunk", "[outbound]") {
  OutboundStage at;
  at.append(std::string(200 * kib, 'x'));
  CHECK(at.pool.lent() >= 200 * kib);
  at.consume(200 * kib);
  CHECK(at.outbound.empty());
  CHECK(at.pool.lent() == 0);
}

TEST_CASE("consuming more than waits, and gathering nothing, are bugs", "[outbound]") {
  CHECK_THAT(death_of([] {
               OutboundStage at;
               at.append("four");
               at.consume(5);
             }),
             contains("5 of 4"));
  CHECK_THAT(death_of([] { static_cast<void>(OutboundStage{}.outbound.gather()); }),
             contains("!queue_.empty()"));
}

TEST_CASE("any order of writing and sending keeps the bytes and the callbacks in order", "[outbound]") {
  std::mt19937 random{2};
  OutboundStage at;
  const std::string source = test::random_bytes(12, 64 * kib);
  std::string sent;
  std::string written;
  std::vector<std::size_t> ends;
  for (int step = 0; step < 2'000; ++step) {
    if (random() % 2 == 0) {
      const std::string bytes = source.substr(random() % 1000, random() % (20 * kib));
      at.append(bytes);
      written += bytes;
      if (random() % 3 == 0) {
        at.notify(static_cast<int>(ends.size()));
        ends.push_back(written.size());
      }
    } else if (!at.outbound.empty()) {
      const std::string offered =
          at.outbound.is_single() ? std::string{to_text(at.outbound.front())} : at.message();
      const std::size_t size = random() % (offered.size() + 1);
      sent += offered.substr(0, size);
      at.consume(size);
    }
    at.tell();
    REQUIRE(at.outbound.size() == written.size() - sent.size());
    for (std::size_t index = 0; index < ends.size(); ++index) {
      REQUIRE((ends[index] <= sent.size()) == (index < at.told.size()));
    }
  }
  CHECK(sent == written.substr(0, sent.size()));
}

TEST_CASE("a buffer is sent from where it lies, between copies; a small one is copied") {
  OutboundStage at;
  const Buffer large{std::string(2000, 'L')};
  const Buffer small{"small"};
  at.append("copy ");
  at.outbound.borrow(at.pool, small);
  at.outbound.borrow(at.pool, large);
  at.append(" end");
  CHECK(at.message() == "copy small" + std::string(2000, 'L') + " end");
  const msghdr* header = at.outbound.gather();
  REQUIRE(header->msg_iovlen == 3);
  CHECK(header->msg_iov[1].iov_base == large.bytes().data());
  at.consume(10 + 500);
  CHECK(at.outbound.front().data() == large.bytes().data() + 500);
}

}  // namespace
}  // namespace ringwire::conn
