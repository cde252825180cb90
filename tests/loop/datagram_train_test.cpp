// A train: which datagrams it takes, and what the kernel is told of them.
#include "lib/loop/datagram_train.hpp"

#include "lib/loop/datagram_socket.hpp"
#include "tests/support/catch.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <cstring>
#include <deque>
#include <string>

namespace ringwire::test {
namespace {

using loop::Outgoing;
using loop::Train;

// Datagrams that nobody has queued.
struct Wagons {
  Outgoing& make(const std::string& bytes) {
    Done none;
    const kernel::SocketName name{};
    return all.emplace_back(0U, 1U, 0U, to_bytes(bytes), name, none);
  }
  std::deque<Outgoing> all;
};

// The train lets go of them, as its socket does when it comes back.
void unload(Train& train) {
  while (train.others().pop_front() != nullptr) {
  }
}

TEST_CASE("a train takes datagrams of its first one's size, and at last a shorter one", "[datagram]") {
  Wagons wagons;
  Train train{wagons.make("abc")};
  CHECK_FALSE(train.takes(wagons.make("four")));
  CHECK_FALSE(train.takes(wagons.make("")));
  train.add(wagons.make("def"));
  train.add(wagons.make("gh"));
  CHECK(train.is_full());
  CHECK_FALSE(train.takes(wagons.make("ij")));
  CHECK_FALSE(train.takes(wagons.make("klm")));
  CHECK(train.count() == 3);
  CHECK(train.size() == 8);
  CHECK(train.segment_size() == 3);
  unload(train);
}

TEST_CASE("the kernel is told the pieces in order, and where to cut", "[datagram]") {
  Wagons wagons;
  Train train{wagons.make("abc")};
  train.add(wagons.make("def"));
  const msghdr& message = train.message();
  REQUIRE(message.msg_iovlen == 2);
  CHECK(std::memcmp(message.msg_iov[0].iov_base, "abc", 3) == 0);
  CHECK(std::memcmp(message.msg_iov[1].iov_base, "def", 3) == 0);
  const cmsghdr* const note = CMSG_FIRSTHDR(&message);
  REQUIRE(note != nullptr);
  CHECK(note->cmsg_level == SOL_UDP);
  CHECK(note->cmsg_type == UDP_SEGMENT);
  std::uint16_t size = 0;
  REQUIRE(note->cmsg_len == CMSG_LEN(sizeof size));
  std::memcpy(&size, CMSG_DATA(note), sizeof size);
  CHECK(size == 3);
  unload(train);
}

TEST_CASE("a train has 64 datagrams at most, and no more bytes than one may have", "[datagram]") {
  Wagons wagons;
  Train many{wagons.make("x")};
  while (!many.is_full()) many.add(wagons.make("x"));
  CHECK(many.count() == 64);
  CHECK_FALSE(many.takes(wagons.make("x")));
  unload(many);

  Train long_one{wagons.make(std::string(30'000, 'x'))};
  long_one.add(wagons.make(std::string(30'000, 'x')));
  CHECK_FALSE(long_one.takes(wagons.make(std::string(5'508, 'x'))));
  CHECK(long_one.takes(wagons.make(std::string(5'507, 'x'))));
  unload(long_one);
}

}  // namespace
}  // namespace ringwire::test
