// Tries that never wait, on blocking sockets.
#include "lib/kernel/epoll/task.hpp"

#include "tests/kernel/epoll/bench.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>

namespace ringwire::kernel::epoll {
namespace {

Task task_of(const std::function<void(io_uring_sqe&)>& fill) {
  Bench at;
  fill(at.sqe(1));
  SoftRing soft;
  io_uring ring{};
  io_uring_params params{};
  REQUIRE(soft.open(ring, params, 1, 0) == 0);
  ring.sq.array[0] = 0;
  ring.sq.sqes[0] = at.ring.sq.sqes[0];
  ++*ring.sq.ktail;
  Task task;
  task.request = soft.take();
  return task;
}

bool is_blocking(int fd) {
  return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

TEST_CASE("a send goes out at once, and leaves its socket blocking", "[epoll]") {
  Connected pair;
  const std::string text = "hello";
  Task task = task_of([&](auto& sqe) { uring::prep_send(sqe, pair.ours.fd(), to_bytes(text)); });
  CHECK(try_once(task) == 5);
  CHECK(pair.peer.receive(5) == text);
  CHECK(is_blocking(pair.ours.fd()));
}

TEST_CASE("a send of everything waits when the socket is full, and goes on from there", "[epoll]") {
  Connected pair;
  narrow(pair);
  const std::string text = test::random_bytes(1, 1 << 20);
  Task task = task_of([&](auto& sqe) { uring::prep_send(sqe, pair.ours.fd(), to_bytes(text)); });
  std::optional<int> res = try_once(task);
  CHECK_FALSE(res);
  CHECK(task.done > 0);
  CHECK(task.done < text.size());
  std::string received;
  while (!res) {
    received += pair.peer.receive(task.done - received.size());
    res = try_once(task);
  }
  CHECK(*res == 1 << 20);
  received += pair.peer.receive(text.size() - received.size());
  CHECK((received == text));
}

TEST_CASE("a send that need not be whole answers what went", "[epoll]") {
  Connected pair;
  narrow(pair);
  const std::string text(1 << 20, 'x');
  Task task = task_of([&](auto& sqe) {
    uring::prep_send(sqe, pair.ours.fd(), to_bytes(text));
    sqe.msg_flags = 0;
  });
  const std::optional<int> res = try_once(task);
  REQUIRE(res);
  CHECK(*res > 0);
  CHECK(*res < 1 << 20);
}

TEST_CASE("a send that fails after some bytes answers their number", "[epoll]") {
  Connected pair;
  narrow(pair);
  const std::string text(1 << 20, 'x');
  Task task = task_of([&](auto& sqe) { uring::prep_send(sqe, pair.ours.fd(), to_bytes(text)); });
  REQUIRE_FALSE(try_once(task));
  const auto sent = static_cast<int>(task.done);
  CHECK(cancelled_result(task) == sent);
  pair.peer.reset();
  CHECK(try_once(task) == sent);
  Task next = task_of([&](auto& sqe) { uring::prep_send(sqe, pair.ours.fd(), to_bytes(text)); });
  CHECK(try_once(next) == -EPIPE);
  CHECK(cancelled_result(next) == -ECANCELED);
}

TEST_CASE("a message of pieces of any size is sent whole from copies of its structures", "[epoll]") {
  Connected pair;
  narrow(pair);
  std::string text = test::random_bytes(2, 400'000);
  std::vector<iovec> pieces;
  for (std::size_t begin = 0, size = 1; begin < text.size(); begin += size, size = size * 3 % 70'001) {
    pieces.push_back({text.data() + begin, std::min(size, text.size() - begin)});
  }
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  Task task = task_of([&](auto& sqe) { uring::prep_sendmsg(sqe, pair.ours.fd(), message); });
  std::optional<int> res = try_once(task);
  REQUIRE_FALSE(res);
  keep(task);
  pieces.clear();
  message = {};
  std::string received;
  while (!res) {
    received += pair.peer.receive(task.done - received.size());
    res = try_once(task);
  }
  CHECK(*res == 400'000);
  received += pair.peer.receive(text.size() - received.size());
  CHECK((received == text));
}

TEST_CASE("a connect is under way, then done, and its socket blocking again", "[epoll]") {
  Listening listening;
  const Socket client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_storage name{};
  std::memcpy(&name, &listening.name, sizeof listening.name);
  Task task = task_of([&](auto& sqe) { uring::prep_connect(sqe, client.fd(), name, sizeof listening.name); });
  keep(task);
  name = {};
  const Nanoseconds deadline = Epoll{}.now() + static_cast<Nanoseconds>(long_time);
  std::optional<int> res;
  while (!res && Epoll{}.now() < deadline) res = try_once(task);
  CHECK(res == 0);
  CHECK(is_blocking(client.fd()));
}

TEST_CASE("a connect to nobody is refused, and its socket blocking again", "[epoll]") {
  sockaddr_storage name{};
  socklen_t size = 0;
  {
    const Listening listening;
    std::memcpy(&name, &listening.name, size = sizeof listening.name);
  }
  const Socket client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  Task task = task_of([&](auto& sqe) { uring::prep_connect(sqe, client.fd(), name, size); });
  const Nanoseconds deadline = Epoll{}.now() + static_cast<Nanoseconds>(long_time);
  std::optional<int> res;
  while (!res && Epoll{}.now() < deadline) res = try_once(task);
  CHECK(res == -ECONNREFUSED);
  CHECK(is_blocking(client.fd()));
}

TEST_CASE("a read of a blocking event waits until it was raised", "[epoll]") {
  const Socket event{::eventfd(0, EFD_CLOEXEC)};
  std::array<std::byte, 8> bytes{};
  Task task = task_of([&](auto& sqe) { uring::prep_read(sqe, event.fd(), bytes); });
  CHECK_FALSE(try_once(task));
  ::eventfd_write(event.fd(), 3);
  CHECK(try_once(task) == 8);
  CHECK(bytes[0] == std::byte{3});
}

TEST_CASE("a listener made non-blocking answers EAGAIN when its client is gone", "[epoll]") {
  const Listening listening;
  CHECK(is_blocking(listening.socket.fd()));
  set_non_blocking(listening.socket.fd());
  CHECK(::accept4(listening.socket.fd(), nullptr, nullptr, 0) == -1);
  CHECK(errno == EAGAIN);
}

}  // namespace
}  // namespace ringwire::kernel::epoll
