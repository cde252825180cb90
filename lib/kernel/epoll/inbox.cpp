// One lock, held for moments; the owner looks at a flag before he takes it.
#include "lib/kernel/epoll/inbox.hpp"

#include "lib/base/assert.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <utility>

namespace ringwire::kernel::epoll {

Inbox::~Inbox() {
  if (bell_ >= 0) ::close(bell_);
}

int Inbox::open() noexcept {
  RINGWIRE_ASSERT(bell_ < 0);
  bell_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return bell_ < 0 ? -errno : 0;
}

int Inbox::post(const Message& message) noexcept {
  const std::lock_guard lock{mutex_};
  try {
    messages_.push_back(message);
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
  has_messages_.store(true, std::memory_order_release);
  if (std::exchange(asleep_, false)) {
    const std::uint64_t one = 1;
    // Cannot fail: the count, which nobody reads, would need centuries to be full.
    [[maybe_unused]] const ssize_t written = ::write(bell_, &one, sizeof(one));
  }
  return 0;
}

void Inbox::take(std::vector<Message>& out) noexcept {
  RINGWIRE_ASSERT(out.empty());
  if (!has_messages_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock{mutex_};
  messages_.swap(out);
  has_messages_.store(false, std::memory_order_relaxed);
}

bool Inbox::fall_asleep() noexcept {
  const std::lock_guard lock{mutex_};
  RINGWIRE_ASSERT(!asleep_);
  asleep_ = messages_.empty();
  return asleep_;
}

void Inbox::wake_up() noexcept {
  const std::lock_guard lock{mutex_};
  asleep_ = false;
}

}  // namespace ringwire::kernel::epoll
