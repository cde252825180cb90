// The slot table: stable addresses, reuse, and generations that tell the dead from the living.
#include "lib/base/slots.hpp"

#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"

#include <stdexcept>
#include <vector>

namespace ringwire::base {
namespace {

using ringwire::test::contains;
using test::death_of;

int alive = 0;

struct Thing {
  Thing(std::uint32_t slot_given, std::uint32_t generation_given, int number_given = 0)
      : slot(slot_given), generation(generation_given), number(number_given) {
    if (number < 0) throw std::runtime_error("refused");
    ++alive;
  }
  Thing(const Thing&) = delete;
  Thing& operator=(const Thing&) = delete;
  ~Thing() { --alive; }

  std::uint32_t slot;
  std::uint32_t generation;
  int number;
};

using Table = SlotTable<Thing>;

TEST_CASE("objects are made in slot order with generation 1 and their arguments") {
  Table table(3);
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    Thing* thing = table.acquire(static_cast<int>(slot) + 10);
    REQUIRE(thing != nullptr);
    CHECK(thing->slot == slot);
    CHECK(thing->generation == 1);
    CHECK(thing->number == static_cast<int>(slot) + 10);
  }
  CHECK(table.size() == 3);
  CHECK(table.max() == 3);
}

TEST_CASE("a full table answers nullptr until a slot is released") {
  Table table(2);
  CHECK(table.acquire() != nullptr);
  CHECK(table.acquire() != nullptr);
  CHECK(table.acquire() == nullptr);
  table.release(0);
  CHECK(table.acquire() != nullptr);
  CHECK(table.acquire() == nullptr);
}

TEST_CASE("an object is found by slot and generation, and never once it is released") {
  Table table(8);
  Thing* thing = table.acquire();
  CHECK(table.find(0, 1) == thing);
  CHECK(table.find(0, 2) == nullptr);
  CHECK(table.find(0, 0) == nullptr);
  CHECK(table.find(1, 1) == nullptr);
  CHECK(table.find(0xFFFF'FFFF, 1) == nullptr);
  table.release(0);
  CHECK(table.find(0, 1) == nullptr);
  CHECK(table.find(0, 2) == nullptr);
  CHECK(table.at(0) == nullptr);
}

TEST_CASE("a stale generation does not find the slot's next object") {
  Table table(8);
  CHECK(table.acquire()->generation == 1);
  table.release(0);
  Thing* next = table.acquire();
  CHECK(next->slot == 0);
  CHECK(next->generation == 2);
  CHECK(table.find(0, 1) == nullptr);
  CHECK(table.find(0, 2) == next);
  CHECK(table.at(0) == next);
}

TEST_CASE("slots are reused last in, first out, before fresh ones") {
  Table table(8);
  for (int count = 0; count < 4; ++count) CHECK(table.acquire() != nullptr);
  table.release(1);
  table.release(3);
  table.release(0);
  CHECK(table.acquire()->slot == 0);
  CHECK(table.acquire()->slot == 3);
  CHECK(table.acquire()->slot == 1);
  CHECK(table.acquire()->slot == 4);
}

TEST_CASE("generations wrap after 24 bits and leave out 0") {
  Table table(1);
  bool counted_up = true;
  for (std::uint32_t count = 1; count < generation_mask; ++count) {
    counted_up = counted_up && table.acquire()->generation == count;
    table.release(0);
  }
  CHECK(counted_up);
  CHECK(table.acquire()->generation == generation_mask);
  table.release(0);
  CHECK(table.acquire()->generation == 1);
}

TEST_CASE("objects keep their address while the table grows over many chunks") {
  Table table(1000);
  std::vector<Thing*> things;
  for (int number = 0; number < 1000; ++number) things.push_back(table.acquire(number));
  for (std::uint32_t slot = 0; slot < 1000; ++slot) {
    REQUIRE(table.find(slot, 1) == things[slot]);
    REQUIRE(things[slot]->number == static_cast<int>(slot));
  }
}

TEST_CASE("objects are visited in slot order, and the visited one may be released") {
  Table table(200);
  for (int number = 0; number < 150; ++number) CHECK(table.acquire(number) != nullptr);
  table.release(70);
  std::vector<std::uint32_t> seen;
  table.for_each([&](Thing& thing) {
    seen.push_back(thing.slot);
    table.release(thing.slot);
  });
  std::vector<std::uint32_t> expected;
  for (std::uint32_t slot = 0; slot < 150; ++slot) {
    if (slot != 70) expected.push_back(slot);
  }
  CHECK(seen == expected);
  CHECK(table.size() == 0);
}

TEST_CASE("each object is destroyed once, the last ones with the table") {
  REQUIRE(alive == 0);
  {
    Table table(100);
    for (int number = 0; number < 100; ++number) CHECK(table.acquire(number) != nullptr);
    table.release(5);
    table.release(99);
    CHECK(alive == 98);
  }
  CHECK(alive == 0);
}

TEST_CASE("a constructor that throws leaves the table as it was") {
  Table table(2);
  CHECK(table.acquire(1) != nullptr);
  CHECK_THROWS_AS(table.acquire(-1), std::runtime_error);
  CHECK(table.size() == 1);
  CHECK(table.at(1) == nullptr);
  Thing* thing = table.acquire(2);
  CHECK(thing->slot == 1);
  CHECK(thing->generation == 1);
  table.release(0);
  CHECK_THROWS_AS(table.acquire(-1), std::runtime_error);
  CHECK(table.acquire(3)->slot == 0);
}

TEST_CASE("releasing an empty slot is refused") {
  CHECK_THAT(death_of([] {
               Table table(2);
               if (table.acquire() != nullptr) table.release(0);
               table.release(0);
             }),
             contains("slot 0 is empty"));
  CHECK_THAT(death_of([] { Table(2).release(1); }), contains("slot 1 of 0"));
}

}  // namespace
}  // namespace ringwire::base
