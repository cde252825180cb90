// The contiguous queue: one piece, views that last, memory that goes.
#include "lib/base/byte_queue.hpp"

#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"

#include <random>
#include <string>

namespace ringwire::base {
namespace {

TEST_CASE("an empty byte queue holds no memory") {
  ByteQueue queue;
  CHECK(queue.empty());
  CHECK(queue.view().empty());
  queue.append({});
  CHECK(queue.capacity() == 0);
}

TEST_CASE("appended bytes are seen in one piece") {
  ByteQueue queue;
  queue.append(to_bytes("one "));
  queue.append(to_bytes("two"));
  CHECK(to_text(queue.view()) == "one two");
  CHECK(queue.size() == 7);
}

TEST_CASE("consumed bytes stay readable until the next append") {
  ByteQueue queue;
  queue.append(to_bytes("headbody"));
  const Bytes view = queue.view();
  queue.consume(4);
  CHECK(to_text(queue.view()) == "body");
  CHECK(to_text(view) == "headbody");
  queue.consume(4);
  CHECK(queue.empty());
  CHECK(to_text(view) == "headbody");
}

TEST_CASE("settling frees the memory of an empty queue and leaves another alone") {
  ByteQueue queue;
  queue.append(to_bytes("rest"));
  queue.consume(3);
  queue.settle();
  CHECK(to_text(queue.view()) == "t");
  CHECK(queue.capacity() > 0);
  queue.consume(1);
  CHECK(queue.capacity() > 0);
  queue.settle();
  CHECK(queue.capacity() == 0);
}

TEST_CASE("releasing drops the bytes and the memory") {
  ByteQueue queue;
  queue.append(to_bytes("gone"));
  queue.release();
  CHECK(queue.empty());
  CHECK(queue.capacity() == 0);
  queue.append(to_bytes("again"));
  CHECK(to_text(queue.view()) == "again");
}

TEST_CASE("a queue that is consumed as fast as it is filled does not grow") {
  ByteQueue queue;
  queue.append(to_bytes(std::string(100, 'x')));
  for (int count = 0; count < 10'000; ++count) {
    queue.append(to_bytes(std::string(64, 'y')));
    queue.consume(64);
  }
  CHECK(queue.size() == 100);
  CHECK(queue.capacity() <= 1024);
}

TEST_CASE("bytes are not moved down for a few consumed ones: the queue grows instead") {
  ByteQueue queue;
  queue.append(to_bytes(std::string(256, 'x')));
  const std::size_t before = queue.capacity();
  REQUIRE(before == 256);
  queue.consume(1);
  queue.append(to_bytes("y"));
  CHECK(queue.capacity() > before);
  CHECK(to_text(queue.view()) == std::string(255, 'x') + "y");
}

TEST_CASE("the memory of a growing queue at most doubles") {
  ByteQueue queue;
  for (int count = 0; count < 1000; ++count) queue.append(to_bytes(std::string(100, 'x')));
  CHECK(queue.size() == 100'000);
  CHECK(queue.capacity() <= 200'000);
}

TEST_CASE("random appends and consumes agree with a string") {
  std::mt19937 random(3);  // NOLINT: the same steps each time.
  ByteQueue queue;
  std::string model;
  for (unsigned step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0) {
      const std::string text(random() % 200, static_cast<char>('a' + step % 26));
      queue.append(to_bytes(text));
      model += text;
    } else {
      const std::size_t size = std::min<std::size_t>(model.size(), random() % 250);
      queue.consume(size);
      model.erase(0, size);
    }
    if (step % 97 == 0) queue.settle();
    REQUIRE(to_text(queue.view()) == model);
  }
}

TEST_CASE("consuming more than a byte queue has, is refused") {
  CHECK_THAT(test::death_of([] {
               ByteQueue queue;
               queue.append(to_bytes("four"));
               queue.consume(5);
             }),
             ringwire::test::contains("5 of 4 bytes"));
}

}  // namespace
}  // namespace ringwire::base
