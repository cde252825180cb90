// One function per request: fills the SQE that `Ring::next_sqe` cleared and tagged.
//
// Our own instead of liburing's, so that flags newer than the installed headers can be used. Leaves to
// others: user_data.
#pragma once

#include <ringwire/bytes.hpp>

#include <liburing.h>
#include <sys/socket.h>

#include <cstdint>
#include <span>

namespace ringwire::uring {

/// The kernel's word for a pointer.
[[nodiscard]] inline std::uint64_t to_u64(const void* pointer) noexcept {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

/// accept4(2) again and again: a CQE per connection, its descriptor in res. Linux 5.19.
inline void prep_accept_multishot(io_uring_sqe& sqe, int fd) noexcept {
  sqe.opcode = IORING_OP_ACCEPT;
  sqe.fd = fd;
  sqe.accept_flags = SOCK_CLOEXEC;
  sqe.ioprio = IORING_ACCEPT_MULTISHOT;
}

/// accept4(2) once.
inline void prep_accept(io_uring_sqe& sqe, int fd) noexcept {
  sqe.opcode = IORING_OP_ACCEPT;
  sqe.fd = fd;
  sqe.accept_flags = SOCK_CLOEXEC;
}

/// connect(2). The name is copied at submission; until then it must stay.
inline void prep_connect(io_uring_sqe& sqe, int fd, const sockaddr_storage& name, socklen_t size) noexcept {
  sqe.opcode = IORING_OP_CONNECT;
  sqe.fd = fd;
  sqe.addr = to_u64(&name);
  sqe.off = size;
}

/// recv(2) again and again, each time into a buffer of `bgid`. With `poll_first` it waits for data before it
/// looks for a buffer: with none free it would end at once otherwise. Linux 6.0. It ends when it has brought
/// `credit` bytes, 0 = never for that; older kernels than 6.17 answer EINVAL to anything but 0.
inline void prep_recv_multishot(io_uring_sqe& sqe, int fd, std::uint16_t bgid, bool poll_first,
                                std::uint32_t credit = 0) noexcept {
  sqe.opcode = IORING_OP_RECV;
  sqe.fd = fd;
  sqe.flags = IOSQE_BUFFER_SELECT;
  sqe.buf_group = bgid;
  sqe.ioprio =
      static_cast<std::uint16_t>(IORING_RECV_MULTISHOT | (poll_first ? IORING_RECVSEND_POLL_FIRST : 0U));
  sqe.file_index = credit;  // The place of `optlen`, which older headers do not name.
}

/// recv(2) once, into a buffer of `bgid`, when there is something to receive: with no buffer free it does not
/// end at once. Not multishot: one that polls first and finds bytes with a reset behind them answers the
/// bytes and is never woken for the reset (seen on Linux 6.18).
inline void prep_recv_when_ready(io_uring_sqe& sqe, int fd, std::uint16_t bgid) noexcept {
  sqe.opcode = IORING_OP_RECV;
  sqe.fd = fd;
  sqe.flags = IOSQE_BUFFER_SELECT;
  sqe.buf_group = bgid;
  sqe.ioprio = IORING_RECVSEND_POLL_FIRST;
}

/// recvmsg(2) again and again, each time into a buffer of `bgid`, laid out as received.hpp says. `message`
/// only says how much room the sender's name and control messages have; it must stay until submitted. A
/// datagram that is cut tells how long it was. One of no bytes ends the operation. Linux 6.0.
inline void prep_recvmsg_multishot(io_uring_sqe& sqe, int fd, const msghdr& message,
                                   std::uint16_t bgid) noexcept {
  sqe.opcode = IORING_OP_RECVMSG;
  sqe.fd = fd;
  sqe.addr = to_u64(&message);
  sqe.len = 1;
  sqe.flags = IOSQE_BUFFER_SELECT;
  sqe.buf_group = bgid;
  sqe.ioprio = IORING_RECV_MULTISHOT;
  sqe.msg_flags = MSG_TRUNC;
}

/// send(2) of one piece, in full unless the connection fails. The bytes must stay until it completes.
inline void prep_send(io_uring_sqe& sqe, int fd, Bytes bytes) noexcept {
  sqe.opcode = IORING_OP_SEND;
  sqe.fd = fd;
  sqe.addr = to_u64(bytes.data());
  sqe.len = static_cast<std::uint32_t>(bytes.size());
  sqe.msg_flags = MSG_WAITALL | MSG_NOSIGNAL;
}

/// sendmsg(2), in full unless the connection fails. `message` must stay until submitted, its bytes until it
/// completes.
inline void prep_sendmsg(io_uring_sqe& sqe, int fd, const msghdr& message) noexcept {
  sqe.opcode = IORING_OP_SENDMSG;
  sqe.fd = fd;
  sqe.addr = to_u64(&message);
  sqe.len = 1;
  sqe.msg_flags = MSG_WAITALL | MSG_NOSIGNAL;
}

/// sendmsg(2) of one datagram, or of several with UDP_SEGMENT. `message` must stay until submitted, its bytes
/// and its control message until it completes.
inline void prep_send_datagram(io_uring_sqe& sqe, int fd, const msghdr& message) noexcept {
  sqe.opcode = IORING_OP_SENDMSG;
  sqe.fd = fd;
  sqe.addr = to_u64(&message);
  sqe.len = 1;
  sqe.msg_flags = MSG_NOSIGNAL;
}

/// Lets a send complete with a part, as soon as the kernel has taken one, instead of in full.
inline void allow_short(io_uring_sqe& sqe) noexcept {
  sqe.msg_flags &= ~static_cast<std::uint32_t>(MSG_WAITALL);
}

/// read(2) of a descriptor without a position. `target` must stay until it completes.
inline void prep_read(io_uring_sqe& sqe, int fd, std::span<std::byte> target) noexcept {
  sqe.opcode = IORING_OP_READ;
  sqe.fd = fd;
  sqe.addr = to_u64(target.data());
  sqe.len = static_cast<std::uint32_t>(target.size());
  sqe.off = UINT64_MAX;  // The current position.
}

/// Cancels the one operation with this user_data. Its own CQE still comes. Linux 5.5.
inline void prep_cancel(io_uring_sqe& sqe, std::uint64_t user_data) noexcept {
  sqe.opcode = IORING_OP_ASYNC_CANCEL;
  sqe.fd = -1;
  sqe.addr = user_data;
}

/// Cancels all operations on a descriptor; answers how many; 0 when there are none (-ENOENT without ALL).
/// Linux 5.19.
inline void prep_cancel_fd(io_uring_sqe& sqe, int fd) noexcept {
  sqe.opcode = IORING_OP_ASYNC_CANCEL;
  sqe.fd = fd;
  sqe.cancel_flags = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL;
}

/// Cancels all operations of the ring; answers how many; 0 when there are none (-ENOENT without ALL).
/// Linux 5.19.
inline void prep_cancel_all(io_uring_sqe& sqe) noexcept {
  sqe.opcode = IORING_OP_ASYNC_CANCEL;
  sqe.fd = -1;
  sqe.cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
}

/// close(2).
inline void prep_close(io_uring_sqe& sqe, int fd) noexcept {
  sqe.opcode = IORING_OP_CLOSE;
  sqe.fd = fd;
}

/// Posts a CQE with `user_data` and `res` to another ring. Linux 5.18.
inline void prep_message(io_uring_sqe& sqe, int ring_fd, std::uint64_t user_data,
                         std::uint32_t res) noexcept {
  sqe.opcode = IORING_OP_MSG_RING;
  sqe.fd = ring_fd;
  sqe.off = user_data;
  sqe.len = res;
}

/// Makes the next SQE wait for this one, whatever its result. Both must go out in one submit. Linux 5.5.
inline void link_hard(io_uring_sqe& sqe) noexcept {
  sqe.flags |= IOSQE_IO_HARDLINK;
}

}  // namespace ringwire::uring
