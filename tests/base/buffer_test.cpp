// Owned bytes: copied once, referred to often, freed with the last reference.
#include <ringwire/buffer.hpp>

#include "tests/support/catch.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace ringwire {
namespace {

// A storage that counts how often it is freed.
struct CountedBytes : Buffer::Storage {
  CountedBytes() {
    free = [](Buffer::Storage* storage) noexcept { ++static_cast<CountedBytes*>(storage)->freed; };
  }
  int freed = 0;
};

TEST_CASE("a buffer holds a copy of its bytes") {
  std::string source = "original";
  const Buffer buffer{source};
  source = "changed!";
  CHECK(buffer.text() == "original");
  CHECK(buffer.size() == 8);
  CHECK_FALSE(buffer.empty());
}

TEST_CASE("a buffer of nothing is empty and costs nothing") {
  CHECK(Buffer{}.empty());
  CHECK(Buffer{Bytes{}}.empty());
  CHECK(Buffer{"x"}.slice(1).empty());
  CHECK(Buffer{}.slice(3, 4).empty());
}

TEST_CASE("copies and slices show the same memory") {
  const Buffer buffer{"0123456789"};
  const Buffer copy{buffer};
  const Buffer part = buffer.slice(2, 3);
  CHECK(copy.bytes().data() == buffer.bytes().data());
  CHECK(part.bytes().data() == buffer.bytes().data() + 2);
  CHECK(part.text() == "234");
  CHECK(part.slice(1).text() == "34");
  CHECK(buffer.slice(8, 100).text() == "89");
  CHECK(buffer.slice(100, 1).empty());
}

TEST_CASE("the storage is freed with the last reference, once") {
  CountedBytes counted;
  {
    Buffer first{&counted, to_bytes("shown")};
    Buffer second{first};
    Buffer part = first.slice(1, 2);
    Buffer moved{std::move(first)};
    CHECK(first.empty());  // NOLINT(bugprone-use-after-move): a moved-from buffer is empty.
    second = Buffer{"another"};
    moved = moved.slice(0, 1);
    CHECK(counted.freed == 0);
    CHECK(part.text() == "ho");
  }
  CHECK(counted.freed == 1);
}

TEST_CASE("a buffer assigned to itself stays as it is") {
  Buffer buffer{"same"};
  const Buffer& alias = buffer;
  buffer = alias;
  CHECK(buffer.text() == "same");
}

TEST_CASE("bytes can be made in place, by a function that is called once") {
  int calls = 0;
  const Buffer made = Buffer::make(4, [&](std::span<std::byte> room) {
    ++calls;
    REQUIRE(room.size() == 4);
    std::memcpy(room.data(), "four", 4);
  });
  CHECK(made.text() == "four");
  CHECK(calls == 1);
  CHECK_THROWS_AS(Buffer::make(1, [](std::span<std::byte>) { throw std::runtime_error{"no"}; }),
                  std::runtime_error);
  CHECK(Buffer::make(0, [](std::span<std::byte> room) { CHECK(room.empty()); }).empty());
}

TEST_CASE("more bytes than there can be are bad_alloc") {
  CHECK_THROWS_AS(Buffer::make(SIZE_MAX - 4, [](std::span<std::byte>) {}), std::bad_alloc);
}

TEST_CASE("many threads copy and drop references, and the last one frees") {
  CountedBytes counted;
  {
    const Buffer buffer{&counted, to_bytes("shared")};
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int index = 0; index < 4; ++index) {
      threads.emplace_back([&wrong, mine = buffer] {
        for (int round = 0; round < 10'000; ++round) {
          const Buffer copy{mine};
          if (copy.slice(1, 2).text() != "ha") ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(counted.freed == 0);
  }
  CHECK(counted.freed == 1);
}

}  // namespace
}  // namespace ringwire
