// Names of unix sockets, and what becomes of the files they leave.
#include "lib/net/unix.hpp"

#include "lib/net/address.hpp"
#include "tests/net/fake_kernel.hpp"
#include "tests/support/catch.hpp"

#include <sys/un.h>

#include <cstring>
#include <string>

namespace ringwire::net {
namespace {

using ringwire::test::contains;
using test::FakeKernel;

const std::string at = "/run/ringwire.sock";

TEST_CASE("a path, a relative path and an abstract name have no fault") {
  for (const std::string text : {"/run/x.sock", "x.sock", "@x", "@with/slash", "/with space", "/a@b"}) {
    CAPTURE(text);
    CHECK(fault_of_unix_name(text).empty());
  }
}

TEST_CASE("a name that is missing, cut by a NUL or too long has a fault, which says the limit") {
  CHECK_THAT(std::string{fault_of_unix_name("")}, contains("path is missing"));
  CHECK_THAT(std::string{fault_of_unix_name("@")}, contains("name after @"));
  CHECK_THAT(std::string{fault_of_unix_name(std::string{"/a\0b", 4})}, contains("NUL"));
  CHECK_THAT(std::string{fault_of_unix_name(std::string{"@a\0b", 4})}, contains("NUL"));
  CHECK_THAT(std::string{fault_of_unix_name(std::string(108, 'a'))}, contains("107"));
  CHECK_THAT(std::string{fault_of_unix_name("@" + std::string(108, 'a'))}, contains("107"));
}

TEST_CASE("the longest path and the longest abstract name go to the kernel and come back") {
  for (const std::string& text : {std::string(107, 'a'), "@" + std::string(107, 'a'), std::string{"b"}}) {
    CHECK(fault_of_unix_name(text).empty());
    const Address address = to_unix_address(text);
    CHECK(address.host() == text);
    CHECK(to_unix_address(to_unix_name(address)) == address);
  }
}

TEST_CASE("a path has its NUL counted, an abstract name and no name have none") {
  constexpr std::size_t offset = offsetof(sockaddr_un, sun_path);
  CHECK(to_unix_name(to_unix_address("/abc")).size == offset + 5);
  CHECK(to_unix_name(to_unix_address("@abc")).size == offset + 4);
  Address unnamed;
  unnamed.family = Address::Family::unix_socket;
  CHECK(to_unix_name(unnamed).size == offset);
  CHECK(to_unix_address(to_unix_name(unnamed)) == unnamed);
}

TEST_CASE("what the kernel says of a name is believed no further than its size") {
  kernel::SocketName name = to_unix_name(to_unix_address("/abcdef"));
  name.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 4);
  CHECK(to_unix_address(name).host() == "/abc");
  name.size = 1;
  CHECK(to_unix_address(name).host().empty());
}

TEST_CASE("a socket that refuses is removed, and its place is free") {
  FakeKernel kernel;
  kernel.files[at] = {1, 7, true};
  kernel.faults["connect"] = -ECONNREFUSED;
  CHECK(evict_dead_socket(kernel, to_unix_address(at)) == Occupant::nobody);
  CHECK(kernel.files.empty());
  CHECK(kernel.open.empty());
}

TEST_CASE("a path at which nothing stands is free") {
  FakeKernel kernel;
  CHECK(evict_dead_socket(kernel, to_unix_address(at)) == Occupant::nobody);
}

TEST_CASE("a socket that answers, or cannot be asked, stays") {
  FakeKernel kernel;
  kernel.files[at] = {1, 7, true};
  SECTION("a client is let in") {}
  SECTION("its backlog is full") {
    kernel.faults["connect"] = -EAGAIN;
  }
  SECTION("it is another user's") {
    kernel.faults["connect"] = -EACCES;
  }
  SECTION("there is no descriptor to ask with") {
    kernel.faults["socket"] = -EMFILE;
  }
  SECTION("its directory cannot be searched") {
    kernel.faults["identify"] = -EACCES;
  }
  SECTION("it refuses, and may not be removed") {
    kernel.faults["connect"] = -ECONNREFUSED;
    kernel.faults["remove"] = -EPERM;
  }
  SECTION("it refuses, and was replaced while we asked") {
    kernel.faults["connect"] = -ECONNREFUSED;
    kernel.replaced_while_asked = true;
  }
  CHECK(evict_dead_socket(kernel, to_unix_address(at)) == Occupant::listener);
  CHECK(kernel.files.size() == 1);
  CHECK(kernel.open.empty());
}

TEST_CASE("a file that is no socket is never removed") {
  FakeKernel kernel;
  kernel.files[at] = {1, 7, false};
  kernel.faults["connect"] = -ECONNREFUSED;
  CHECK(evict_dead_socket(kernel, to_unix_address(at)) == Occupant::file);
  CHECK(kernel.files.size() == 1);
}

TEST_CASE("our file is removed at the end, another one at its path is not") {
  FakeKernel kernel;
  kernel.files[at] = {1, 7, true};
  const Address address = to_unix_address(at);
  kernel::FileIdentity ours;
  REQUIRE(identify_socket_file(kernel, address, ours));
  SECTION("ours") {
    remove_socket_file(kernel, address, ours);
    CHECK(kernel.files.empty());
  }
  SECTION("another's") {
    kernel.files[at].inode = 8;
    remove_socket_file(kernel, address, ours);
    CHECK(kernel.files.size() == 1);
  }
  SECTION("already gone") {
    kernel.files.clear();
    remove_socket_file(kernel, address, ours);
    CHECK(kernel.files.empty());
  }
}

TEST_CASE("only a unix address with a path names a file") {
  FakeKernel kernel;
  kernel::FileIdentity found;
  CHECK_FALSE(identify_socket_file(kernel, to_unix_address("@x"), found));
  CHECK_FALSE(identify_socket_file(kernel, Address{}, found));
  CHECK_FALSE(identify_socket_file(kernel, to_unix_address(at), found));
}

}  // namespace
}  // namespace ringwire::net
