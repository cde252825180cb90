// What a multishot recvmsg wrote is read back as it was meant, and nothing beyond it.
#include "lib/uring/received.hpp"

#include "tests/support/catch.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

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

// The same with a note that it is several, each so long.
std::vector<std::byte> joined(const std::string& payload, std::uint32_t sent_size, int segment_size) {
  const sockaddr_in from{};
  auto buffer = filled(&from, sizeof from, payload, sent_size);
  io_uring_recvmsg_out head{};
  std::memcpy(&head, buffer.data(), sizeof head);
  head.controllen = CMSG_SPACE(sizeof segment_size);
  std::memcpy(buffer.data(), &head, sizeof head);
  const cmsghdr note{CMSG_LEN(sizeof segment_size), SOL_UDP, UDP_GRO};
  std::byte* const control = buffer.data() + sizeof head + received_name_size;
  std::memcpy(control, &note, sizeof note);
  std::memcpy(control + CMSG_LEN(0), &segment_size, sizeof segment_size);
  return buffer;
}

// Each with its bytes, and how long it was when it was cut.
std::vector<std::string> parted(const std::vector<std::byte>& buffer, std::size_t size_max = 100) {
  std::vector<std::string> all;
  Received rest = read_received(buffer);
  do {
    const Received each = take_datagram(rest, size_max);
    CHECK(each.name.size == sizeof(sockaddr_in));
    std::string text{to_text(each.payload)};
    if (each.size > each.payload.size()) text += " of " + std::to_string(each.size);
    all.push_back(std::move(text));
  } while (rest.size > 0);
  return all;
}

TEST_CASE("a datagram that came alone is parted into itself, also one of no bytes") {
  const sockaddr_in from{};
  CHECK(parted(filled(&from, sizeof from, "alone", 5)) == std::vector<std::string>{"alone"});
  CHECK(parted(filled(&from, sizeof from, "", 0)) == std::vector<std::string>{""});
}

TEST_CASE("joined datagrams are parted, the last one may be shorter") {
  CHECK(parted(joined("abcdefgh", 8, 3)) == std::vector<std::string>{"abc", "def", "gh"});
  CHECK(parted(joined("abcdef", 6, 3)) == std::vector<std::string>{"abc", "def"});
  CHECK(parted(joined("ab", 2, 3)) == std::vector<std::string>{"ab"});
}

TEST_CASE("each of joined datagrams is cut to the limit, and says how long it was") {
  CHECK(parted(joined("abcdefgh", 8, 3), 2) == std::vector<std::string>{"ab of 3", "de of 3", "gh"});
}

TEST_CASE("joined datagrams that were cut together say so one by one") {
  CHECK(parted(joined("abcd", 8, 3)) == std::vector<std::string>{"abc", "d of 3", " of 2"});
}

TEST_CASE("a note of another kind does not part a datagram") {
  auto buffer = joined("abcdef", 6, 3);
  const cmsghdr other{CMSG_LEN(sizeof(int)), SOL_SOCKET, SO_TIMESTAMP};
  std::memcpy(buffer.data() + sizeof(io_uring_recvmsg_out) + received_name_size, &other, sizeof other);
  CHECK(parted(buffer) == std::vector<std::string>{"abcdef"});
}

TEST_CASE("room for a name is enough for each kind of address, and keeps the payload aligned") {
  CHECK(received_name_size >= sizeof(sockaddr_in6));
  CHECK(received_head_size % 16 == 0);
}

}  // namespace
}  // namespace ringwire::uring
