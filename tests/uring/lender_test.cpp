// Buffers in users' hands: they come home from any thread, and their memory waits for the last of them.
#include "lib/uring/lender.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace ringwire::uring {
namespace {

constexpr std::size_t size = 16;

struct Desk {
  Desk() : lender{Lender::open(4, 4 * size)} { REQUIRE(lender != nullptr); }
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;
  ~Desk() { close(); }

  void close() {
    if (lender != nullptr) std::exchange(lender, nullptr)->release();
  }
  Buffer lend(std::uint16_t bid, std::string_view text) {
    std::byte* at = lender->memory() + bid * size;
    std::copy_n(to_bytes(text).data(), text.size(), at);
    return lender->lend(bid, {at, text.size()});
  }
  std::vector<std::uint16_t> returned() {
    std::vector<std::uint16_t> bids;
    lender->take_returned([&](std::uint16_t bid) { bids.push_back(bid); });
    return bids;
  }

  Lender* lender;
};

TEST_CASE("a lent buffer shows the memory itself, and is home when its last reference is gone") {
  Desk at;
  Buffer lent = at.lend(2, "hello");
  CHECK(static_cast<const void*>(lent.bytes().data()) == at.lender->memory() + 2 * size);
  std::optional<Buffer> part{lent.slice(1, 3)};
  lent = {};
  CHECK_FALSE(at.lender->has_returned());
  CHECK(part->text() == "ell");
  part.reset();
  CHECK(at.lender->has_returned());
  CHECK(at.returned() == std::vector<std::uint16_t>{2});
  CHECK_FALSE(at.lender->has_returned());
  CHECK(at.returned().empty());
}

TEST_CASE("a buffer that came home can be lent again") {
  Desk at;
  for (int round = 0; round < 3; ++round) {
    { const Buffer lent = at.lend(1, "again"); }
    CHECK(at.returned() == std::vector<std::uint16_t>{1});
  }
}

TEST_CASE("buffers come home from other threads") {
  Desk at;
  std::vector<std::thread> threads;
  for (std::uint16_t bid = 0; bid < 4; ++bid) {
    threads.emplace_back([lent = at.lend(bid, "away")]() mutable { lent = {}; });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<std::uint16_t> bids = at.returned();
  std::sort(bids.begin(), bids.end());
  CHECK(bids == std::vector<std::uint16_t>{0, 1, 2, 3});
}

// That it goes with the last of them, and is not lost, LeakSanitizer sees.
TEST_CASE("the memory outlives the pool for as long as a buffer is out") {
  Desk at;
  std::optional<Buffer> first{at.lend(0, "first")};
  std::optional<Buffer> second{at.lend(3, "second")};
  at.close();
  CHECK(first->text() == "first");
  first.reset();
  CHECK(second->text() == "second");
}

}  // namespace
}  // namespace ringwire::uring
