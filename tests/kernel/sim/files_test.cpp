// Descriptors: the lowest free number, a limit, and files that live as long as somebody holds them.
#include "lib/kernel/sim/files.hpp"

#include "tests/support/catch.hpp"

#include <cerrno>
#include <memory>
#include <utility>

namespace ringwire::kernel::sim {
namespace {

std::shared_ptr<File> some_file() {
  return std::make_shared<File>(File::Kind::event);
}

TEST_CASE("a new descriptor has the lowest free number, from 3 on", "[files]") {
  Files files;
  CHECK(files.add(some_file()) == 3);
  CHECK(files.add(some_file()) == 4);
  CHECK(files.add(some_file()) == 5);
  CHECK(files.close(4) == 0);
  CHECK(files.count() == 2);
  CHECK(files.add(some_file()) == 4);
  CHECK(files.add(some_file()) == 6);
}

TEST_CASE("a descriptor that is not open is found by nobody, and not closed twice", "[files]") {
  Files files;
  const auto file = some_file();
  REQUIRE(files.add(file) == 3);
  CHECK(files.find(3) == file);
  for (const int fd : {-1, 0, 2, 4, 1000}) {
    CHECK(files.find(fd) == nullptr);
    CHECK(files.close(fd) == -EBADF);
  }
  CHECK(files.close(3) == 0);
  CHECK(files.close(3) == -EBADF);
  CHECK(files.count() == 0);
}

TEST_CASE("the limit counts the three every process has", "[files]") {
  Files files;
  files.set_limit(5);
  CHECK(files.limit() == 5);
  CHECK(files.add(some_file()) == 3);
  CHECK(files.has_room());
  CHECK(files.add(some_file()) == 4);
  CHECK_FALSE(files.has_room());
  CHECK(files.add(some_file()) == -EMFILE);
  CHECK(files.close(3) == 0);
  CHECK(files.add(some_file()) == 3);
}

TEST_CASE("a stream ends when the last holder of its file lets go, not when its descriptor is closed",
          "[files]") {
  Files files;
  auto file = std::make_shared<File>(File::Kind::stream);
  file->stream = std::make_shared<Stream>(100);
  const auto stream = file->stream;
  const int fd = files.add(file);
  CHECK(files.close(fd) == 0);
  CHECK_FALSE(stream->is_closed(1));
  file = nullptr;
  CHECK(stream->is_closed(1));
  CHECK_FALSE(stream->is_reset(1));
  CHECK(stream->in_flight(1));  // Its FIN.
}

TEST_CASE("a stream that is to be reset on close is", "[files]") {
  auto file = std::make_shared<File>(File::Kind::stream);
  file->stream = std::make_shared<Stream>(100);
  file->reset_on_close = true;
  const auto stream = file->stream;
  file = nullptr;
  CHECK(stream->is_reset(1));
}

TEST_CASE("a listener that goes away resets who waits in its backlog", "[files]") {
  auto file = std::make_shared<File>(File::Kind::listener);
  const auto stream = std::make_shared<Stream>(100);
  file->backlog.push_back(stream);
  file = nullptr;
  CHECK(stream->is_reset(1));
  stream->deliver(1, 0, false);
  CHECK(stream->is_reset(0));
}

TEST_CASE("a listener is found by its port, other files are not", "[files]") {
  Files files;
  auto bound = std::make_shared<File>(File::Kind::socket);
  bound->name = loopback_name(9000);
  auto listening = std::make_shared<File>(File::Kind::listener);
  listening->name = loopback_name(9001);
  REQUIRE(files.add(bound) == 3);
  REQUIRE(files.add(listening) == 4);
  CHECK(files.listener(9000) == nullptr);
  CHECK(files.listener(9001) == listening);
  CHECK(port_of(listening->name) == 9001);
}

}  // namespace
}  // namespace ringwire::kernel::sim
