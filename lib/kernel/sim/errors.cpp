// The table. Sources, row by row: send(2), recv(2), accept(2), connect(2), readv(2) with read(2), close(2),
// io_uring_prep_cancel(3), io_uring_prep_msg_ring(3), and for all of them io_uring_enter(2), CQE ERRORS.
//
// tcp(7) lets a send, a receive and a connect answer "the last received error on this connection" and what
// ip(7) defines: for these three the network errors that accept(2) lists are in the table too.
//
// Datagrams (sendmsg, and recvmsg alone): "All fatal errors will be passed to the user as an error
// return even when the socket is not connected", udp(7): the network errors; EPERM of a packet filter, ip(7).
//
// Not from those pages: ECANCELED (io_uring_cancelation(7), liburing 2.15), ECONNRESET of recv and connect
// (recv(3p), connect(3p)), ENOMEM of read, EAGAIN and EINTR of msg_ring.
//
// Left out, bugs of ours and assertions: EBADF of close; EINVAL and EBADF of async_cancel. Those that end a
// listener or a datagram socket's receiving have lists of their own in tests/sim/errno_matrix.cpp.
#include "lib/kernel/sim/errors.hpp"

#include <liburing.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace ringwire::kernel::sim {
namespace {

constexpr std::array sendmsg_errors{
    EINTR,       EAGAIN,   ENOMEM,    ECANCELED,    ECONNRESET,   EPIPE,       ENOBUFS,
    EACCES,      EALREADY, EBADF,     EDESTADDRREQ, EFAULT,       EINVAL,      EISCONN,
    EMSGSIZE,    ENOTCONN, ENOTSOCK,  EOPNOTSUPP,   ECONNREFUSED, EHOSTDOWN,   ENONET,
    ENOPROTOOPT, EPROTO,   ETIMEDOUT, EHOSTUNREACH, ENETDOWN,     ENETUNREACH, EPERM};
constexpr std::array recv_errors{EINTR,       EAGAIN,     ENOMEM,    ECANCELED,    ECONNRESET,  ETIMEDOUT,
                                 ENOBUFS,     EBADF,      EFAULT,    ECONNREFUSED, EINVAL,      ENOTCONN,
                                 ENOTSOCK,    EACCES,     EHOSTDOWN, ENETDOWN,     ENETUNREACH, ENONET,
                                 ENOPROTOOPT, EOPNOTSUPP, EPROTO,    EHOSTUNREACH, EPIPE};
constexpr std::array recvmsg_errors{EINTR,        EAGAIN, ENOMEM,      ECANCELED,  ENOBUFS,   EFAULT,
                                    ECONNREFUSED, EINVAL, ENOTCONN,    EACCES,     EHOSTDOWN, ENETDOWN,
                                    ENETUNREACH,  ENONET, ENOPROTOOPT, EOPNOTSUPP, EPROTO,    EHOSTUNREACH};
constexpr std::array accept_errors{
    EMFILE,       ENFILE,      ENOMEM, ENOBUFS,  ECONNABORTED,    EINTR,           EAGAIN,
    ECANCELED,    EPERM,       EPROTO, ENETDOWN, ENOPROTOOPT,     EHOSTDOWN,       ENONET,
    EHOSTUNREACH, ENETUNREACH, EFAULT, ENOSR,    EPROTONOSUPPORT, ESOCKTNOSUPPORT, ETIMEDOUT};
constexpr std::array connect_errors{
    ECONNREFUSED, ETIMEDOUT,  ENETUNREACH, EHOSTUNREACH, EINTR,     EAGAIN,    ECANCELED, EADDRNOTAVAIL,
    EACCES,       EPERM,      EADDRINUSE,  EAFNOSUPPORT, EALREADY,  EBADF,     EFAULT,    EINPROGRESS,
    EISCONN,      ENOTSOCK,   EPROTOTYPE,  EINVAL,       ENOBUFS,   EHOSTDOWN, ENETDOWN,  ENONET,
    ENOPROTOOPT,  EOPNOTSUPP, EPROTO,      ENOMEM,       ECONNRESET};
constexpr std::array read_errors{EINTR,  EAGAIN, ENOMEM, ECANCELED,  EIO,
                                 EFAULT, EINVAL, EISDIR, EOPNOTSUPP, EBADF};
constexpr std::array close_errors{EINTR, EIO, ENOSPC, EDQUOT, ECANCELED};
constexpr std::array cancel_errors{ENOENT, EALREADY};
constexpr std::array message_errors{ENOMEM, EOVERFLOW, EBADFD, EBADF, EINVAL, EAGAIN, EINTR, ECANCELED};

}  // namespace

std::span<const int> errors_of(std::uint8_t opcode) noexcept {
  switch (opcode) {
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
      return sendmsg_errors;
    case IORING_OP_RECV:
      return recv_errors;
    case IORING_OP_RECVMSG:
      return recvmsg_errors;
    case IORING_OP_ACCEPT:
      return accept_errors;
    case IORING_OP_CONNECT:
      return connect_errors;
    case IORING_OP_READ:
      return read_errors;
    case IORING_OP_CLOSE:
      return close_errors;
    case IORING_OP_ASYNC_CANCEL:
      return cancel_errors;
    case IORING_OP_MSG_RING:
      return message_errors;
    default:
      return {};
  }
}

std::span<const std::uint8_t> opcodes_with_errors() noexcept {
  static constexpr std::array<std::uint8_t, 10> all{
      IORING_OP_SENDMSG, IORING_OP_RECVMSG, IORING_OP_ACCEPT, IORING_OP_ASYNC_CANCEL, IORING_OP_CONNECT,
      IORING_OP_CLOSE,   IORING_OP_READ,    IORING_OP_SEND,   IORING_OP_RECV,         IORING_OP_MSG_RING};
  return all;
}

const char* opcode_name(std::uint8_t opcode) noexcept {
  switch (opcode) {
    case IORING_OP_SENDMSG:
      return "SENDMSG";
    case IORING_OP_RECVMSG:
      return "RECVMSG";
    case IORING_OP_ACCEPT:
      return "ACCEPT";
    case IORING_OP_ASYNC_CANCEL:
      return "ASYNC_CANCEL";
    case IORING_OP_CONNECT:
      return "CONNECT";
    case IORING_OP_CLOSE:
      return "CLOSE";
    case IORING_OP_READ:
      return "READ";
    case IORING_OP_SEND:
      return "SEND";
    case IORING_OP_RECV:
      return "RECV";
    case IORING_OP_MSG_RING:
      return "MSG_RING";
    default:
      return "?";
  }
}

const char* error_name(int error) noexcept {
  const char* name = ::strerrorname_np(error);
  return name == nullptr ? "?" : name;
}

}  // namespace ringwire::kernel::sim
