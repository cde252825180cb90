// The mailbox: who wakes, what is refused, and that nothing is lost between threads.
#include "lib/base/mailbox.hpp"

#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"

#include <memory>
#include <thread>
#include <vector>

namespace ringwire::base {
namespace {

using Letter = std::unique_ptr<int>;

Letter letter(int number) {
  return std::make_unique<int>(number);
}

TEST_CASE("the first post since the last take must wake, the others need not") {
  Mailbox<Letter> mailbox(10);
  std::vector<Letter> out;
  CHECK(mailbox.post(letter(1)) == Posted::first);
  CHECK(mailbox.post(letter(2)) == Posted::queued);
  CHECK(mailbox.post(letter(3)) == Posted::queued);
  mailbox.take(out);
  out.clear();
  CHECK(mailbox.post(letter(4)) == Posted::first);
}

TEST_CASE("mail is taken all at once, in order") {
  Mailbox<Letter> mailbox(10);
  std::vector<Letter> out;
  for (int number = 0; number < 5; ++number) (void)mailbox.post(letter(number));
  CHECK(mailbox.has_mail());
  mailbox.take(out);
  CHECK_FALSE(mailbox.has_mail());
  REQUIRE(out.size() == 5);
  for (int number = 0; number < 5; ++number) CHECK(*out[static_cast<std::size_t>(number)] == number);
}

TEST_CASE("letters that wait are counted, and none is left after taking or closing") {
  Mailbox<Letter> mailbox(2);
  std::vector<Letter> out;
  CHECK(mailbox.size() == 0);
  for (int number = 0; number < 3; ++number) (void)mailbox.post(letter(number));
  CHECK(mailbox.size() == 2);  // The third was refused.
  mailbox.take(out);
  CHECK(mailbox.size() == 0);
  out.clear();
  (void)mailbox.post(letter(3));
  mailbox.close(out);
  CHECK(mailbox.size() == 0);
}

TEST_CASE("taking from an empty mailbox answers nothing") {
  Mailbox<Letter> mailbox(10);
  std::vector<Letter> out;
  CHECK_FALSE(mailbox.has_mail());
  mailbox.take(out);
  CHECK(out.empty());
}

TEST_CASE("a full mailbox refuses and leaves the letter with its sender") {
  Mailbox<Letter> mailbox(2);
  std::vector<Letter> out;
  (void)mailbox.post(letter(1));
  (void)mailbox.post(letter(2));
  Letter third = letter(3);
  CHECK(mailbox.post(std::move(third)) == Posted::full);
  REQUIRE(third != nullptr);
  mailbox.take(out);
  CHECK(out.size() == 2);
  CHECK(mailbox.post(std::move(third)) == Posted::first);
  CHECK(third == nullptr);
}

TEST_CASE("a closed mailbox hands out the rest, then refuses and leaves the letter with its sender") {
  Mailbox<Letter> mailbox(2);
  (void)mailbox.post(letter(1));
  std::vector<Letter> rest;
  mailbox.close(rest);
  REQUIRE(rest.size() == 1);
  CHECK_FALSE(mailbox.has_mail());
  Letter late = letter(2);
  CHECK(mailbox.post(std::move(late)) == Posted::closed);
  CHECK(late != nullptr);
  rest.clear();
  mailbox.close(rest);
  CHECK(rest.empty());
}

TEST_CASE("taking into a vector that still has letters is refused") {
  CHECK_THAT(test::death_of([] {
               Mailbox<Letter> mailbox(2);
               std::vector<Letter> out(1);
               mailbox.take(out);
             }),
             ringwire::test::contains("1 letters were not read"));
}

TEST_CASE("four threads lose no letter, keep their own order, and one wakes for each take") {
  constexpr int senders_count = 4;
  constexpr int letters_count = 20'000;
  struct Mail {
    int sender;
    int number;
  };
  Mailbox<Mail> mailbox(64);  // Small, so that `full` happens.
  std::atomic<int> wakes{0};
  std::vector<std::thread> senders;
  for (int sender = 0; sender < senders_count; ++sender) {
    senders.emplace_back([&mailbox, &wakes, sender] {
      for (int number = 0; number < letters_count; ++number) {
        Posted posted = Posted::full;
        while ((posted = mailbox.post({sender, number})) == Posted::full) std::this_thread::yield();
        if (posted == Posted::first) wakes.fetch_add(1);
      }
    });
  }
  std::vector<int> expected(senders_count, 0);
  std::vector<Mail> out;
  int takes = 0;
  bool ordered = true;
  for (int left = senders_count * letters_count; left > 0;) {
    if (!mailbox.has_mail()) {
      std::this_thread::yield();
      continue;
    }
    mailbox.take(out);
    ++takes;
    left -= static_cast<int>(out.size());
    for (const Mail& mail : out)
      ordered = ordered && expected[static_cast<std::size_t>(mail.sender)]++ == mail.number;
    out.clear();
  }
  for (std::thread& sender : senders) sender.join();
  CHECK(ordered);
  CHECK(expected == std::vector<int>(senders_count, letters_count));
  CHECK(wakes.load() == takes);
}

}  // namespace
}  // namespace ringwire::base
