// The table of errnos: complete for what the reactor asks for, without doubles, and named.
#include "lib/kernel/sim/errors.hpp"

#include "lib/uring/allowed.hpp"

#include "tests/support/catch.hpp"

#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <set>
#include <string>
#include <utility>

namespace ringwire::kernel::sim {
namespace {

bool can_answer(std::uint8_t opcode, int error) {
  const auto errors = errors_of(opcode);
  return std::find(errors.begin(), errors.end(), error) != errors.end();
}

// The table once more, as the pages have it: a line for each page and operation, without what that operation
// cannot answer because nobody asks for it.
struct Page {
  const char* name;
  std::initializer_list<std::uint8_t> opcodes;
  std::initializer_list<int> errors;
};

const Page pages[] = {
    {"send(2)",
     {IORING_OP_SEND, IORING_OP_SENDMSG},
     {EACCES, EAGAIN, EALREADY, EBADF, ECONNRESET, EDESTADDRREQ, EFAULT, EINTR, EINVAL, EISCONN, EMSGSIZE,
      ENOBUFS, ENOMEM, ENOTCONN, ENOTSOCK, EOPNOTSUPP, EPIPE}},
    {"recv(2)",
     {IORING_OP_RECV},
     {EAGAIN, EBADF, ECONNREFUSED, EFAULT, EINTR, EINVAL, ENOMEM, ENOTCONN, ENOTSOCK}},
    {"recv(2), without what ends a datagram socket's receiving",
     {IORING_OP_RECVMSG},
     {EAGAIN, ECONNREFUSED, EFAULT, EINTR, EINVAL, ENOMEM, ENOTCONN}},
    {"accept(2), without what ends a listener",
     {IORING_OP_ACCEPT},
     {EAGAIN,   ECONNABORTED, EFAULT,    EINTR,  EMFILE,          ENFILE,          ENOBUFS,
      ENOMEM,   EPERM,        EPROTO,    ENOSR,  ESOCKTNOSUPPORT, EPROTONOSUPPORT, ETIMEDOUT,
      ENETDOWN, ENOPROTOOPT,  EHOSTDOWN, ENONET, EHOSTUNREACH,    ENETUNREACH}},
    {"connect(2)",
     {IORING_OP_CONNECT},
     {EACCES, EPERM, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EALREADY, EBADF, ECONNREFUSED, EFAULT,
      EINPROGRESS, EINTR, EISCONN, ENETUNREACH, ENOTSOCK, EPROTOTYPE, ETIMEDOUT}},
    {"tcp(7), the last received error; the network errors of accept(2)",
     {IORING_OP_SEND, IORING_OP_SENDMSG, IORING_OP_RECV, IORING_OP_CONNECT},
     {ETIMEDOUT, ECONNREFUSED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP,
      ENETUNREACH}},
    {"udp(7), fatal errors, also when not connected",
     {IORING_OP_RECVMSG},
     {ECONNREFUSED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH}},
    {"ip(7), EPERM", {IORING_OP_SEND, IORING_OP_SENDMSG}, {EPERM}},
    {"tcp(7), EPIPE", {IORING_OP_SEND, IORING_OP_SENDMSG, IORING_OP_RECV}, {EPIPE}},
    {"ip(7)",
     {IORING_OP_SEND, IORING_OP_SENDMSG, IORING_OP_RECV, IORING_OP_RECVMSG, IORING_OP_CONNECT},
     {EACCES, EINVAL, ENOBUFS, ENOMEM}},
    {"read(2), readv(2)", {IORING_OP_READ}, {EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, EISDIR, EOPNOTSUPP}},
    {"close(2), without EBADF", {IORING_OP_CLOSE}, {EINTR, EIO, ENOSPC, EDQUOT}},
    {"io_uring_prep_cancel(3), without EINVAL", {IORING_OP_ASYNC_CANCEL}, {ENOENT, EALREADY}},
    {"io_uring_prep_msg_ring(3)", {IORING_OP_MSG_RING}, {ENOMEM, EINVAL, EBADFD, EOVERFLOW}},
    {"io_uring_enter(2), CQE ERRORS", {IORING_OP_MSG_RING}, {EBADF}},
    {"io_uring_cancelation(7)",
     {IORING_OP_SEND, IORING_OP_SENDMSG, IORING_OP_RECV, IORING_OP_RECVMSG, IORING_OP_ACCEPT,
      IORING_OP_CONNECT, IORING_OP_READ, IORING_OP_CLOSE, IORING_OP_MSG_RING},
     {ECANCELED}},
    {"no page of Linux: recv(3p), connect(3p)", {IORING_OP_RECV, IORING_OP_CONNECT}, {ECONNRESET}},
    {"no page", {IORING_OP_READ}, {ENOMEM}},
    {"no page", {IORING_OP_MSG_RING}, {EAGAIN, EINTR}},
};

TEST_CASE("the table is what the pages say, no more and no less", "[errors]") {
  std::set<std::pair<int, int>> written;
  for (const Page& page : pages) {
    for (const std::uint8_t opcode : page.opcodes) {
      for (const int error : page.errors) {
        INFO(page.name << ": " << opcode_name(opcode) << " " << error_name(error));
        CHECK(can_answer(opcode, error));
        written.emplace(opcode, error);
      }
    }
  }
  for (const std::uint8_t opcode : opcodes_with_errors()) {
    for (const int error : errors_of(opcode)) {
      INFO(opcode_name(opcode) << " " << error_name(error));
      CHECK(written.contains({opcode, error}));
    }
  }
}

TEST_CASE("every request that prep.hpp writes has errnos", "[errors]") {
  const auto known = opcodes_with_errors();
  const auto& used = uring::allowed_opcodes;  // Held against prep.hpp by tests/uring/allowed_test.cpp.
  CHECK(std::set<unsigned>{known.begin(), known.end()} == std::set<unsigned>{used.begin(), used.end()});
}

TEST_CASE("each operation the reactor uses has errnos, all positive, none twice", "[errors]") {
  for (const std::uint8_t opcode : opcodes_with_errors()) {
    const auto errors = errors_of(opcode);
    CHECK_FALSE(errors.empty());
    CHECK(std::set<int>{errors.begin(), errors.end()}.size() == errors.size());
    for (const int error : errors) CHECK(error > 0);
  }
}

TEST_CASE("the opcodes with errnos ascend, and all have a name", "[errors]") {
  const auto opcodes = opcodes_with_errors();
  CHECK(std::is_sorted(opcodes.begin(), opcodes.end()));
  std::set<std::string> names;
  for (const std::uint8_t opcode : opcodes) names.insert(opcode_name(opcode));
  CHECK(names.size() == opcodes.size());
  CHECK_FALSE(names.contains("?"));
}

TEST_CASE("no opcode outside the list has errnos or a name", "[errors]") {
  const auto opcodes = opcodes_with_errors();
  const std::set<unsigned> known{opcodes.begin(), opcodes.end()};
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    const auto code = static_cast<std::uint8_t>(opcode);
    CHECK(errors_of(code).empty() != known.contains(opcode));
    CHECK((opcode_name(code) == std::string{"?"}) != known.contains(opcode));
  }
}

TEST_CASE("what happens in the wild is in the table", "[errors]") {
  CHECK(can_answer(IORING_OP_ACCEPT, EMFILE));
  CHECK(can_answer(IORING_OP_ACCEPT, ECONNABORTED));
  CHECK(can_answer(IORING_OP_RECV, ENOBUFS));
  CHECK(can_answer(IORING_OP_RECV, ECONNRESET));
  CHECK(can_answer(IORING_OP_SEND, EPIPE));
  CHECK(can_answer(IORING_OP_SENDMSG, EPIPE));
  CHECK(can_answer(IORING_OP_CONNECT, ECONNREFUSED));
  CHECK(can_answer(IORING_OP_CLOSE, EIO));
  CHECK_FALSE(can_answer(IORING_OP_CLOSE, EBADF));  // That would be a bug of ours, not weather.
  CHECK(can_answer(IORING_OP_ASYNC_CANCEL, EALREADY));
  CHECK(can_answer(IORING_OP_MSG_RING, EOVERFLOW));
}

TEST_CASE("errnos have their names, unknown numbers a question mark", "[errors]") {
  CHECK(error_name(ECONNRESET) == std::string{"ECONNRESET"});
  CHECK(error_name(100'000) == std::string{"?"});
}

}  // namespace
}  // namespace ringwire::kernel::sim
