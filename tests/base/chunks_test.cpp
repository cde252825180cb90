// The chunk queue: bytes in order, at addresses that stay, in chunks that come back.
#include "lib/base/chunks.hpp"

#include "lib/base/assert.hpp"
#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <deque>
#include <new>
#include <random>
#include <string>
#include <vector>

namespace ringwire::base {
namespace {

using ringwire::test::contains;
using test::death_of;

constexpr std::size_t kib = 1024;

std::string pattern(std::size_t size, unsigned seed = 0) {
  std::string text(size, '\0');
  for (std::size_t index = 0; index < size; ++index) text[index] = static_cast<char>(index * 31 + seed);
  return text;
}

std::string content(const ChunkQueue& queue) {
  std::vector<Bytes> pieces(10'000);
  std::string text;
  const std::size_t count = queue.gather(pieces);
  for (std::size_t index = 0; index < count; ++index) text += to_text(pieces[index]);
  return text;
}

// A queue that is cleared however the test ends.
struct Cleared : ChunkQueue {
  explicit Cleared(ChunkPool& its_pool) : pool(its_pool) {}
  ~Cleared() { clear(pool); }
  ChunkPool& pool;
};

TEST_CASE("an empty queue has no bytes, no front and no chunk") {
  ChunkPool pool(0);
  Cleared queue(pool);
  CHECK(queue.empty());
  CHECK(queue.size() == 0);
  CHECK(queue.front().empty());
  CHECK(content(queue).empty());
  queue.append(pool, {});
  CHECK(pool.lent() == 0);
}

TEST_CASE("bytes come out as they went in") {
  ChunkPool pool(0);
  Cleared queue(pool);
  queue.append(pool, to_bytes("hello "));
  queue.append(pool, to_bytes("world"));
  CHECK(queue.size() == 11);
  CHECK(to_text(queue.front()) == "hello world");
  queue.consume(pool, 6);
  CHECK(to_text(queue.front()) == "world");
  queue.consume(pool, 5);
  CHECK(queue.empty());
  CHECK(pool.lent() == 0);
}

TEST_CASE("a chunk is as large as what must go in: 4, 16 or 64 KiB") {
  ChunkPool pool(0);
  const auto lent_for = [&pool](std::size_t size) {
    Cleared queue(pool);
    queue.append(pool, to_bytes(pattern(size)));
    return pool.lent();
  };
  CHECK(lent_for(1) == 4 * kib);
  CHECK(lent_for(4 * kib) == 4 * kib);
  CHECK(lent_for(4 * kib + 1) == 16 * kib);
  CHECK(lent_for(16 * kib) == 16 * kib);
  CHECK(lent_for(16 * kib + 1) == 64 * kib);
  CHECK(lent_for(64 * kib) == 64 * kib);
  CHECK(lent_for(64 * kib + 1) == 68 * kib);
  CHECK(lent_for(1024 * kib) == 1024 * kib);
}

TEST_CASE("free space at the end is used first, and what is queued keeps its address") {
  ChunkPool pool(0);
  Cleared queue(pool);
  queue.append(pool, to_bytes("lent to the kernel"));
  const Bytes lent = queue.front();
  queue.append(pool, to_bytes(pattern(5000)));
  CHECK(queue.front().data() == lent.data());
  CHECK(queue.front().size() == 4 * kib);
  CHECK(to_text(lent) == "lent to the kernel");
  CHECK(content(queue) == "lent to the kernel" + pattern(5000));
}

TEST_CASE("a long queue of small writes lies in few pieces") {
  ChunkPool pool(0);
  Cleared queue(pool);
  for (int count = 0; count < 4096; ++count) queue.append(pool, to_bytes(pattern(64)));
  std::vector<Bytes> pieces(100);
  CHECK(queue.gather(pieces) <= 8);
  CHECK(pool.lent() <= queue.size() + 64 * kib);
}

TEST_CASE("gather answers the first pieces, as many as asked for") {
  ChunkPool pool(0);
  Cleared queue(pool);
  const std::string text = pattern(200 * kib);
  queue.append(pool, to_bytes(text));
  queue.consume(pool, 10);
  std::array<Bytes, 2> two;
  REQUIRE(queue.gather(two) == 2);
  CHECK(to_text(two[0]) == std::string_view{text}.substr(10, 64 * kib - 10));
  CHECK(to_text(two[1]) == std::string_view{text}.substr(64 * kib, 64 * kib));
  CHECK(queue.gather({}) == 0);
}

TEST_CASE("consuming across chunks gives each back as soon as it is empty") {
  ChunkPool pool(0);
  Cleared queue(pool);
  queue.append(pool, to_bytes(pattern(192 * kib)));
  CHECK(pool.lent() == 192 * kib);
  queue.consume(pool, 64 * kib - 1);
  CHECK(pool.lent() == 192 * kib);
  queue.consume(pool, 1);
  CHECK(pool.lent() == 128 * kib);
  queue.consume(pool, 100 * kib);
  CHECK(pool.lent() == 64 * kib);
  queue.clear(pool);
  CHECK(pool.lent() == 0);
}

TEST_CASE("a pool keeps chunks up to its bound and hands them out again") {
  ChunkPool pool(20 * kib);
  Chunk* small = pool.acquire(1);
  Chunk* medium = pool.acquire(16 * kib);
  Chunk* large = pool.acquire(64 * kib);
  pool.release(small);
  pool.release(medium);
  pool.release(large);
  CHECK(pool.kept() == 20 * kib);
  CHECK(pool.lent() == 0);
  CHECK(pool.acquire(2) == small);
  CHECK(pool.kept() == 16 * kib);
  pool.release(small);
}

TEST_CASE("a chunk comes out of the pool empty, whatever it was used for") {
  ChunkPool pool(64 * kib);
  {
    Cleared queue(pool);
    queue.append(pool, to_bytes(pattern(3000)));
    queue.consume(pool, 17);
  }
  CHECK(pool.kept() == 4 * kib);
  Cleared queue(pool);
  queue.append(pool, to_bytes("fresh"));
  CHECK(to_text(queue.front()) == "fresh");
}

TEST_CASE("an append that memory does not suffice for adds nothing and keeps no chunk") {
  if (test::limits_break_allocator) return test::skip("a sanitizer's allocator does not live with RLIMIT_AS");
  const std::string said = death_of([] {
    ChunkPool pool(0);
    Cleared queue(pool);
    queue.append(pool, to_bytes("kept"));
    const rlimit limit{256 << 20, 256 << 20};
    setrlimit(RLIMIT_AS, &limit);
    try {
      queue.append(pool, {queue.front().data(), std::size_t{1} << 30});  // Never read: memory ends before.
    } catch (const std::bad_alloc&) {
      RINGWIRE_ASSERT(false, "{} {} {}", to_text(queue.front()), queue.size(), pool.lent());
    }
  });
  CHECK_THAT(said, contains("kept 4 4096"));
}

TEST_CASE("random appends and consumes agree with a deque") {
  std::mt19937 random(7);  // NOLINT: the same steps each time.
  ChunkPool pool(64 * kib);
  Cleared queue(pool);
  std::deque<char> model;
  for (unsigned step = 0; step < 3000; ++step) {
    if (random() % 2 == 0) {
      const std::size_t size = random() % 10 == 0 ? random() % (100 * kib) : random() % 300;
      const std::string text = pattern(size, step);
      queue.append(pool, to_bytes(text));
      model.insert(model.end(), text.begin(), text.end());
    } else {
      const std::size_t size = std::min<std::size_t>(model.size(), random() % (20 * kib));
      queue.consume(pool, size);
      model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(size));
    }
    REQUIRE(queue.size() == model.size());
    const std::string_view front = to_text(queue.front());
    REQUIRE(front.empty() == model.empty());
    REQUIRE(std::equal(front.begin(), front.end(), model.begin()));
  }
  CHECK(content(queue) == std::string(model.begin(), model.end()));
}

TEST_CASE("consuming more than there is, is refused") {
  CHECK_THAT(death_of([] {
               ChunkPool pool(0);
               Cleared queue(pool);
               queue.append(pool, to_bytes("four"));
               queue.consume(pool, 5);
             }),
             contains("5 of 4 bytes"));
}

TEST_CASE("a queue that dies with bytes in it is refused") {
  CHECK_THAT(death_of([] {
               ChunkPool pool(0);
               ChunkQueue queue;
               queue.append(pool, to_bytes("four"));
             }),
             contains("4 bytes were not cleared"));
}

TEST_CASE("borrowed bytes stand between copies, in place, and are let go when consumed") {
  ChunkPool pool(0);
  Cleared queue(pool);
  const Buffer buffer{std::string(5000, 'b')};
  queue.append(pool, to_bytes("before"));
  queue.borrow(pool, buffer);
  queue.append(pool, to_bytes("after"));
  CHECK(content(queue) == "before" + std::string(5000, 'b') + "after");
  CHECK(queue.size() == 5011);
  // The tail of a borrowed chunk takes nothing; the next copy gets a chunk for itself.
  CHECK(pool.lent() == chunk_sizes[0] + 5000 + chunk_sizes[0]);
  std::array<Bytes, 4> pieces;
  CHECK(queue.gather(pieces) == 3);
  CHECK(pieces[1].data() == buffer.bytes().data());
  queue.consume(pool, 6 + 1000);
  CHECK(queue.front().data() == buffer.bytes().data() + 1000);
  queue.consume(pool, 4000);
  CHECK(to_text(queue.front()) == "after");
  CHECK(pool.lent() == chunk_sizes[0]);
}

TEST_CASE("a queue that is cleared lets go of what it borrowed; of nothing it borrows nothing") {
  struct Counted : Buffer::Storage {
    int freed = 0;
  };
  Counted counted;
  counted.free = [](Buffer::Storage* storage) noexcept { ++static_cast<Counted*>(storage)->freed; };
  ChunkPool pool(0);
  {
    Cleared queue(pool);
    queue.borrow(pool, Buffer{});
    CHECK(queue.empty());
    queue.borrow(pool, Buffer{&counted, to_bytes("once")});
    CHECK(counted.freed == 0);
  }
  CHECK(counted.freed == 1);
  CHECK(pool.lent() == 0);
}

TEST_CASE("a copy behind borrowed bytes takes the room it needs, however much is queued") {
  ChunkPool pool(0);
  Cleared queue(pool);
  const Buffer body = Buffer::make(64 << 10, [](std::span<std::byte>) {});
  const std::string head(16, 'h');
  for (std::size_t message = 1; message <= 4; ++message) {
    queue.borrow(pool, body);
    queue.append(pool, to_bytes(head));
    CHECK(pool.lent() == message * (body.size() + chunk_sizes[0]));
  }
}

TEST_CASE("more than one borrowed chunk can show is borrowed in several") {
  ChunkPool pool(0);
  Cleared queue(pool);
  const Buffer large = Buffer::make(borrowed_max + 7, [](std::span<std::byte>) {});
  queue.borrow(pool, large);
  std::array<Bytes, 3> pieces;
  REQUIRE(queue.gather(pieces) == 2);
  CHECK(pieces[0].size() == borrowed_max);
  CHECK(pieces[1].size() == 7);
  CHECK(pieces[1].data() == large.bytes().data() + borrowed_max);
}

}  // namespace
}  // namespace ringwire::base
