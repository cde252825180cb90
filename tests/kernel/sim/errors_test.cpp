// The table of errnos: complete for what the reactor asks for, without doubles, and named.
#include "lib/kernel/sim/errors.hpp"

#include "tests/support/catch.hpp"

#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string>

namespace ringwire::kernel::sim {
namespace {

bool can_answer(std::uint8_t opcode, int error) {
  const auto errors = errors_of(opcode);
  return std::find(errors.begin(), errors.end(), error) != errors.end();
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
