// Which requests are known: those the reactor makes, with the flags it sets; the rest is EINVAL, as it is to
// a kernel that is older than the request.
#include "lib/kernel/epoll/task.hpp"

#include <cerrno>
#include <cstddef>

namespace ringwire::kernel::epoll {
namespace {

constexpr unsigned common_flags = IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_CQE_SKIP_SUCCESS;
constexpr unsigned recv_bits = IORING_RECV_MULTISHOT | IORING_RECVSEND_POLL_FIRST;
constexpr std::size_t control_size_most = 64;
constexpr unsigned cancel_bits = IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ANY;

bool has_only(unsigned value, unsigned known) noexcept {
  return (value & ~known) == 0;
}

bool check_recv(const Request& request) noexcept {
  const bool selects = (request.flags & IOSQE_BUFFER_SELECT) != 0;
  const bool multishot = (request.ioprio & IORING_RECV_MULTISHOT) != 0;
  if (!has_only(request.ioprio, recv_bits)) return false;
  if (request.file_index != 0 && !multishot) return false;  // The bytes a multishot may bring (`optlen`).
  if (wants_all(request)) return false;                     // One receive is one recv(2) here.
  return !multishot || (selects && request.len == 0);
}

bool check_accept(const Request& request) noexcept {
  return has_only(request.ioprio, IORING_ACCEPT_MULTISHOT) && request.file_index == 0 && request.len == 0 &&
         has_only(request.flags_word, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

bool check_send(const Request& request) noexcept {
  return has_only(request.ioprio, IORING_RECVSEND_POLL_FIRST) && request.file_index == 0;
}

// Control data that is copied when it must wait: a note or two, no descriptors.
bool check_sendmsg(const Request& request) noexcept {
  if (!check_send(request) || request.addr == 0) return false;
  const auto* message = reinterpret_cast<const msghdr*>(static_cast<std::uintptr_t>(request.addr));
  return message->msg_controllen <= control_size_most;
}

bool check_connect(const Request& request) noexcept {
  return request.ioprio == 0 && request.len == 0 && request.file_index == 0 &&
         request.off <= sizeof(sockaddr_storage);
}

// Multishot, into provided buffers: what the reactor asks for.
bool check_recvmsg(const Request& request) noexcept {
  if (request.ioprio != IORING_RECV_MULTISHOT || request.file_index != 0 || request.addr == 0) return false;
  if ((request.flags & IOSQE_BUFFER_SELECT) == 0 || !has_only(request.flags_word, MSG_TRUNC)) return false;
  const auto* message = reinterpret_cast<const msghdr*>(static_cast<std::uintptr_t>(request.addr));
  return message->msg_controllen <= control_size_most && message->msg_namelen <= sizeof(sockaddr_storage);
}

// At the current position, which is all that pipes, sockets and events have.
bool check_read(const Request& request) noexcept {
  return request.ioprio == 0 && request.off == UINT64_MAX && request.flags_word == 0;
}

bool check_operation(const Request& request) noexcept {
  switch (request.opcode) {
    case IORING_OP_NOP:
      return true;
    case IORING_OP_RECV:
      return check_recv(request);
    case IORING_OP_ACCEPT:
      return check_accept(request);
    case IORING_OP_SEND:
      return check_send(request);
    case IORING_OP_SENDMSG:
      return check_sendmsg(request);
    case IORING_OP_RECVMSG:
      return check_recvmsg(request);
    case IORING_OP_CONNECT:
      return check_connect(request);
    case IORING_OP_READ:
      return check_read(request);
    case IORING_OP_ASYNC_CANCEL:
      return request.ioprio == 0 && has_only(request.flags_word, cancel_bits);
    case IORING_OP_CLOSE:
      return request.ioprio == 0 && request.file_index == 0;
    case IORING_OP_MSG_RING:
      return request.addr == IORING_MSG_DATA && request.ioprio == 0 && request.flags_word == 0;
    default:
      return false;
  }
}

}  // namespace

int check(const Request& request) noexcept {
  const bool receives = request.opcode == IORING_OP_RECV || request.opcode == IORING_OP_RECVMSG;
  const unsigned selects = receives ? IOSQE_BUFFER_SELECT : 0U;
  return has_only(request.flags, common_flags | selects) && check_operation(request) ? 0 : -EINVAL;
}

bool is_reader(const Request& request) noexcept {
  return request.opcode == IORING_OP_RECV || request.opcode == IORING_OP_RECVMSG ||
         request.opcode == IORING_OP_ACCEPT || request.opcode == IORING_OP_READ;
}

bool wants_all(const Request& request) noexcept {
  return (request.flags_word & MSG_WAITALL) != 0;
}

}  // namespace ringwire::kernel::epoll
