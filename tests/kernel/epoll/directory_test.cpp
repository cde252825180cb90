// Who is found under a ring's descriptor, and what is answered when nobody is.
#include "lib/kernel/epoll/directory.hpp"

#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace ringwire::kernel::epoll {
namespace {

TEST_CASE("a message finds the inbox of its ring, until the ring leaves", "[epoll]") {
  Inbox first;
  Inbox second;
  const int one = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int two = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  enter_directory(one, first);
  enter_directory(two, second);
  CHECK(post_message(two, {5, 6}) == 0);
  std::vector<Message> taken;
  first.take(taken);
  CHECK(taken.empty());
  second.take(taken);
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].user_data == 5);
  CHECK(taken[0].res == 6);

  leave_directory(two);
  CHECK(post_message(two, {7, 8}) == -EBADFD);
  ::close(two);
  CHECK(post_message(two, {7, 8}) == -EBADF);
  leave_directory(one);
  ::close(one);
}

TEST_CASE("what is no ring answers EBADFD, what is no descriptor EBADF", "[epoll]") {
  CHECK(post_message(STDIN_FILENO, {1, 1}) == -EBADFD);
  CHECK(post_message(-1, {1, 1}) == -EBADF);
}

}  // namespace
}  // namespace ringwire::kernel::epoll
