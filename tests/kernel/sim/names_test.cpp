// Unix sockets of the simulated kernel: paths that stay, abstract names that do not, and who answers to them.
#include "tests/kernel/sim/fixture.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>

namespace ringwire::kernel::sim {
namespace {

const SocketName path = unix_name("/run/x");
const SocketName abstract = unix_name(std::string_view{"\0x", 2});

int listen_at(SimKernel& kernel, const SocketName& name) {
  const int fd = kernel.open_socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(fd >= 0);
  if (const int result = kernel.bind(fd, name); result < 0) {
    kernel.close(fd);
    return result;
  }
  CHECK(kernel.listen(fd, 2) == 0);
  return fd;
}

struct World {
  SeededChoices choices{1};
  SimKernel kernel{choices};
};

TEST_CASE("a path is made by bind and stays when its socket is closed") {
  World at;
  const int fd = listen_at(at.kernel, path);
  REQUIRE(fd >= 0);
  FileIdentity identity;
  CHECK(at.kernel.identify_file("/run/x", identity) == 0);
  CHECK(identity.is_socket);
  CHECK(listen_at(at.kernel, path) == -EADDRINUSE);
  at.kernel.close(fd);
  CHECK(at.kernel.paths_count() == 1);
  CHECK(listen_at(at.kernel, path) == -EADDRINUSE);
  CHECK(at.kernel.remove_file("/run/x") == 0);
  CHECK(at.kernel.remove_file("/run/x") == -ENOENT);
  CHECK(at.kernel.identify_file("/run/x", identity) == -ENOENT);
  CHECK(listen_at(at.kernel, path) >= 0);
}

TEST_CASE("an abstract name is free when its socket is closed") {
  World at;
  const int fd = listen_at(at.kernel, abstract);
  REQUIRE(fd >= 0);
  CHECK(listen_at(at.kernel, abstract) == -EADDRINUSE);
  CHECK(at.kernel.paths_count() == 0);
  at.kernel.close(fd);
  CHECK(listen_at(at.kernel, abstract) >= 0);
}

TEST_CASE("a client reaches the listener whose file the path is, not one it was") {
  World at;
  const int first = listen_at(at.kernel, path);
  CHECK(at.kernel.connect(path) != nullptr);
  at.kernel.remove_file("/run/x");
  CHECK(at.kernel.connect(path) == nullptr);
  const int second = listen_at(at.kernel, path);
  const auto stream = at.kernel.connect(path);
  REQUIRE(stream != nullptr);
  CHECK(at.kernel.files().find(first)->backlog.size() == 1);
  CHECK(at.kernel.files().find(second)->backlog.size() == 1);
  CHECK(unix_bytes(stream->names[0]).empty());
  CHECK(unix_bytes(stream->names[1]) == "/run/x");
}

TEST_CASE("a backlog of a unix socket is as long as listen said") {
  World at;
  static_cast<void>(listen_at(at.kernel, abstract));
  CHECK(at.kernel.connect(abstract) != nullptr);
  CHECK(at.kernel.connect(abstract) != nullptr);
  CHECK(at.kernel.connect(abstract) == nullptr);
}

TEST_CASE("asking a unix name answers whether somebody listens there") {
  World at;
  const int asker = at.kernel.open_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  CHECK(at.kernel.SimKernel::connect(asker, path) == -ENOENT);
  const int fd = listen_at(at.kernel, path);
  CHECK(at.kernel.SimKernel::connect(asker, path) == 0);
  at.kernel.close(fd);
  CHECK(at.kernel.SimKernel::connect(asker, path) == -ECONNREFUSED);
  CHECK(at.kernel.SimKernel::connect(asker, abstract) == -ECONNREFUSED);
  CHECK(at.kernel.SimKernel::connect(99, path) == -EBADF);
}

TEST_CASE("a duplicate keeps its socket open until the last is closed") {
  World at;
  const int fd = listen_at(at.kernel, abstract);
  const int second = at.kernel.duplicate(fd);
  REQUIRE(second >= 0);
  CHECK(second != fd);
  at.kernel.close(fd);
  CHECK(at.kernel.connect(abstract) != nullptr);
  at.kernel.close(second);
  CHECK(at.kernel.connect(abstract) == nullptr);
  CHECK(at.kernel.duplicate(fd) == -EBADF);
}

TEST_CASE("a last look accepts who is in the backlog, and waits for nobody") {
  World at;
  const int fd = listen_at(at.kernel, path);
  const auto client = at.kernel.connect(path);
  const int accepted = at.kernel.accept(fd);
  REQUIRE(accepted >= 0);
  CHECK(at.kernel.files().find(accepted)->stream == client);
  CHECK(at.kernel.accept(fd) == -EAGAIN);
  CHECK(at.kernel.accept(accepted) == -EINVAL);
  CHECK(at.kernel.accept(99) == -EBADF);
  CHECK(at.kernel.connect(path) != nullptr);
  at.kernel.files().set_limit(0);
  CHECK(at.kernel.accept(fd) == -EMFILE);
}

TEST_CASE("a unix name without bytes cannot be bound, and has no port") {
  World at;
  CHECK(listen_at(at.kernel, unix_name({})) == -EINVAL);
  CHECK(port_of(path) == 0);
}

TEST_CASE("calls of names can be told to fail") {
  World at;
  const int fd = listen_at(at.kernel, path);
  at.kernel.fail_call(0, true);
  FileIdentity identity;
  CHECK(at.kernel.identify_file("/run/x", identity) == -EACCES);
  CHECK(at.kernel.remove_file("/run/x") == -EACCES);
  CHECK(at.kernel.SimKernel::connect(fd, path) == -EACCES);
  CHECK(at.kernel.duplicate(fd) == -EMFILE);
}

}  // namespace
}  // namespace ringwire::kernel::sim
