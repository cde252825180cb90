// The rule about docs/contract.md can fail: it is shown small pages and trees that break it.
#include "tests/tidy/contract.hpp"

#include "tests/support/catch.hpp"
#include "tests/tidy/tree.hpp"

#include <string>

namespace ringwire::tidy {
namespace {

// A table with one promise, kept by what stands in `cell`.
std::string page_with(const std::string& cell) {
  return "# Contract\n\n| gnet | ringwire | test |\n|---|---|---|\n| `Write` | **more** | " + cell + " |\n";
}

std::string case_named(const std::string& name) {
  return "TEST_CASE(" + name + ") {}\n";
}

// Findings where tests/contract/writing.cpp has the case "bytes leave".
std::size_t findings_for(const std::string& page) {
  const Tree tree;
  tree.write("docs/contract.md", page);
  tree.write("tests/contract/writing.cpp", case_named("\"bytes leave\""));
  return check_contract(tree.root()).size();
}

}  // namespace

TEST_CASE("a promise with a test that exists is well") {
  CHECK(findings_for(page_with("`contract/writing.cpp` \"bytes leave\"")) == 0);
}

TEST_CASE("a test that a page names and nobody wrote is found, and so is one in a file that is not there") {
  CHECK(findings_for(page_with("`contract/writing.cpp` \"bytes leave\" · `conn/x.cpp` \"bytes leave\"")) ==
        1);
  CHECK(findings_for(
            page_with("`contract/writing.cpp` \"bytes leave\" · `contract/writing.cpp` \"bytes\"")) == 1);
}

TEST_CASE("a promise without a test is found, and a page without promises") {
  CHECK(findings_for(page_with("`contract/writing.cpp` \"bytes leave\"") + "| `Read` | the same | |\n") == 1);
  CHECK(findings_for("`contract/writing.cpp` \"bytes leave\"\n") == 1);
}

TEST_CASE("a table without a column for tests promises nothing") {
  const std::string other = "\n| gnet | ringwire |\n|---|---|\n| `Conn` | `Conn` |\n";
  CHECK(findings_for(page_with("`contract/writing.cpp` \"bytes leave\"") + other) == 0);
}

TEST_CASE("a file of tests/contract that the page does not name is found, one without tests is not") {
  const Tree tree;
  tree.write("docs/contract.md", page_with("`conn/send_test.cpp` \"bytes leave\""));
  tree.write("tests/conn/send_test.cpp", case_named("\"bytes leave\""));
  tree.write("tests/contract/helper.cpp", "// Helps.\n");
  CHECK(check_contract(tree.root()).empty());
  tree.write("tests/contract/writing.cpp", case_named("\"bytes leave\""));
  CHECK(check_contract(tree.root()).size() == 1);
}

TEST_CASE("the name of a test is found whole, however it is broken, with tags and without") {
  CHECK(test_cases_in(case_named("\"one \"\n    \"name\", \"[tag]\"") + case_named("\n\"other\"")) ==
        std::set<std::string>{"one name", "other"});
}

}  // namespace ringwire::tidy
