// The program's own operator new: malloc, unless a test wants it to fail.
//
// Every form without alignment stands here: a sanitizer's runtime brings all of them, and what one of its
// forms allocated (std::stable_sort uses the nothrow one) must not end in our delete.
#include "tests/conn/failing_new.hpp"

#include <cstdint>
#include <cstdlib>
#include <new>

namespace ringwire::test {
namespace {

constexpr std::size_t unlimited = SIZE_MAX;

thread_local std::size_t allowed_left = unlimited;

}  // namespace

FailingNew::FailingNew(std::size_t allowed) noexcept {
  allowed_left = allowed;
}

FailingNew::~FailingNew() {
  allowed_left = unlimited;
}

}  // namespace ringwire::test

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  using ringwire::test::allowed_left;
  if (allowed_left == 0) return nullptr;
  if (allowed_left != ringwire::test::unlimited) --allowed_left;
  return std::malloc(size == 0 ? 1 : size);
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
