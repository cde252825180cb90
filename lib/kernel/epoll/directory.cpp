// Read for every message, written when rings open and close; so readers share the lock.
#include "lib/kernel/epoll/directory.hpp"

#include "lib/base/assert.hpp"

#include <fcntl.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <shared_mutex>

namespace ringwire::kernel::epoll {
namespace {

struct Directory {
  std::shared_mutex mutex;
  std::map<int, Inbox*> inboxes;  // Under mutex.
};

Directory& directory() noexcept {
  static Directory instance;  // Of the process, as descriptors are.
  return instance;
}

}  // namespace

void enter_directory(int ring_fd, Inbox& inbox) {
  Directory& all = directory();
  const std::unique_lock lock{all.mutex};
  const bool entered = all.inboxes.emplace(ring_fd, &inbox).second;
  RINGWIRE_ASSERT(entered, "descriptor {} is a ring already", ring_fd);
}

void leave_directory(int ring_fd) noexcept {
  Directory& all = directory();
  const std::unique_lock lock{all.mutex};
  all.inboxes.erase(ring_fd);
}

int post_message(int ring_fd, const Message& message) noexcept {
  Directory& all = directory();
  {
    const std::shared_lock lock{all.mutex};
    if (const auto found = all.inboxes.find(ring_fd); found != all.inboxes.end()) {
      return found->second->post(message);
    }
  }
  return ::fcntl(ring_fd, F_GETFD) < 0 ? -EBADF : -EBADFD;
}

}  // namespace ringwire::kernel::epoll
