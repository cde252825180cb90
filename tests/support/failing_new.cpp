// The program's own operator new: malloc, unless it is this allocation's turn to fail.
//
// Every form without alignment stands here: a sanitizer's runtime brings all of them, and what one of its
// forms allocated (std::stable_sort uses the nothrow one) must not end in our delete.
#include "tests/support/failing_new.hpp"

#include <cstdlib>
#include <new>
#include <utility>

namespace ringwire::test {
namespace {

bool counts = false;
std::uint64_t counted = 0;
std::uint64_t failing_from = UINT64_MAX;
bool failing_for_good = false;

bool is_its_turn() noexcept {
  if (!counts) return false;
  const std::uint64_t number = counted++;
  return number == failing_from || (failing_for_good && number > failing_from);
}

}  // namespace

void fail_allocation(std::uint64_t nth, bool for_good) noexcept {
  counted = 0;
  failing_from = nth;
  failing_for_good = for_good;
}

std::uint64_t allocations_count() noexcept {
  return counted;
}

Counting::Counting(bool counted_now) noexcept : before_{std::exchange(counts, counted_now)} {}

Counting::~Counting() {
  counts = before_;
}

}  // namespace ringwire::test

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return ringwire::test::is_its_turn() ? nullptr : std::malloc(size == 0 ? 1 : size);
}

void* operator new(std::size_t size) {
  void* memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* operator new[](std::size_t size) {
  return operator new(size);
}

void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, std::nothrow);
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}

void operator delete[](void* memory) noexcept {
  std::free(memory);
}

void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
