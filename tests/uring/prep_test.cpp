// Each request, bit for bit, against the one liburing would write.
#include "lib/uring/prep.hpp"

#include "tests/support/catch.hpp"

#include <netinet/in.h>

#include <array>
#include <cstring>

namespace ringwire::uring {
namespace {

// Are both requests the same 64 bytes?
template <typename Ours, typename Theirs>
bool same(Ours ours, Theirs theirs) {
  io_uring_sqe first;
  io_uring_sqe second;
  std::memset(&first, 0, sizeof first);
  std::memset(&second, 0, sizeof second);
  ours(first);
  theirs(&second);
  return std::memcmp(&first, &second, sizeof first) == 0;
}

TEST_CASE("accept is multishot and its descriptors are closed on exec") {
  CHECK(same(
      [](io_uring_sqe& sqe) { prep_accept_multishot(sqe, 5); },
      [](io_uring_sqe* sqe) { io_uring_prep_multishot_accept(sqe, 5, nullptr, nullptr, SOCK_CLOEXEC); }));
}

TEST_CASE("an accept of one closes its descriptor on exec, too") {
  CHECK(same([](io_uring_sqe& sqe) { prep_accept(sqe, 5); },
             [](io_uring_sqe* sqe) { io_uring_prep_accept(sqe, 5, nullptr, nullptr, SOCK_CLOEXEC); }));
}

TEST_CASE("recv is multishot and selects a buffer of its group") {
  CHECK(same([](io_uring_sqe& sqe) { prep_recv_multishot(sqe, 5, 9, false); },
             [](io_uring_sqe* sqe) {
               io_uring_prep_recv_multishot(sqe, 5, nullptr, 0, 0);
               sqe->flags |= IOSQE_BUFFER_SELECT;
               sqe->buf_group = 9;
             }));
}

TEST_CASE("a starved recv waits for data before it looks for a buffer") {
  io_uring_sqe sqe;
  std::memset(&sqe, 0, sizeof sqe);
  prep_recv_multishot(sqe, 5, 9, true);
  CHECK(sqe.ioprio == (IORING_RECV_MULTISHOT | IORING_RECVSEND_POLL_FIRST));
}

TEST_CASE("a recv that waits for its turn is no multishot") {
  io_uring_sqe sqe;
  std::memset(&sqe, 0, sizeof sqe);
  prep_recv_when_ready(sqe, 5, 9);
  CHECK(sqe.opcode == IORING_OP_RECV);
  CHECK(sqe.flags == IOSQE_BUFFER_SELECT);
  CHECK(sqe.buf_group == 9);
  CHECK(sqe.ioprio == IORING_RECVSEND_POLL_FIRST);
}

TEST_CASE("recvmsg is multishot, selects a buffer of its group, and asks for the length of what is cut") {
  msghdr shape{};
  CHECK(same([&](io_uring_sqe& sqe) { prep_recvmsg_multishot(sqe, 5, shape, 9); },
             [&](io_uring_sqe* sqe) {
               io_uring_prep_recvmsg_multishot(sqe, 5, &shape, MSG_TRUNC);
               sqe->flags |= IOSQE_BUFFER_SELECT;
               sqe->buf_group = 9;
             }));
}

TEST_CASE("a datagram is sent as it is, and a gone peer is an errno instead of a signal") {
  msghdr message{};
  CHECK(same([&](io_uring_sqe& sqe) { prep_send_datagram(sqe, 5, message); },
             [&](io_uring_sqe* sqe) { io_uring_prep_sendmsg(sqe, 5, &message, MSG_NOSIGNAL); }));
}

TEST_CASE("connect passes the name and its size") {
  sockaddr_storage name{};
  name.ss_family = AF_INET;
  CHECK(same([&](io_uring_sqe& sqe) { prep_connect(sqe, 5, name, sizeof(sockaddr_in)); },
             [&](io_uring_sqe* sqe) {
               io_uring_prep_connect(sqe, 5, static_cast<const sockaddr*>(static_cast<const void*>(&name)),
                                     sizeof(sockaddr_in));
             }));
}

TEST_CASE("sends take all bytes, and a gone peer is an errno instead of a signal") {
  const Bytes bytes = to_bytes("hello");
  msghdr message{};
  constexpr int flags = MSG_WAITALL | MSG_NOSIGNAL;
  CHECK(same([&](io_uring_sqe& sqe) { prep_send(sqe, 5, bytes); },
             [&](io_uring_sqe* sqe) { io_uring_prep_send(sqe, 5, bytes.data(), bytes.size(), flags); }));
  CHECK(same([&](io_uring_sqe& sqe) { prep_sendmsg(sqe, 5, message); },
             [&](io_uring_sqe* sqe) { io_uring_prep_sendmsg(sqe, 5, &message, flags); }));
}

TEST_CASE("a send that may be short asks for no more than the kernel takes at once") {
  const Bytes bytes = to_bytes("hello");
  CHECK(same(
      [&](io_uring_sqe& sqe) {
        prep_send(sqe, 5, bytes);
        allow_short(sqe);
      },
      [&](io_uring_sqe* sqe) { io_uring_prep_send(sqe, 5, bytes.data(), bytes.size(), MSG_NOSIGNAL); }));
}

TEST_CASE("read has no position of its own") {
  std::array<std::byte, 8> target{};
  CHECK(same([&](io_uring_sqe& sqe) { prep_read(sqe, 5, target); },
             [&](io_uring_sqe* sqe) { io_uring_prep_read(sqe, 5, target.data(), 8, ~0ULL); }));
}

TEST_CASE("a cancel names one operation, a descriptor, or everything") {
  constexpr std::uint64_t user_data = 0x1234'5678'9ABC'DEF0;
  CHECK(same([](io_uring_sqe& sqe) { prep_cancel(sqe, user_data); },
             [](io_uring_sqe* sqe) { io_uring_prep_cancel64(sqe, user_data, 0); }));
  CHECK(same([](io_uring_sqe& sqe) { prep_cancel_fd(sqe, 5); },
             [](io_uring_sqe* sqe) { io_uring_prep_cancel_fd(sqe, 5, IORING_ASYNC_CANCEL_ALL); }));
  CHECK(same([](io_uring_sqe& sqe) { prep_cancel_all(sqe); },
             [](io_uring_sqe* sqe) {
               io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
             }));
}

TEST_CASE("close and message are liburing's own") {
  CHECK(same([](io_uring_sqe& sqe) { prep_close(sqe, 5); },
             [](io_uring_sqe* sqe) { io_uring_prep_close(sqe, 5); }));
  CHECK(same([](io_uring_sqe& sqe) { prep_message(sqe, 5, 77, 12); },
             [](io_uring_sqe* sqe) { io_uring_prep_msg_ring(sqe, 5, 12, 77, 0); }));
}

TEST_CASE("a hard link adds its flag and leaves the others") {
  io_uring_sqe sqe;
  std::memset(&sqe, 0, sizeof sqe);
  sqe.flags = IOSQE_BUFFER_SELECT;
  link_hard(sqe);
  CHECK(sqe.flags == (IOSQE_BUFFER_SELECT | IOSQE_IO_HARDLINK));
}

}  // namespace
}  // namespace ringwire::uring
