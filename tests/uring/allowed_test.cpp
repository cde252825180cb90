// The list of allowed requests against prep.hpp, read as text: what one names, the other must.
//
// Leaves to others: what a ring does with the list (lockdown_test.cpp).
#include "lib/uring/allowed.hpp"

#include "tests/support/catch.hpp"

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace ringwire::uring {
namespace {

// A header of lib/uring without its comments.
std::string code_of(const std::string& name) {
  std::ifstream file{std::string{RINGWIRE_SOURCE_ROOT} + "/lib/uring/" + name};
  std::ostringstream text;
  text << file.rdbuf();
  return std::regex_replace(text.str(), std::regex{"//[^\n]*"}, "");
}

std::set<std::string> names_in(const std::string& code, const std::string& pattern) {
  const std::regex word{"\\b(?:" + pattern + ")\\b"};
  return {std::sregex_token_iterator{code.begin(), code.end(), word}, std::sregex_token_iterator{}};
}

void check_same_names(const std::string& pattern) {
  const std::set<std::string> written = names_in(code_of("prep.hpp"), pattern);
  CHECK_FALSE(written.empty());
  CHECK(written == names_in(code_of("allowed.hpp"), pattern));
}

TEST_CASE("the allowed opcodes are those prep.hpp writes") {
  check_same_names("IORING_OP_\\w+|abi::op_\\w+");
}

TEST_CASE("the allowed flags are those prep.hpp sets") {
  check_same_names("IOSQE_\\w+|abi::sqe_\\w+");
}

TEST_CASE("prep.hpp writes opcodes and flags by their names, where the list can be held against it") {
  const std::string code = code_of("prep.hpp");
  const auto count = [&](const std::string& pattern) {
    const std::regex word{pattern};
    return std::distance(std::sregex_iterator{code.begin(), code.end(), word}, std::sregex_iterator{});
  };
  CHECK(count("\\bvoid prep_\\w+\\(") > 10);
  CHECK(count("\\bvoid prep_\\w+\\(") == count("sqe\\.opcode = (?:IORING_OP_|abi::op_)\\w+;"));
  CHECK(count("sqe\\.flags\\b") == count("sqe\\.flags \\|?= (?:IOSQE_|abi::sqe_)\\w+;"));
}

TEST_CASE("no opcode and no registration stands in the list twice") {
  CHECK(std::set<int>(allowed_opcodes.begin(), allowed_opcodes.end()).size() == allowed_opcodes.size());
  CHECK(std::set<int>(allowed_registrations.begin(), allowed_registrations.end()).size() ==
        allowed_registrations.size());
}

}  // namespace
}  // namespace ringwire::uring
