// Which inbox belongs to which ring descriptor, for the whole process.
//
// Owns nothing: a ring enters itself when it opens and leaves before it closes. Invariant: nobody posts to an
// inbox that has left; a descriptor used again is another ring's only after that.
#pragma once

#include "lib/kernel/epoll/inbox.hpp"

namespace ringwire::kernel::epoll {

/// A ring can be found from now on. May throw bad_alloc.
void enter_directory(int ring_fd, Inbox& inbox);

/// It cannot any more; when this returns, nobody touches its inbox.
void leave_directory(int ring_fd) noexcept;

/// Leaves a message for a ring, from any thread: 0, -ENOMEM, or as Linux says it: -EBADF for what is no
/// descriptor, -EBADFD for one that is no ring.
[[nodiscard]] int post_message(int ring_fd, const Message& message) noexcept;

}  // namespace ringwire::kernel::epoll
