// An interrupted call is made again; any other answer is passed on.
#include "lib/kernel/epoll/retry.hpp"

#include "tests/support/catch.hpp"

#include <sys/types.h>

namespace ringwire::kernel::epoll {
namespace {

TEST_CASE("a call that signals interrupt is made until they do not", "[epoll]") {
  int calls = 0;
  const auto call = [&]() -> ssize_t {
    errno = EINTR;
    return ++calls < 4 ? -1 : 7;
  };
  CHECK(uninterrupted(call) == 7);
  CHECK(calls == 4);
}

TEST_CASE("a call that fails answers its errno, negative, and is not made again", "[epoll]") {
  int calls = 0;
  const auto call = [&] {
    errno = ECONNRESET;
    ++calls;
    return -1;
  };
  CHECK(uninterrupted(call) == -ECONNRESET);
  CHECK(calls == 1);
}

TEST_CASE("no bytes are an answer", "[epoll]") {
  errno = EINTR;
  CHECK(uninterrupted([] { return 0; }) == 0);
}

}  // namespace
}  // namespace ringwire::kernel::epoll
