// What a multishot recvmsg wrote is read back as it was meant, and nothing beyond it.
#include "lib/uring/received.hpp"

#include "tests/support/catch.hpp"

#include <netinet/in.h>

#include <cstring>
#include <string>
#include <vector>

namespace ringwire::uring {
namespace {

// A buffer as the kernel fills it.
std::vector<std::byte> filled(const void* name, socklen_t name_size, const std::string& payload,
                              std::uint32_t sent_size) {
  std::vector<std::byte> buffer(received_head_size + payload.size());
  io_uring_recvmsg_out head{};
  head.namelen = name_size;
  head.payloadlen = sent_size;
  std::memcpy(buffer.data(), &head, sizeof head);
  std::memcpy(buffer.data() + sizeof head, name, std::min<std::size_t>(name_size, received_name_size));
  std::memcpy(buffer.data() + received_head_size, payload.data(), payload.size());
  return buffer;
}

TEST_CASE("a datagram comes with its sender, its bytes and its size") {
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_port = htons(4242);
  const auto buffer = filled(&from, sizeof from, "hello", 5);
  const Received received = read_received(buffer);
  CHECK(to_text(received.payload) == "hello");
  CHECK(received.size == 5);
  REQUIRE(received.name.size == sizeof from);
  sockaddr_in back{};
  std::memcpy(&back, &received.name.storage, sizeof back);
  CHECK(back.sin_port == htons(4242));
}

TEST_CASE("a datagram that was cut says how long it was") {
  const sockaddr_in from{};
  const auto buffer = filled(&from, sizeof from, "hel", 5);
  const Received received = read_received(buffer);
  CHECK(to_text(received.payload) == "hel");
  CHECK(received.size == 5);
}

TEST_CASE("a datagram of no bytes has a sender") {
  const sockaddr_in6 from{};
  const auto buffer = filled(&from, sizeof from, "", 0);
  const Received received = read_received(buffer);
  CHECK(received.payload.empty());
  CHECK(received.size == 0);
  CHECK(received.name.size == sizeof from);
}

TEST_CASE("of a name longer than its room no more is read than was written") {
  const std::vector<std::byte> name(received_name_size);
  const auto buffer = filled(name.data(), 110, "x", 1);
  const Received received = read_received(buffer);
  CHECK(received.name.size == received_name_size);
}

TEST_CASE("room for a name is enough for each kind of address, and keeps the payload aligned") {
  CHECK(received_name_size >= sizeof(sockaddr_in6));
  CHECK(received_head_size % 16 == 0);
}

}  // namespace
}  // namespace ringwire::uring
