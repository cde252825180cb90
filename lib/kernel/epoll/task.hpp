// A request being carried out: what was asked, how far it got, and copies of what the submitter may reuse.
//
// Leaves to others: waiting and completing. Invariant: a task that waits owns all it reads but the bytes
// themselves, as io_uring promises (IORING_FEAT_SUBMIT_STABLE).
#pragma once

#include "lib/kernel/soft_ring.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace ringwire::kernel::epoll {

/// What a request's 64-bit field points to.
template <typename T>
[[nodiscard]] T* pointer(std::uint64_t address) noexcept {
  return reinterpret_cast<T*>(static_cast<std::uintptr_t>(address));
}

/// A request and its progress.
struct Task {
  /// What a request points to and the submitter may change once it was submitted.
  struct Kept {
    sockaddr_storage name{};
    msghdr message{};
    std::vector<iovec> pieces;
    std::vector<std::byte> control;
  };

  Request request;
  /// Bytes sent so far.
  std::size_t done = 0;
  /// Bytes a multishot has received so far.
  std::size_t received = 0;
  /// The descriptor was made non-blocking for the time of a connect.
  bool unblocked = false;
  std::unique_ptr<Kept> kept;
};

/// 0 for a request we know, with flags we know; -EINVAL for any other. Looks at nothing but the request, so
/// that one on descriptor -1 tells what is known.
[[nodiscard]] int check(const Request& request) noexcept;

/// True for operations that wait until there is something to read (or accept); the others wait for room.
[[nodiscard]] bool is_reader(const Request& request) noexcept;

/// True for MSG_WAITALL: all bytes, or a failure.
[[nodiscard]] bool wants_all(const Request& request) noexcept;

/// One try of a send, sendmsg, connect or read, as far as it goes without waiting: its result, or nothing
/// when it must wait. May throw bad_alloc, once all that was sent is in `done`.
[[nodiscard]] std::optional<int> try_once(Task& task);

/// What an operation that is called off answers: -ECANCELED, or what it has sent already.
[[nodiscard]] int cancelled_result(const Task& task) noexcept;

/// Copies what the request points to. Once, before the task waits. May throw bad_alloc.
void keep(Task& task);

/// Undoes `unblocked`.
void restore_blocking(Task& task) noexcept;

/// Sees to it that an accept on this listener never blocks: a client may vanish between the event and the
/// accept.
void set_non_blocking(int fd) noexcept;

}  // namespace ringwire::kernel::epoll
