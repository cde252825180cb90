// Operations that can go on: receive and accept again and again, the rest once more.
#include "lib/base/assert.hpp"
#include "lib/kernel/epoll/retry.hpp"
#include "lib/kernel/epoll/ring.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>

namespace ringwire::kernel::epoll {
namespace {

bool is_multishot(const Request& request) noexcept {
  const unsigned bit = request.opcode == IORING_OP_RECV ? IORING_RECV_MULTISHOT : IORING_ACCEPT_MULTISHOT;
  return (request.ioprio & bit) != 0;
}

ssize_t recv_now(int fd, void* target, std::size_t size, int flags) noexcept {
  return uninterrupted([&] { return ::recv(fd, target, size, flags | MSG_DONTWAIT); });
}

int accept_now(const Request& request) noexcept {
  return uninterrupted([&] {
    return ::accept4(request.fd, pointer<sockaddr>(request.addr), pointer<socklen_t>(request.off),
                     static_cast<int>(request.flags_word));
  });
}

}  // namespace

// Each operation that is ready gets one turn; what is still ready after it waits for the next `enter`. With a
// full queue nothing is taken from a socket: it waits there, where its sender can tell.
void Ring::work() noexcept {
  for (std::size_t turns = watches_.ready_count(); turns > 0 && soft_.room() > 0; --turns) {
    Operation* operation = watches_.next_ready();
    if (operation == nullptr) return;
    try_again(*operation);
  }
}

void Ring::try_again(Operation& operation) noexcept {
  RINGWIRE_ASSERT(operation.watch != nullptr);
  switch (operation.task.request.opcode) {
    case IORING_OP_RECV:
      return try_recv(operation);
    case IORING_OP_RECVMSG:
      return try_recvmsg(operation);
    case IORING_OP_ACCEPT:
      return try_accept(operation);
    default:
      break;
  }
  std::optional<int> res;
  try {
    res = try_once(operation.task);
  } catch (const std::bad_alloc&) {
    res = cancelled_result(operation.task);
  }
  if (res) complete(operation, *res);
}

void Ring::try_recv(Operation& operation) noexcept {
  for (unsigned turn = 0; turn < completions_max && soft_.room() > 0; ++turn) {
    if (!recv_once(operation)) return;
  }
  watches_.mark_ready(operation);
}

// False when it has completed or must wait.
bool Ring::recv_once(Operation& operation) noexcept {
  const Request& request = operation.task.request;
  const bool selects = (request.flags & IOSQE_BUFFER_SELECT) != 0;
  std::byte* target = pointer<std::byte>(request.addr);
  std::size_t size = request.len;
  unsigned flags = 0;
  if (selects) {
    const auto buffer = soft_.next_buffer(request.buf_group);
    if (!buffer) return starve(operation);
    target = buffer->memory;
    size = size == 0 ? buffer->size : std::min<std::size_t>(size, buffer->size);
    flags = buffer->cqe_flags();
  }

  const ssize_t received = recv_now(operation.watch->fd, target, size, static_cast<int>(request.flags_word));
  if (received == -EAGAIN) {
    operation.watch->readable = false;
    return false;
  }
  const bool took_buffer = selects && received > 0;
  if (took_buffer) soft_.take_buffer(request.buf_group);
  const std::uint32_t credit = request.file_index;  // `optlen`: bytes it may bring; 0 = no bound.
  if (received > 0) operation.task.received += static_cast<std::size_t>(received);
  const bool is_used_up = credit != 0 && operation.task.received >= credit;
  if (received <= 0 || !is_multishot(request) || is_used_up) {
    complete(operation, static_cast<int>(received), took_buffer ? flags : 0U);
    return false;
  }
  soft_.post(request.user_data, static_cast<int>(received), flags | IORING_CQE_F_MORE);
  if (static_cast<std::size_t>(received) == size || !operation.watch->short_is_all) return true;
  operation.watch->readable = false;
  return false;
}

// No buffer: that ends the operation, but only if there is something to put into one.
bool Ring::starve(Operation& operation) noexcept {
  std::byte first{};
  const ssize_t received = recv_now(operation.watch->fd, &first, 1, MSG_PEEK);
  if (received == -EAGAIN) {
    operation.watch->readable = false;
  } else {
    complete(operation, received > 0 ? -ENOBUFS : static_cast<int>(received));
  }
  return false;
}

void Ring::try_accept(Operation& operation) noexcept {
  const Request& request = operation.task.request;
  for (unsigned turn = 0; turn < completions_max && soft_.room() > 0; ++turn) {
    const int fd = accept_now(request);
    if (fd == -EAGAIN) {
      operation.watch->readable = false;
      return;
    }
    if (fd < 0 || !is_multishot(request)) return complete(operation, fd);
    soft_.post(request.user_data, fd, IORING_CQE_F_MORE);
  }
  watches_.mark_ready(operation);
}

}  // namespace ringwire::kernel::epoll
