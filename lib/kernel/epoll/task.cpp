// Tries that never wait: send, sendmsg, connect, read.
//
// Sockets stay blocking, as their owner made them; each call says for itself that it does not wait.
#include "lib/kernel/epoll/task.hpp"

#include "lib/base/assert.hpp"
#include "lib/kernel/epoll/retry.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ringwire::kernel::epoll {
namespace {

int send_flags(const Request& request) noexcept {
  return static_cast<int>((request.flags_word & ~unsigned{MSG_WAITALL}) | MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t send_piece(const Task& task) noexcept {
  const Request& request = task.request;
  return uninterrupted([&] {
    return ::send(request.fd, pointer<const std::byte>(request.addr) + task.done, request.len - task.done,
                  send_flags(request));
  });
}

ssize_t send_message(const Task& task) noexcept {
  const msghdr* message =
      task.kept != nullptr ? &task.kept->message : pointer<const msghdr>(task.request.addr);
  return uninterrupted([&] { return ::sendmsg(task.request.fd, message, send_flags(task.request)); });
}

std::size_t bytes_left(const msghdr& message) noexcept {
  std::size_t size = 0;
  for (std::size_t index = 0; index < message.msg_iovlen; ++index) size += message.msg_iov[index].iov_len;
  return size;
}

// Takes what was sent off the front of a kept message.
void skip(msghdr& message, std::size_t sent) noexcept {
  while (message.msg_iovlen > 0 && sent >= message.msg_iov->iov_len) {
    sent -= message.msg_iov->iov_len;
    ++message.msg_iov;
    --message.msg_iovlen;
  }
  if (sent == 0) return;
  RINGWIRE_ASSERT(message.msg_iovlen > 0);
  message.msg_iov->iov_base = static_cast<std::byte*>(message.msg_iov->iov_base) + sent;
  message.msg_iov->iov_len -= sent;
}

// A failure after some bytes left is told by their number; the next send will learn the reason.
int failed(const Task& task, ssize_t result) noexcept {
  return static_cast<int>(task.done > 0 ? static_cast<ssize_t>(task.done) : result);
}

std::optional<int> try_send(Task& task) noexcept {
  for (;;) {
    const ssize_t sent = send_piece(task);
    if (sent < 0) return sent == -EAGAIN ? std::nullopt : std::optional{failed(task, sent)};
    task.done += static_cast<std::size_t>(sent);
    if (sent == 0 || task.done == task.request.len || !wants_all(task.request)) {
      return static_cast<int>(task.done);
    }
  }
}

std::optional<int> try_sendmsg(Task& task) {
  for (;;) {
    const msghdr& message =
        task.kept != nullptr ? task.kept->message : *pointer<const msghdr>(task.request.addr);
    const std::size_t left = bytes_left(message);
    const ssize_t sent = send_message(task);
    if (sent < 0) return sent == -EAGAIN ? std::nullopt : std::optional{failed(task, sent)};
    task.done += static_cast<std::size_t>(sent);
    if (sent == 0 || static_cast<std::size_t>(sent) == left || !wants_all(task.request)) {
      return static_cast<int>(task.done);
    }
    if (task.kept == nullptr) keep(task);
    skip(task.kept->message, static_cast<std::size_t>(sent));
  }
}

std::optional<int> try_connect(Task& task) noexcept {
  const Request& request = task.request;
  const auto* name =
      task.kept != nullptr ? static_cast<const void*>(&task.kept->name) : pointer<const void>(request.addr);
  if (!task.unblocked) {
    const int flags = ::fcntl(request.fd, F_GETFL);
    if (flags < 0) return -errno;
    task.unblocked = (flags & O_NONBLOCK) == 0 && ::fcntl(request.fd, F_SETFL, flags | O_NONBLOCK) == 0;
  }
  // Asked again after an event, a connect under way answers how it ended.
  const int result = uninterrupted([&] {
    return ::connect(request.fd, static_cast<const sockaddr*>(name), static_cast<socklen_t>(request.off));
  });
  if (result == -EINPROGRESS || result == -EALREADY) return std::nullopt;
  restore_blocking(task);
  return result;
}

// Asked first whether it would wait: events and signals have no flag for one call.
std::optional<int> try_read(Task& task) noexcept {
  pollfd look{task.request.fd, POLLIN, 0};
  if (::poll(&look, 1, 0) == 0) return std::nullopt;
  const ssize_t size = uninterrupted(
      [&] { return ::read(task.request.fd, pointer<void>(task.request.addr), task.request.len); });
  return size == -EAGAIN ? std::nullopt : std::optional{static_cast<int>(size)};
}

}  // namespace

std::optional<int> try_once(Task& task) {
  switch (task.request.opcode) {
    case IORING_OP_SEND:
      return try_send(task);
    case IORING_OP_SENDMSG:
      return try_sendmsg(task);
    case IORING_OP_CONNECT:
      return try_connect(task);
    default:
      RINGWIRE_ASSERT(task.request.opcode == IORING_OP_READ, "opcode {}", task.request.opcode);
      return try_read(task);
  }
}

int cancelled_result(const Task& task) noexcept {
  return failed(task, -ECANCELED);
}

void keep(Task& task) {
  if (task.kept != nullptr) return;
  const Request& request = task.request;
  if (request.opcode == IORING_OP_CONNECT) {
    task.kept = std::make_unique<Task::Kept>();
    std::memcpy(&task.kept->name, pointer<const void>(request.addr), request.off);
  }
  if (request.opcode == IORING_OP_RECVMSG) {  // Only says how much room a name and control messages have.
    task.kept = std::make_unique<Task::Kept>();
    task.kept->message.msg_namelen = pointer<const msghdr>(request.addr)->msg_namelen;
    task.kept->message.msg_controllen = pointer<const msghdr>(request.addr)->msg_controllen;
  }
  if (request.opcode == IORING_OP_SENDMSG) {
    auto kept = std::make_unique<Task::Kept>();
    kept->message = *pointer<const msghdr>(request.addr);
    msghdr& message = kept->message;
    kept->pieces.assign(message.msg_iov, message.msg_iov + message.msg_iovlen);
    message.msg_iov = kept->pieces.data();
    if (message.msg_name != nullptr) {
      message.msg_namelen = std::min<socklen_t>(message.msg_namelen, sizeof(kept->name));
      message.msg_name = std::memcpy(&kept->name, message.msg_name, message.msg_namelen);
    }
    if (message.msg_controllen > 0) {
      const auto* control = static_cast<const std::byte*>(message.msg_control);
      kept->control.assign(control, control + message.msg_controllen);
      message.msg_control = kept->control.data();
    }
    task.kept = std::move(kept);
  }
}

void restore_blocking(Task& task) noexcept {
  if (!task.unblocked) return;
  task.unblocked = false;
  const int flags = ::fcntl(task.request.fd, F_GETFL);
  if (flags >= 0) ::fcntl(task.request.fd, F_SETFL, flags & ~O_NONBLOCK);
}

void set_non_blocking(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

}  // namespace ringwire::kernel::epoll
