// Views between text and bytes: no copy, no terminator, any byte.
#include <ringwire/bytes.hpp>

#include "tests/support/catch.hpp"

#include <array>
#include <string>
#include <string_view>

namespace {

using ringwire::Bytes;
using ringwire::to_bytes;
using ringwire::to_text;

TEST_CASE("text as bytes is the same memory") {
  const std::string text = "hello";
  const Bytes bytes = to_bytes(text);
  CHECK(bytes.size() == 5);
  CHECK(static_cast<const void*>(bytes.data()) == static_cast<const void*>(text.data()));
  CHECK(bytes[1] == std::byte{'e'});
}

TEST_CASE("bytes as text and back are the same view") {
  const std::string_view text("a\0b\xff", 4);
  const std::string_view back = to_text(to_bytes(text));
  CHECK(back == text);
  CHECK(back.data() == text.data());
}

TEST_CASE("nothing is nothing in both directions") {
  CHECK(to_bytes("").empty());
  CHECK(to_bytes(std::string_view{}).empty());
  CHECK(to_text(Bytes{}).empty());
}

TEST_CASE("a literal's terminator is not part of it") {
  CHECK(to_bytes("abc").size() == 3);
}

TEST_CASE("an array of bytes is Bytes without being asked") {
  const std::array<std::byte, 3> raw{std::byte{1}, std::byte{2}, std::byte{3}};
  const Bytes bytes = raw;
  CHECK(bytes.size() == 3);
  CHECK(bytes.data() == raw.data());
}

}  // namespace
