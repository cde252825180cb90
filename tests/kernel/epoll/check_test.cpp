// What is known is refused for its descriptor, what is not for itself: that is how features are found.
#include "lib/kernel/epoll/task.hpp"

#include "tests/kernel/epoll/bench.hpp"
#include "tests/support/catch.hpp"

#include <functional>

namespace ringwire::kernel {
namespace {

struct Case {
  const char* name;
  std::function<void(io_uring_sqe&)> fill;
};

int answer(const Case& each) {
  Bench at;
  each.fill(at.sqe(1));
  return at.wait(1).at(0).res;
}

std::byte target[8];
sockaddr_storage name{};
msghdr message{};

TEST_CASE("on descriptor -1 a known request answers EBADF", "[epoll]") {
  const std::vector<Case> known{
      {"recv", [](io_uring_sqe& sqe) { uring::prep_recv_multishot(sqe, -1, 0, false); }},
      {"recv, poll first", [](io_uring_sqe& sqe) { uring::prep_recv_multishot(sqe, -1, 0, true); }},
      {"recv, so many bytes", [](io_uring_sqe& sqe) { uring::prep_recv_multishot(sqe, -1, 0, false, 100); }},
      {"accept", [](io_uring_sqe& sqe) { uring::prep_accept_multishot(sqe, -1); }},
      {"send",
       [](io_uring_sqe& sqe) {
         uring::prep_send(sqe, -1, Bytes{target, 1});
       }},
      {"recvmsg", [](io_uring_sqe& sqe) { uring::prep_recvmsg_multishot(sqe, -1, message, 0); }},
      {"a datagram", [](io_uring_sqe& sqe) { uring::prep_send_datagram(sqe, -1, message); }},
      {"read", [](io_uring_sqe& sqe) { uring::prep_read(sqe, -1, target); }},
      {"connect", [](io_uring_sqe& sqe) { uring::prep_connect(sqe, -1, name, sizeof name); }},
      {"close", [](io_uring_sqe& sqe) { uring::prep_close(sqe, -1); }},
      {"cancel", [](io_uring_sqe& sqe) { uring::prep_cancel_fd(sqe, -1); }},
      {"message", [](io_uring_sqe& sqe) { uring::prep_message(sqe, -1, 0, 0); }},
  };
  for (const Case& each : known) {
    INFO(each.name);
    CHECK(answer(each) == -EBADF);
  }
}

TEST_CASE("a request with a flag that is not known answers EINVAL", "[epoll]") {
  const std::vector<Case> unknown{
      {"opcode", [](io_uring_sqe& sqe) { sqe.opcode = 200; }},
      {"a request of no use to us", [](io_uring_sqe& sqe) { sqe.opcode = IORING_OP_OPENAT; }},
      {"fixed file",
       [](io_uring_sqe& sqe) {
         uring::prep_recv_multishot(sqe, -1, 0, false);
         sqe.flags |= IOSQE_FIXED_FILE;
       }},
      {"a recvmsg that is no multishot",
       [](io_uring_sqe& sqe) {
         uring::prep_recvmsg_multishot(sqe, -1, message, 0);
         sqe.ioprio = 0;
       }},
      {"a recvmsg without buffers",
       [](io_uring_sqe& sqe) {
         uring::prep_recvmsg_multishot(sqe, -1, message, 0);
         sqe.flags = 0;
       }},
      {"a recvmsg without a shape",
       [](io_uring_sqe& sqe) {
         uring::prep_recvmsg_multishot(sqe, -1, message, 0);
         sqe.addr = 0;
       }},
      {"buffer select on a send",
       [](io_uring_sqe& sqe) {
         uring::prep_send(sqe, -1, {});
         sqe.flags |= IOSQE_BUFFER_SELECT;
       }},
      {"recv bundle",
       [](io_uring_sqe& sqe) {
         uring::prep_recv_multishot(sqe, -1, 0, false);
         sqe.ioprio |= 1U << 4;
       }},
      {"credit of a single recv",
       [](io_uring_sqe& sqe) {
         uring::prep_recv_when_ready(sqe, -1, 0);
         sqe.file_index = 100;
       }},
      {"multishot recv without buffers",
       [](io_uring_sqe& sqe) {
         uring::prep_recv_multishot(sqe, -1, 0, false);
         sqe.flags = 0;
       }},
      {"accept without waiting",
       [](io_uring_sqe& sqe) {
         uring::prep_accept_multishot(sqe, -1);
         sqe.ioprio |= 1U << 1;
       }},
      {"accept into a slot",
       [](io_uring_sqe& sqe) {
         uring::prep_accept_multishot(sqe, -1);
         sqe.file_index = 1;
       }},
      {"read at a position",
       [](io_uring_sqe& sqe) {
         uring::prep_read(sqe, -1, target);
         sqe.off = 0;
       }},
      {"cancel of a fixed file",
       [](io_uring_sqe& sqe) {
         uring::prep_cancel_fd(sqe, -1);
         sqe.cancel_flags |= 1U << 3;
       }},
      {"message with a descriptor",
       [](io_uring_sqe& sqe) {
         uring::prep_message(sqe, -1, 0, 0);
         sqe.addr = IORING_MSG_SEND_FD;
       }},
      {"message without a sendmsg",
       [](io_uring_sqe& sqe) {
         sqe.opcode = IORING_OP_SENDMSG;
         sqe.fd = -1;
       }},
  };
  for (const Case& each : unknown) {
    INFO(each.name);
    CHECK(answer(each) == -EINVAL);
  }
}

TEST_CASE("a request that does nothing succeeds at once", "[epoll]") {
  CHECK(answer({"nop", [](io_uring_sqe& sqe) { sqe.opcode = IORING_OP_NOP; }}) == 0);
}

}  // namespace
}  // namespace ringwire::kernel
