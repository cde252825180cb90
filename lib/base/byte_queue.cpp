// When the contiguous queue moves its bytes: never while they are viewed, and never more than were consumed.
#include "lib/base/byte_queue.hpp"

#include "lib/base/assert.hpp"

#include <algorithm>
#include <cstring>

namespace ringwire::base {
namespace {

constexpr std::size_t capacity_min = 256;

}  // namespace

void ByteQueue::append(Bytes bytes) {
  if (bytes.empty()) return;
  RINGWIRE_ASSERT(begin_ <= end_, "[{}, {})", begin_, end_);
  RINGWIRE_ASSERT(end_ <= capacity_, "end {} of {}", end_, capacity_);

  if (bytes.size() > capacity_ - end_) {
    const std::size_t live = size();
    if (begin_ >= live && bytes.size() <= capacity_ - live) {
      // Each byte moved is paid for by one that was consumed since the last move.
      if (live > 0) std::memcpy(buffer_.get(), buffer_.get() + begin_, live);
    } else {
      const std::size_t larger = std::max({capacity_min, capacity_ * 2, live + bytes.size()});
      auto buffer = std::make_unique_for_overwrite<std::byte[]>(larger);
      if (live > 0) std::memcpy(buffer.get(), buffer_.get() + begin_, live);
      buffer_ = std::move(buffer);
      capacity_ = larger;
    }
    begin_ = 0;
    end_ = live;
  }
  std::memcpy(buffer_.get() + end_, bytes.data(), bytes.size());
  end_ += bytes.size();
}

void ByteQueue::consume(std::size_t size) noexcept {
  RINGWIRE_ASSERT(size <= this->size(), "{} of {} bytes", size, this->size());
  begin_ += size;
  // The bytes stay where they are, so views stay readable; the next append starts over.
  if (begin_ == end_) {
    begin_ = 0;
    end_ = 0;
  }
}

void ByteQueue::release() noexcept {
  buffer_.reset();
  capacity_ = 0;
  begin_ = 0;
  end_ = 0;
}

}  // namespace ringwire::base
