// The program's own operator new: malloc, unless a test wants it to fail. The other forms call these.
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

void* operator new(std::size_t size) {
  using ringwire::test::allowed_left;
  if (allowed_left == 0) throw std::bad_alloc();
  if (allowed_left != ringwire::test::unlimited) --allowed_left;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
