// ringwire::Function: where it keeps its callable, and that it destroys it once.
#include <ringwire/function.hpp>

#include "tests/support/catch.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace {

using ringwire::Function;

// Counts the live ones, and who was moved.
struct Counted {
  explicit Counted(int& live) : live_(&live) { ++*live_; }
  Counted(Counted&& other) noexcept : live_(other.live_) { ++*live_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  Counted& operator=(Counted&&) = delete;
  ~Counted() { --*live_; }
  int operator()() const { return *live_; }

  int* live_;
};

template <std::size_t Size>
struct Sized : Counted {
  using Counted::Counted;
  std::array<char, Size> ballast{};
};
using Small = Sized<8>;
using Large = Sized<256>;

static_assert(sizeof(Small) <= Function<int()>::inline_size);
static_assert(sizeof(Large) > Function<int()>::inline_size);
static_assert(!std::is_copy_constructible_v<Function<void()>>);
static_assert(!std::is_copy_assignable_v<Function<void()>>);
static_assert(std::is_nothrow_move_constructible_v<Function<void()>>);
static_assert(std::is_nothrow_move_assignable_v<Function<void()>>);
static_assert(!std::is_constructible_v<Function<void()>, int>);
static_assert(!std::is_constructible_v<Function<void(int)>, void (*)(std::string)>);

// Does the address lie inside the Function itself?
template <typename F>
bool holds(const F& function, const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  const auto begin = reinterpret_cast<std::uintptr_t>(&function);
  return at >= begin && at < begin + sizeof(function);
}

TEST_CASE("a Function is empty when default-constructed, made from nullptr or moved from") {
  Function<void()> none;
  CHECK_FALSE(none);
  Function<void()> null = nullptr;
  CHECK_FALSE(null);
  Function<void()> full = [] {};
  CHECK(full);
  Function<void()> taken = std::move(full);
  CHECK(taken);
  CHECK_FALSE(full);  // NOLINT(bugprone-use-after-move): that is what is asked.
}

TEST_CASE("a Function passes arguments and result through") {
  Function<std::string(std::string, int&)> join = [](std::string text, int& count) {
    ++count;
    return text + "!";
  };
  int count = 0;
  CHECK(join("a", count) == "a!");
  CHECK(join("b", count) == "b!");
  CHECK(count == 2);
}

TEST_CASE("a Function takes callables that can only be moved, and arguments too") {
  auto value = std::make_unique<int>(7);
  Function<int(std::unique_ptr<int>)> add = [mine = std::move(value)](std::unique_ptr<int> yours) {
    return *mine + *yours;
  };
  CHECK(add(std::make_unique<int>(1)) == 8);
}

TEST_CASE("a Function keeps its callable's state between calls") {
  Function<int()> next = [count = 0]() mutable { return ++count; };
  CHECK(next() == 1);
  CHECK(next() == 2);
  Function<int()> moved = std::move(next);
  CHECK(moved() == 3);
}

TEST_CASE("a small callable lies in the Function, a large one beside it") {
  Function<const void*()> small = [here = 0] { return static_cast<const void*>(&here); };
  CHECK(holds(small, small()));
  Function<const void*()> large = [here = std::array<char, 256>{}] {
    return static_cast<const void*>(&here);
  };
  CHECK_FALSE(holds(large, large()));
}

TEST_CASE("a callable of exactly inline_size bytes needs no allocation, one byte more does") {
  Function<const void*()> fits = [here = std::array<char, Function<void()>::inline_size>{}] {
    return static_cast<const void*>(&here);
  };
  CHECK(holds(fits, fits()));
  Function<const void*()> spills = [here = std::array<char, Function<void()>::inline_size + 1>{}] {
    return static_cast<const void*>(&here);
  };
  CHECK_FALSE(holds(spills, spills()));
}

TEST_CASE("a large callable does not move when its Function does") {
  Function<const void*()> large = [here = std::array<char, 256>{}] {
    return static_cast<const void*>(&here);
  };
  const void* before = large();
  Function<const void*()> moved = std::move(large);
  CHECK(moved() == before);
}

TEMPLATE_TEST_CASE("a callable is destroyed exactly once", "", Small, Large) {
  int live = 0;
  {
    Function<int()> first = TestType(live);
    CHECK(live == 1);
    Function<int()> second = std::move(first);
    CHECK(live == 1);
    first = std::move(second);
    CHECK(live == 1);
    CHECK(first() == 1);
  }
  CHECK(live == 0);
}

TEMPLATE_TEST_CASE("assigning another callable, or nullptr, destroys the old one at once", "", Small, Large) {
  int old_live = 0;
  int new_live = 0;
  Function<int()> function = TestType(old_live);
  function = TestType(new_live);
  CHECK(old_live == 0);
  CHECK(new_live == 1);
  function = nullptr;
  CHECK(new_live == 0);
  CHECK_FALSE(function);
}

TEST_CASE("assigning a Function to itself changes nothing") {
  int live = 0;
  Function<int()> function = Small(live);
  auto& same = function;
  function = std::move(same);
  CHECK(function);
  CHECK(live == 1);
}

TEST_CASE("what the callable throws reaches the caller, and the Function stays usable") {
  Function<int(bool)> function = [](bool fail) {
    if (fail) throw std::runtime_error("as asked");
    return 1;
  };
  CHECK_THROWS_AS(function(true), std::runtime_error);
  CHECK(function(false) == 1);
}

TEST_CASE(
    "a callable whose move constructor throws is not kept inline, so moving the Function cannot throw") {
  struct Fragile {
    Fragile() = default;
    Fragile(Fragile&& other) : armed(other.armed) {
      if (armed) throw std::runtime_error("moved");
    }
    Fragile(const Fragile&) = delete;
    Fragile& operator=(const Fragile&) = delete;
    Fragile& operator=(Fragile&&) = delete;
    ~Fragile() = default;
    int operator()() {
      armed = true;
      return 1;
    }
    bool armed = false;
  };
  Function<int()> function = Fragile();
  CHECK(function() == 1);  // From here on a move of the callable would throw.
  Function<int()> moved = std::move(function);
  CHECK(moved() == 1);
}

TEST_CASE("a constructor that throws leaves nothing behind") {
  int live = 0;
  struct Bomb : Counted {
    using Counted::Counted;
    Bomb(Bomb&& other) : Counted(std::move(other)) { throw std::runtime_error("moved"); }
  };
  CHECK_THROWS_AS((Function<int()>(Bomb(live))), std::runtime_error);
  CHECK(live == 0);
}

TEST_CASE("a callable of strict alignment is aligned") {
  struct alignas(64) Line {
    const void* operator()() const { return this; }
    std::array<char, 64> bytes{};
  };
  Function<const void*()> function = Line{};
  CHECK(reinterpret_cast<std::uintptr_t>(function()) % 64 == 0);
}

TEST_CASE("plain functions and function objects by name are taken") {
  struct Twice {
    int operator()(int value) const { return 2 * value; }
  };
  const Twice twice;
  Function<int(int)> from_object = twice;
  CHECK(from_object(4) == 8);
  Function<int(int)> from_function = +[](int value) { return value + 1; };
  CHECK(from_function(4) == 5);
}

TEST_CASE("a Function of void takes what answers something") {
  int calls = 0;
  ringwire::Function<void()> small = [&] { return ++calls; };
  ringwire::Function<void()> large = [&calls, padding = std::array<char, 100>{}] {
    return calls += padding[0] + 1;
  };
  small();
  large();
  CHECK(calls == 2);
}

}  // namespace
