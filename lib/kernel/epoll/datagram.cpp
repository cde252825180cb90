// Receiving datagrams again and again, each into a buffer laid out as Linux does it: a head, room for the
// sender's name and for control messages, the payload.
#include "lib/kernel/epoll/retry.hpp"
#include "lib/kernel/epoll/ring.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ringwire::kernel::epoll {
namespace {

std::size_t size_of_head(const msghdr& shape) noexcept {
  return sizeof(io_uring_recvmsg_out) + shape.msg_namelen + shape.msg_controllen;
}

// Receives one datagram behind the head of `buffer`, and writes the head. Answers the datagram's length, or
// -errno; `written` is what the buffer has then.
ssize_t receive(int fd, const SoftBuffer& buffer, const msghdr& shape, int flags,
                std::size_t& written) noexcept {
  const std::size_t head_size = size_of_head(shape);
  const std::size_t room = buffer.size - head_size;
  iovec piece{buffer.memory + head_size, room};
  msghdr message{};
  message.msg_name = buffer.memory + sizeof(io_uring_recvmsg_out);
  message.msg_namelen = shape.msg_namelen;
  message.msg_control = buffer.memory + sizeof(io_uring_recvmsg_out) + shape.msg_namelen;
  message.msg_controllen = shape.msg_controllen;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  const ssize_t received = uninterrupted([&] { return ::recvmsg(fd, &message, flags | MSG_DONTWAIT); });
  if (received < 0) return received;

  io_uring_recvmsg_out head{};
  head.namelen = message.msg_namelen;
  head.controllen = static_cast<std::uint32_t>(message.msg_controllen);
  head.payloadlen = static_cast<std::uint32_t>(received);
  head.flags = static_cast<std::uint32_t>(message.msg_flags);
  std::memcpy(buffer.memory, &head, sizeof(head));
  written = head_size + std::min(room, static_cast<std::size_t>(received));
  return received;
}

}  // namespace

void Ring::try_recvmsg(Operation& operation) noexcept {
  for (unsigned turn = 0; turn < completions_max && soft_.room() > 0; ++turn) {
    if (!recvmsg_once(operation)) return;
  }
  watches_.mark_ready(operation);
}

// False when it has completed or must wait.
bool Ring::recvmsg_once(Operation& operation) noexcept {
  const Request& request = operation.task.request;
  const auto buffer = soft_.next_buffer(request.buf_group);
  if (!buffer) return starve_recvmsg(operation), false;
  const msghdr& shape = operation.task.kept->message;
  if (buffer->size < size_of_head(shape)) return complete(operation, -EFAULT), false;

  std::size_t written = 0;
  const ssize_t received =
      receive(operation.watch->fd, *buffer, shape, static_cast<int>(request.flags_word), written);
  if (received == -EAGAIN) {
    operation.watch->readable = false;
    return false;
  }
  if (received < 0) return complete(operation, static_cast<int>(received)), false;

  soft_.take_buffer(request.buf_group);
  const int res = static_cast<int>(written);
  // A datagram of no bytes ends the operation, in Linux too.
  if (received == 0) return complete(operation, res, buffer->cqe_flags()), false;
  soft_.post(request.user_data, res, buffer->cqe_flags() | IORING_CQE_F_MORE);
  return true;
}

// No buffer: that ends the operation, but only if there is a datagram to put into one.
void Ring::starve_recvmsg(Operation& operation) noexcept {
  std::byte first{};
  const ssize_t received = uninterrupted(
      [&] { return ::recv(operation.watch->fd, &first, sizeof(first), MSG_PEEK | MSG_DONTWAIT); });
  if (received == -EAGAIN) {
    operation.watch->readable = false;
    return;
  }
  complete(operation, received >= 0 ? -ENOBUFS : static_cast<int>(received));
}

}  // namespace ringwire::kernel::epoll
