// Datagrams of IPv6: a multicast group that is named with its device is joined there, by one socket.
//
// Leaves to others: IPv4 groups (sockets_are_tuned.cpp), datagrams of single peers (datagrams_are_echoed.cpp,
// datagrams_are_sent.cpp). What a group is sent is not looked at: the kernel has no way to an IPv6 group over
// the loopback device.
#include "tests/support/catch.hpp"
#include "tests/support/server.hpp"

#include <cstddef>
#include <fstream>
#include <string>

namespace ringwire::test {
namespace {

// How many sockets have joined ff12::4242 on the loopback device, as the kernel lists them; proc(5).
std::size_t members() {
  std::ifstream list{"/proc/net/igmp6"};
  std::string number;
  std::string device;
  std::string group;
  std::size_t users = 0;
  for (std::string rest; list >> number >> device >> group >> users; std::getline(list, rest)) {
    if (device == "lo" && group == "ff120000000000000000000000004242") return users;
  }
  return 0;
}

}  // namespace

TEST_CASE("an IPv6 group with a zone is joined there, once however many loops there are, until the stop") {
  REQUIRE(members() == 0);
  RecordingHandler handler;
  Options options = quiet();
  options.loops = 2;
  TestServer server{handler, options, {"udp6://[ff12::4242%lo]:0"}};
  if (server.addresses().empty()) return skip("no IPv6 here: " + server.explanation());
  CHECK(server.address().port != 0);
  CHECK(members() == 1);
  CHECK_FALSE(server.stop());
  CHECK(members() == 0);
}

}  // namespace ringwire::test
