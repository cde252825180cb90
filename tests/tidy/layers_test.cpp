// The layer rules can fail: each is shown a small page or tree that breaks it.
#include "tests/tidy/layers.hpp"

#include "tests/support/catch.hpp"
#include "tests/tidy/tree.hpp"

#include <string>

namespace ringwire::tidy {
namespace {

const std::string page = R"(# Layers
## The table
| # | folder | owns | may include | must not know |
|---|---|---|---|---|
| – | `include/ringwire` | the face | std | lib |
| 0 | `lib/base` | words | std, fmt | I/O |
| 1 | `lib/net` | sockets | base, system | rings |
| 1 | `lib/uring` | rings | base, liburing | sockets |

## Sources without a test of their own
| source | why |
|---|---|
| `lib/base/main.cpp` | it is a table |
)";

std::size_t findings_in(const std::string& path, const std::string& line) {
  return check_includes(make_source(path, line + "\n"), parse_layers(page)).size();
}

TEST_CASE("the layer table gives each folder its number and what it may include") {
  const Layers layers = parse_layers(page);
  CHECK(layers.number.at("base") == 0);
  CHECK(layers.number.at("uring") == 1);
  CHECK(layers.allowed.at("net") == std::set<std::string>{"base", "system"});
  CHECK(layers.untested.at("lib/base/main.cpp") == "it is a table");
}

TEST_CASE("an include upward or sideways is found, one downward is not") {
  CHECK(findings_in("lib/base/x.cpp", R"(#include "lib/net/y.hpp")") == 1);
  CHECK(findings_in("lib/net/x.cpp", R"(#include "lib/uring/y.hpp")") == 1);
  CHECK(findings_in("lib/net/x.cpp", R"(#include "lib/base/y.hpp")") == 0);
  CHECK(findings_in("lib/net/x.cpp", R"(#include "lib/net/y.hpp")") == 0);
}

TEST_CASE("an include of a library the layer has no business with is found") {
  CHECK(findings_in("lib/net/x.cpp", "#include <liburing.h>") == 1);
  CHECK(findings_in("lib/uring/x.cpp", "#include <liburing.h>") == 0);
  CHECK(findings_in("lib/base/x.cpp", "#include <sys/socket.h>") == 1);
  CHECK(findings_in("lib/net/x.cpp", "#include <sys/socket.h>") == 0);
  CHECK(findings_in("lib/base/x.cpp", "#include <boost/asio.hpp>") == 1);
  CHECK(findings_in("lib/base/x.cpp", "#include <fmt/format.h>") == 0);
}

TEST_CASE("public headers and the standard library are open to every layer") {
  CHECK(findings_in("lib/uring/x.cpp", "#include <ringwire/bytes.hpp>") == 0);
  CHECK(findings_in("lib/uring/x.cpp", "#include <vector>") == 0);
}

TEST_CASE("an include by a relative path is found, one in a comment is not") {
  CHECK(findings_in("lib/net/x.cpp", R"(#include "y.hpp")") == 1);
  CHECK(findings_in("lib/net/x.cpp", R"(// #include "lib/uring/y.hpp")") == 0);
}

TEST_CASE("a folder without a row is found") {
  CHECK(findings_in("lib/extra/x.cpp", "#include <vector>") == 1);
  CHECK(check_layers(parse_layers(page), {"base", "extra"}).size() == 1);
}

TEST_CASE("a table that lets a folder look sideways contradicts itself") {
  Layers layers = parse_layers(page);
  CHECK(check_layers(layers, {"base", "net", "uring"}).empty());
  layers.allowed["net"].insert("uring");
  CHECK(check_layers(layers, {"base", "net", "uring"}).size() == 1);
}

TEST_CASE("a source without a test, or not listed in a meson.build, is found") {
  Tree tree;
  tree.write("lib/base/a.cpp", "// a\n");
  tree.write("lib/base/meson.build", "files('a.cpp')\n");
  CHECK(check_tested(tree.root(), {}).size() == 1);

  tree.write("tests/base/a_test.cpp", "// a\n");
  CHECK(check_tested(tree.root(), {}).size() == 1);  // The test is there, but nobody compiles it.

  tree.write("tests/base/meson.build", "files('a_test.cpp')\n");
  CHECK(check_tested(tree.root(), {}).empty());

  tree.write("lib/base/meson.build", "files()\n");
  CHECK(check_tested(tree.root(), {}).size() == 1);
}

TEST_CASE("a folder within a folder belongs to it: the same includes, and tests beside the tests") {
  CHECK(findings_in("lib/net/deep/x.cpp", R"(#include "lib/net/deep/x.hpp")") == 0);
  CHECK(findings_in("lib/net/deep/x.cpp", R"(#include "lib/net/y.hpp")") == 0);
  CHECK(findings_in("lib/net/deep/x.cpp", R"(#include "lib/base/deep/y.hpp")") == 0);
  CHECK(findings_in("lib/net/deep/x.cpp", R"(#include "lib/uring/deep/y.hpp")") == 1);
  CHECK(findings_in("lib/base/x.cpp", R"(#include "lib/net/deep/x.hpp")") == 1);

  Tree tree;
  tree.write("lib/net/deep/a.cpp", "// a\n");
  tree.write("lib/net/deep/meson.build", "files('a.cpp')\n");
  tree.write("tests/net/a_test.cpp", "// of another a\n");
  CHECK(check_tested(tree.root(), {}).size() == 1);
  tree.write("tests/net/deep/a_test.cpp", "// a\n");
  tree.write("tests/net/deep/meson.build", "files('a_test.cpp')\n");
  CHECK(check_tested(tree.root(), {}).empty());
}

TEST_CASE("an exception excuses a missing test, and is found when it is not needed") {
  Tree tree;
  tree.write("lib/base/main.cpp", "// main\n");
  tree.write("lib/base/meson.build", "files('main.cpp')\n");
  CHECK(check_tested(tree.root(), parse_layers(page)).empty());

  tree.write("tests/base/main_test.cpp", "// main\n");
  tree.write("tests/base/meson.build", "files('main_test.cpp')\n");
  CHECK(check_tested(tree.root(), parse_layers(page)).size() == 1);
}

}  // namespace
}  // namespace ringwire::tidy
