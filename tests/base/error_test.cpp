// Every failure has a name, a cause and a cure, and the particulars of the last one.
#include "lib/base/error.hpp"

#include "tests/support/catch.hpp"

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

namespace ringwire {
namespace {

using Catch::Matchers::StartsWith;
using ringwire::test::contains;

const std::vector<Error> all_errors{
    Error::end_of_stream,   Error::closed,         Error::idle_timeout,       Error::close_timeout,
    Error::handler_failed,  Error::engine_stopped, Error::invalid_address,    Error::unsupported_protocol,
    Error::invalid_option,  Error::kernel_too_old, Error::io_uring_forbidden, Error::memlock_too_small,
    Error::lockdown_failed, Error::read_timeout,   Error::write_timeout,      Error::lifetime_ended,
    Error::outbound_limit,
};

std::error_code code_of(std::errc error) {
  return base::to_error(-static_cast<int>(error));
}

TEST_CASE("an error converts to a code of ringwire's category") {
  const std::error_code code = Error::closed;
  CHECK(code);
  CHECK(code == Error::closed);
  CHECK(code != Error::end_of_stream);
  CHECK(std::string{code.category().name()} == "ringwire");
}

TEST_CASE("a negative result is an errno of the system category") {
  const std::error_code code = base::to_error(-ECONNRESET);
  CHECK(code == std::errc::connection_reset);
  CHECK(code.category() == std::system_category());
  CHECK(code.value() == ECONNRESET);
}

TEST_CASE("a result of zero or more is no error") {
  CHECK_FALSE(base::to_error(0));
  CHECK_FALSE(base::to_error(17));
}

TEST_CASE("every error has a phrase and an advice of its own") {
  std::vector<std::string> seen;
  for (const Error error : all_errors) {
    const std::string text = explain(error);
    CAPTURE(text);
    CHECK_THAT(text, StartsWith(make_error_code(error).message() + ". "));
    CHECK(text.back() == '.');
    CHECK(text.find("unknown") == std::string::npos);
    for (const std::string& other : seen) CHECK(other != text);
    seen.push_back(text);
  }
}

TEST_CASE("explaining no error says so") {
  CHECK(explain({}) == "no error");
}

TEST_CASE("forbidden io_uring is explained by sysctl and seccomp") {
  const std::string text = explain(Error::io_uring_forbidden);
  CHECK_THAT(text, contains("kernel.io_uring_disabled") && contains("seccomp") &&
                       contains("io_uring_setup") && contains("io_uring_enter") &&
                       contains("io_uring_register"));
}

TEST_CASE("an old kernel is explained by the version that is needed") {
  CHECK_THAT(explain(Error::kernel_too_old), contains("Linux 6.1"));
}

TEST_CASE("a small memlock limit is explained by how to raise it and how to need less") {
  CHECK_THAT(explain(Error::memlock_too_small),
             contains("ulimit -l") && contains("LimitMEMLOCK=") && contains("recv_buffers_count"));
}

TEST_CASE("errno values a user can do something about are explained with a cure") {
  CHECK_THAT(explain(code_of(std::errc::address_in_use)), contains("ss -ltnp"));
  CHECK_THAT(explain(code_of(std::errc::permission_denied)), contains("1024"));
  CHECK_THAT(explain(code_of(std::errc::too_many_files_open)),
             contains("ulimit -n") && contains("LimitNOFILE="));
  CHECK_THAT(explain(code_of(std::errc::too_many_files_open_in_system)), contains("fs.file-max"));
  CHECK_THAT(explain(code_of(std::errc::address_not_available)), contains("ip address"));
  CHECK_THAT(explain(code_of(std::errc::address_family_not_supported)), contains("tcp4"));
  CHECK_THAT(explain(code_of(std::errc::connection_refused)), contains("nothing listens"));
  CHECK_THAT(explain(code_of(std::errc::not_enough_memory)), contains("memory"));
}

TEST_CASE("any other code is explained by its own message") {
  CHECK(explain(base::to_error(-EPIPE)) == base::to_error(-EPIPE).message() + ".");
  CHECK(explain(std::make_error_code(std::io_errc::stream)) ==
        std::make_error_code(std::io_errc::stream).message() + ".");
}

TEST_CASE("the detail of the last failure begins its explanation") {
  const std::error_code code = base::fail(Error::invalid_option, "loops is 4096, at most 1024 are allowed");
  CHECK(code == Error::invalid_option);
  CHECK_THAT(explain(code),
             StartsWith("loops is 4096, at most 1024 are allowed. ") && contains("options.hpp"));
}

TEST_CASE("a detail is not put in for another code") {
  base::fail(Error::invalid_option, "loops is 4096");
  CHECK(explain(Error::invalid_address).find("4096") == std::string::npos);
}

TEST_CASE("a detail is replaced by the next failure") {
  base::fail(Error::invalid_option, "first");
  base::fail(Error::invalid_option, "second");
  CHECK_THAT(explain(Error::invalid_option), StartsWith("second. "));
}

TEST_CASE("a detail stays on its thread") {
  base::fail(Error::invalid_option, "mine");
  std::string other;
  std::thread([&other] { other = explain(Error::invalid_option); }).join();
  CHECK(other.find("mine") == std::string::npos);
  CHECK_THAT(explain(Error::invalid_option), StartsWith("mine. "));
}

}  // namespace
}  // namespace ringwire
