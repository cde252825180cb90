// Makes allocations of this program fail when a test says so.
#pragma once

#include <cstddef>

namespace ringwire::test {

/// While it lives, this thread's allocations beyond the next `allowed` throw std::bad_alloc.
class FailingNew {
 public:
  explicit FailingNew(std::size_t allowed = 0) noexcept;
  FailingNew(const FailingNew&) = delete;
  FailingNew& operator=(const FailingNew&) = delete;
  ~FailingNew();
};

}  // namespace ringwire::test
