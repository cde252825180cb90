// Out, and home again.
#include "lib/uring/lender.hpp"

#include "lib/base/assert.hpp"

#include <new>
#include <utility>

namespace ringwire::uring {
namespace {

constexpr std::align_val_t alignment{4096};  // A page: buffers of whole pages share none.

}  // namespace

Lender* Lender::open(std::size_t count, std::size_t size) noexcept {
  void* memory = ::operator new(size, alignment, std::nothrow);
  if (memory == nullptr) return nullptr;
  void* place = ::operator new(sizeof(Lender), std::nothrow);
  if (place == nullptr) {
    ::operator delete(memory, alignment);
    return nullptr;
  }
  return ::new (place) Lender{static_cast<std::byte*>(memory), count};
}

// The first time only: a loop whose handler never takes a buffer pays nothing.
void Lender::prepare() {
  if (loans_ != nullptr) return;
  {
    const std::lock_guard lock{mutex_};
    returned_.reserve(count_);
  }
  auto loans = std::make_unique<Loan[]>(count_);
  for (std::size_t bid = 0; bid < count_; ++bid) {
    loans[bid].free = &Lender::come_home;
    loans[bid].lender = this;
    loans[bid].bid = static_cast<std::uint16_t>(bid);
  }
  loans_ = std::move(loans);
}

Lender::Loan& Lender::begin_loan(std::uint16_t bid, std::uint32_t references) {
  RINGWIRE_ASSERT(bid < count_, "bid {} of {}", bid, count_);
  prepare();

  Loan& loan = loans_[bid];
  loan.references.store(references, std::memory_order_relaxed);
  references_.fetch_add(1, std::memory_order_relaxed);
  return loan;
}

Buffer Lender::lend(std::uint16_t bid, Bytes bytes) {
  return {&begin_loan(bid, 1), bytes};
}

Buffer Lender::share(std::uint16_t bid, Bytes bytes) {
  return {&begin_loan(bid, 2), bytes};
}

Buffer Lender::share_again(std::uint16_t bid, Bytes bytes) noexcept {
  Loan& loan = loans_[bid];
  loan.references.fetch_add(1, std::memory_order_relaxed);
  return {&loan, bytes};
}

Buffer Lender::hand_over(std::uint16_t bid, Bytes bytes) noexcept {
  return {&loans_[bid], bytes};
}

void Lender::drop(std::uint16_t bid) noexcept {
  const Buffer last = hand_over(bid, {});  // Its end is the reference's.
}

void Lender::come_home(Buffer::Storage* storage) noexcept {
  Loan& loan = *static_cast<Loan*>(storage);
  Lender& lender = *loan.lender;
  {
    const std::lock_guard lock{lender.mutex_};
    RINGWIRE_ASSERT(lender.returned_.size() < lender.count_, "bid {} came home twice", loan.bid);
    lender.returned_.push_back(loan.bid);
    lender.has_returned_.store(true, std::memory_order_release);
  }
  lender.release();
}

void Lender::release() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  ::operator delete(static_cast<void*>(memory_), alignment);
  this->~Lender();
  ::operator delete(static_cast<void*>(this));
}

}  // namespace ringwire::uring
