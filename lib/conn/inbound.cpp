// In place while it can be, copied when it must be.
#include "lib/conn/inbound.hpp"

#include "lib/base/assert.hpp"

namespace ringwire::conn {
namespace {

// Sees a buffer home, also when there is no memory to copy it to.
class Return {
 public:
  Return(uring::BufferPool& pool, std::uint16_t bid) noexcept : pool_{pool}, bid_{bid} {}
  Return(const Return&) = delete;
  Return& operator=(const Return&) = delete;
  ~Return() { pool_.give_back(bid_); }

 private:
  uring::BufferPool& pool_;
  std::uint16_t bid_;
};

}  // namespace

void Inbound::add(uring::RecvPools& pools, bool large, std::uint16_t bid, std::size_t size) {
  RINGWIRE_ASSERT(size > 0);

  if (this->size() == 0) {
    clear(pools);  // A wholly discarded buffer may still be held.
    held_large_ = large;
    held_bid_ = bid;
    held_begin_ = 0;
    held_end_ = static_cast<std::uint32_t>(size);
    holds_ = true;
    return;
  }
  uring::BufferPool& pool = pools.of(large);
  const Return after_copy{pool, bid};
  if (holds_) keep_held(pools);
  keep(pool.view(bid, size));
}

Bytes Inbound::view(const uring::RecvPools& pools) const noexcept {
  if (holds_) return pools.of(held_large_).view(held_bid_, held_end_).subspan(held_begin_);
  return kept_ != nullptr ? kept_->view() : Bytes{};
}

void Inbound::discard(std::size_t size) noexcept {
  RINGWIRE_ASSERT(size <= this->size(), "discard {} of {}", size, this->size());

  if (holds_) {
    held_begin_ += static_cast<std::uint32_t>(size);
  } else if (size > 0) {
    kept_->consume(size);
  }
}

Buffer Inbound::take(uring::RecvPools& pools, std::size_t size) {
  RINGWIRE_ASSERT(size <= this->size(), "take {} of {}", size, this->size());

  // A few bytes are not worth a whole buffer: it would be missing for as long
  // as they are kept.
  uring::BufferPool& pool = pools.of(held_large_);
  const bool is_rest = holds_ && size == this->size();
  if (is_rest && size * 4 >= pool.buffer_size() && pool.can_lend()) {
    Buffer lent = pool.lend(held_bid_, view(pools));
    holds_ = false;
    held_begin_ = 0;
    held_end_ = 0;
    return lent;
  }
  Buffer copy{view(pools).first(size)};
  discard(size);
  return copy;
}

void Inbound::keep(Bytes bytes) {
  if (kept_ == nullptr) kept_ = std::make_unique<base::ByteQueue>();
  kept_->append(bytes);
}

void Inbound::keep_held(uring::RecvPools& pools) {
  RINGWIRE_ASSERT(holds_);
  RINGWIRE_ASSERT(kept_ == nullptr || kept_->empty());

  const Bytes rest = view(pools);
  holds_ = false;
  const Return after_copy{pools.of(held_large_), held_bid_};
  keep(rest);
}

void Inbound::settle(uring::RecvPools& pools) {
  if (size() == 0) return clear(pools);
  if (!holds_) return;
  keep_held(pools);
}

void Inbound::clear(uring::RecvPools& pools) noexcept {
  if (holds_) pools.of(held_large_).give_back(held_bid_);
  holds_ = false;
  held_begin_ = 0;
  held_end_ = 0;
  kept_.reset();
}

}  // namespace ringwire::conn
