// Tokens: three numbers through 64 bits and back.
#include "lib/uring/token.hpp"

#include "tests/support/catch.hpp"

namespace ringwire::uring {
namespace {

TEST_CASE("a token comes back from user_data as it went in") {
  for (const Token token : {Token{Op::recv, 1, 0}, Token{Op::send, Token::generation_max, UINT32_MAX},
                            Token{Op::handoff_end, 0, 7}, Token{Op::close, 0x12'3456, 0x89AB'CDEF}}) {
    CHECK(Token::unpack(token.pack()) == token);
  }
}

TEST_CASE("op, generation and slot stand where the drawing says") {
  CHECK(Token{Op::recv, 0, 0}.pack() == std::uint64_t{1} << 56);
  CHECK(Token{Op::none, 1, 0}.pack() == std::uint64_t{1} << 32);
  CHECK(Token{Op::none, 0, UINT32_MAX}.pack() == UINT32_MAX);
}

TEST_CASE("a generation beyond 24 bits does not spill into the operation") {
  const Token token = Token::unpack(Token{Op::send, 0xFF00'0005, 9}.pack());
  CHECK(token == Token{Op::send, 5, 9});
}

TEST_CASE("what another ring posts is foreign, what we submit is not") {
  for (const Op op : {Op::wake, Op::handoff, Op::handoff_end}) CHECK(is_foreign(op));
  for (const Op op : {Op::recv, Op::send, Op::accept, Op::event, Op::handoff_send, Op::probe}) {
    CHECK_FALSE(is_foreign(op));
  }
}

}  // namespace
}  // namespace ringwire::uring
