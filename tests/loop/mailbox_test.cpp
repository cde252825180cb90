// Letters reach the loop, or are told that they never will.
#include "lib/loop/mailbox.hpp"

#include <ringwire/error.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/script_kernel.hpp"

#include <vector>

using ringwire::Error;
using ringwire::loop::Loop;
using ringwire::loop::Mail;
using ringwire::loop::Mailbox;
using ringwire::test::ScriptKernel;

TEST_CASE("only the first letter rings the bell", "[mailbox]") {
  ScriptKernel kernel;
  Mailbox mailbox{kernel, 10};
  mailbox.open(-1, 5);
  CHECK_FALSE(mailbox.post([](Loop*, std::error_code) {}));
  CHECK_FALSE(mailbox.post([](Loop*, std::error_code) {}));
  CHECK(kernel.signalled == std::vector<int>{5});
  std::vector<Mail> letters;
  mailbox.take(letters);
  CHECK(letters.size() == 2);
  CHECK_FALSE(mailbox.post([](Loop*, std::error_code) {}));
  CHECK(kernel.signalled.size() == 2);
}

TEST_CASE("a wake without memory is tried until it is heard", "[mailbox]") {
  ScriptKernel kernel;
  io_uring ring{};
  io_uring_params params{};
  REQUIRE(kernel.open_ring(ring, 4, params) >= 0);
  Mailbox mailbox{kernel, 10};
  mailbox.open(ring.ring_fd, -1);
  kernel.wake_results = {-ENOMEM, -ENOMEM};
  CHECK_FALSE(mailbox.post([](Loop*, std::error_code) {}));
  CHECK(kernel.wake_results.empty());
  CHECK(kernel.wakes == 3);
}

TEST_CASE("at home no bell is rung", "[mailbox]") {
  ScriptKernel kernel;
  Mailbox mailbox{kernel, 10};
  mailbox.open(-1, 5);
  mailbox.enter();
  CHECK(mailbox.is_current());
  CHECK_FALSE(mailbox.post([](Loop*, std::error_code) {}));
  mailbox.leave();
  CHECK_FALSE(mailbox.is_current());
  CHECK(kernel.signalled.empty());
}

TEST_CASE("a full mailbox refuses and leaves the letter intact", "[mailbox]") {
  ScriptKernel kernel;
  Mailbox mailbox{kernel, 1};
  CHECK_FALSE(mailbox.post([](Loop*, std::error_code) {}));
  std::error_code told;
  Mail letter{[&](Loop*, std::error_code refused) { told = refused; }};
  const auto refused = mailbox.post(std::move(letter));
  CHECK(refused == std::errc::resource_unavailable_try_again);
  REQUIRE(letter);
  letter(nullptr, refused);
  CHECK(told == refused);
}

TEST_CASE("the loop's own letters find room in a full mailbox", "[mailbox]") {
  ScriptKernel kernel;
  Mailbox mailbox{kernel, 1};
  CHECK_FALSE(mailbox.post([](Loop*, std::error_code) {}));
  mailbox.enter();
  CHECK_FALSE(mailbox.post([](Loop*, std::error_code) {}));
  mailbox.leave();
  CHECK(mailbox.post([](Loop*, std::error_code) {}) == std::errc::resource_unavailable_try_again);
}

TEST_CASE("letters left when the loop ends come out, and nobody rings any more", "[mailbox]") {
  ScriptKernel kernel;
  Mailbox mailbox{kernel, 10};
  mailbox.open(-1, 5);
  CHECK_FALSE(mailbox.post([](Loop*, std::error_code) {}));
  std::vector<Mail> rest;
  mailbox.close(rest);
  CHECK(rest.size() == 1);
  kernel.signalled.clear();
  CHECK(mailbox.post([](Loop*, std::error_code) {}) == Error::closed);
  mailbox.wake();
  CHECK(kernel.signalled.empty());
}
