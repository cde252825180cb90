// Messages and the bell: nothing is lost, and nobody rings for who is awake.
#include "lib/kernel/epoll/inbox.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/wait.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace ringwire::kernel::epoll {
namespace {

// How often the bell was rung since the last look.
std::uint64_t rings(const Inbox& inbox) {
  std::uint64_t count = 0;
  return ::read(inbox.bell(), &count, sizeof count) == sizeof count ? count : 0;
}

TEST_CASE("messages are taken in the order they were posted, once", "[epoll]") {
  Inbox inbox;
  REQUIRE(inbox.open() == 0);
  for (int number = 0; number < 3; ++number) CHECK(inbox.post({7, number}) == 0);
  std::vector<Message> taken;
  inbox.take(taken);
  REQUIRE(taken.size() == 3);
  for (int number = 0; number < 3; ++number) CHECK(taken[static_cast<std::size_t>(number)].res == number);
  taken.clear();
  inbox.take(taken);
  CHECK(taken.empty());
}

TEST_CASE("the bell rings for a sleeper only, and once", "[epoll]") {
  Inbox inbox;
  REQUIRE(inbox.open() == 0);
  inbox.post({1, 0});
  CHECK(rings(inbox) == 0);
  std::vector<Message> taken;
  inbox.take(taken);
  REQUIRE(inbox.fall_asleep());
  inbox.post({2, 0});
  inbox.post({3, 0});
  CHECK(rings(inbox) == 1);
  inbox.wake_up();
  inbox.post({4, 0});
  CHECK(rings(inbox) == 0);
}

TEST_CASE("who has a message does not fall asleep", "[epoll]") {
  Inbox inbox;
  REQUIRE(inbox.open() == 0);
  inbox.post({1, 0});
  CHECK_FALSE(inbox.fall_asleep());
  std::vector<Message> taken;
  inbox.take(taken);
  CHECK(inbox.fall_asleep());
}

TEST_CASE("what many threads post while the owner falls asleep and wakes all arrives", "[epoll]") {
  constexpr std::size_t posters = 4;
  const std::size_t each = test::scaled(20'000, 2'000);
  Inbox inbox;
  REQUIRE(inbox.open() == 0);
  std::vector<std::thread> threads;
  for (std::size_t poster = 0; poster < posters; ++poster) {
    threads.emplace_back([&, poster] {
      for (std::size_t number = 0; number < each; ++number) {
        inbox.post({poster, static_cast<std::int32_t>(number)});
      }
    });
  }
  std::array<std::size_t, posters> next{};
  std::size_t count = 0;
  bool in_order = true;
  bool woken = true;
  std::vector<Message> taken;
  while (count < posters * each && woken) {
    if (inbox.fall_asleep()) {
      pollfd look{inbox.bell(), POLLIN, 0};
      woken = ::poll(&look, 1, static_cast<int>(test::patience.count())) == 1;
      rings(inbox);
      inbox.wake_up();
    }
    inbox.take(taken);
    for (const Message& message : taken) {
      in_order = in_order && static_cast<std::size_t>(message.res) == next[message.user_data]++;
    }
    count += taken.size();
    taken.clear();
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(woken);
  CHECK(in_order);
  CHECK(count == posters * each);
}

}  // namespace
}  // namespace ringwire::kernel::epoll
