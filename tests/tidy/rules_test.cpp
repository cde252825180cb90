// Each rule can fail: it is shown a small bad example, and the good one beside it.
#include "tests/tidy/rules.hpp"

#include "tests/support/catch.hpp"
#include "tests/tidy/tree.hpp"

#include <string>
#include <vector>

namespace ringwire::tidy {
namespace {

bool banned(const std::string& code, const std::string& path = "lib/loop/x.cpp") {
  return !check_words(make_source(path, code + "\n")).empty();
}

bool cast(const std::string& code) {
  return !check_casts(make_source("lib/loop/x.cpp", code + "\n")).empty();
}

// How many declarations of a header lack their comment.
std::size_t bare(const std::string& body) {
  return check_documented(make_source("lib/base/x.hpp", body)).size();
}

std::string lines(std::size_t count, const std::string& line) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += line + "\n";
  return text;
}

TEST_CASE("comments and the insides of literals are not code") {
  CHECK(blank_comments_and_literals("a // printf\nb") == "a          \nb");
  CHECK(blank_comments_and_literals("a /* x\ny */ b") == "a     \n     b");
  CHECK(blank_comments_and_literals(R"(f("x\"y", 'z');)") == R"(f("    ", ' ');)");
  CHECK(blank_comments_and_literals("R\"q(a\n\")q\" b") == "R\"   \n   \" b");
  CHECK(blank_comments_and_literals("1'000'000 + 'a'") == "1'000'000 + ' '");
  CHECK(blank_comments_and_literals("\"//\" + a") == "\"  \" + a");
}

TEST_CASE("printing past the log is found") {
  CHECK(banned(R"(std::printf("x");)"));
  CHECK(banned(R"(fprintf(stderr, "x");)"));
  CHECK(banned("std::cout << 1;"));
  CHECK_FALSE(banned(R"(log.info("printf(");  // printf(x))"));
  CHECK_FALSE(banned("on_printf(x);"));
  CHECK_FALSE(banned(R"(std::printf("x");)", "examples/x.cpp"));
}

TEST_CASE("naked new and delete are found, placement and deleted functions are not") {
  CHECK(banned("auto* x = new Thing();"));
  CHECK(banned("return new char[4];"));
  CHECK(banned("delete x;"));
  CHECK(banned("if (x) delete[] x;"));
  CHECK_FALSE(banned("::new (memory) Thing();"));
  CHECK_FALSE(banned("Thing(const Thing&) = delete;"));
  CHECK_FALSE(banned("int new_count = 0;"));
  CHECK_FALSE(banned("// a new thing"));
}

TEST_CASE("shared ownership on the hot path is found") {
  CHECK(banned("std::shared_ptr<Thing> thing;"));
  CHECK(banned("auto thing = std::make_shared<Thing>();"));
  CHECK_FALSE(banned("std::shared_ptr<Thing> thing;", "lib/engine/x.cpp"));
  CHECK(banned("std::function<void()> task;"));
  CHECK_FALSE(banned("Function<void()> task;"));
}

TEST_CASE("a file may use the words it has a reason for, and no others") {
  const Source source = make_source("lib/loop/x.cpp", "std::shared_ptr<int> a;\nstd::function<void()> b;\n");
  CHECK(check_words(source).size() == 2);
  CHECK(check_words(source, {"shared_ptr"}).size() == 1);
}

TEST_CASE("opening a namespace for good and capturing everything are found") {
  CHECK(banned("using namespace std;"));
  CHECK_FALSE(banned("using std::swap;"));
  CHECK(banned("auto f = [=] { g(); };"));
  CHECK(banned("auto f = [=, this] { g(); };"));
  CHECK_FALSE(banned("auto f = [a = b] { g(); };"));
}

TEST_CASE("reinterpret_cast is at home in kernel, uring and net only") {
  CHECK(banned("auto* p = reinterpret_cast<char*>(q);"));
  CHECK_FALSE(banned("auto* p = reinterpret_cast<char*>(q);", "lib/uring/x.cpp"));
  CHECK_FALSE(banned("auto* p = reinterpret_cast<char*>(q);", "lib/net/x.cpp"));
}

TEST_CASE("liburing's prep functions are at home in prep.hpp only") {
  CHECK(banned("io_uring_prep_send(sqe, fd, data, size, 0);", "lib/uring/ring.cpp"));
  CHECK_FALSE(banned("io_uring_prep_send(sqe, fd, data, size, 0);", "lib/uring/prep.hpp"));
}

TEST_CASE("system calls are found outside lib/kernel") {
  CHECK(banned("::close(fd);"));
  CHECK(banned("if (::read(fd, data, size) < 0) return;"));
  CHECK(banned("setsockopt(fd, 1, 2, &value, size);"));
  CHECK(banned("void* p = mmap(nullptr, 1, 2, 3, 4, 5);"));
  CHECK(banned("const char* v = std::getenv(name);"));
  CHECK(banned("io_uring_submit(&ring);"));
  CHECK_FALSE(banned("::close(fd);", "lib/kernel/linux.cpp"));
}

TEST_CASE("members and functions of ours that share a system call's name are not system calls") {
  CHECK_FALSE(banned("conn.close();"));
  CHECK_FALSE(banned("conn->write(bytes);"));
  CHECK_FALSE(banned("close();"));
  CHECK_FALSE(banned("void Conn::close() {"));
  CHECK_FALSE(banned("kernel_.close(fd);"));
  CHECK_FALSE(banned("io_uring_cqe_seen(&ring, cqe);"));
}

TEST_CASE("clocks, threads and randomness are found outside lib/kernel") {
  CHECK(banned("auto now = std::chrono::steady_clock::now();"));
  CHECK(banned("std::thread worker(run);"));
  CHECK(banned("std::this_thread::sleep_for(delay);"));
  CHECK(banned("std::random_device seed;"));
  CHECK_FALSE(banned("std::thread worker(run);", "lib/kernel/linux.cpp"));
  CHECK_FALSE(banned("std::chrono::milliseconds delay{1};"));
}

TEST_CASE("a C cast is found") {
  CHECK(cast("int a = (int)b;"));
  CHECK(cast("f((sockaddr*)&name);"));
  CHECK(cast("return (unsigned char)c;"));
  CHECK(cast("(void)unused;"));
  CHECK(cast("a = b + (std::uint32_t)c;"));
}

TEST_CASE("what only looks like a C cast is not found") {
  CHECK_FALSE(cast("if (state) return;"));
  CHECK_FALSE(cast("int f(int) const;"));
  CHECK_FALSE(cast("virtual void f(void*) noexcept = 0;"));
  CHECK_FALSE(cast("std::size_t a = sizeof(int) * b;"));
  CHECK_FALSE(cast("Function<void(int)> f;"));
  CHECK_FALSE(cast("R (*call)(void* storage);"));
  CHECK_FALSE(cast("auto a = static_cast<int>(b);"));
  CHECK_FALSE(cast("return (a * b) + c;"));
  CHECK_FALSE(cast("x = decltype(int){};"));
}

TEST_CASE("marks of unfinished work are found, also in comments") {
  CHECK(check_unfinished(make_source("lib/x.cpp",
                                     "// TO"
                                     "DO: later\n"))
            .size() == 1);
  CHECK(check_unfinished(make_source("lib/x.cpp",
                                     "int a;  // FIX"
                                     "ME\n"))
            .size() == 1);
  CHECK(check_unfinished(make_source("lib/x.cpp",
                                     "mkdtemp(\"XX"
                                     "XXXX\")\n"))
            .empty());
}

TEST_CASE("a line of 111 columns is found, and characters count, not bytes") {
  CHECK(check_columns(make_source("lib/x.cpp", std::string(110, 'a'))).empty());
  CHECK(check_columns(make_source("lib/x.cpp", std::string(111, 'a'))).size() == 1);
  std::string arrows;
  for (int i = 0; i < 110; ++i) arrows += "→";
  CHECK(check_columns(make_source("lib/x.cpp", arrows)).empty());
}

TEST_CASE("a file of one line too many is found") {
  CHECK(check_file_length(make_source("lib/x.cpp", lines(400, "a")), file_lines_max).empty());
  CHECK(check_file_length(make_source("lib/x.cpp", lines(401, "a")), file_lines_max).size() == 1);
}

TEST_CASE("a function of 71 lines is found, one of 70 is not") {
  const auto of = [](std::size_t count) {
    return make_source("lib/x.cpp",
                       "namespace n {\nint f(int a) {\n" + lines(count - 2, "  a += 1;") + "}\n}\n");
  };
  CHECK(check_function_length(of(70)).empty());
  CHECK(check_function_length(of(71)).size() == 1);
}

TEST_CASE("functions are told from types, initialisers and lambdas") {
  const Source source = make_source("lib/x.cpp",
                                    "namespace n {\n"
                                    "class A {\n"
                                    " public:\n"
                                    "  A(int b) : b_{b}, c_{1} {\n"
                                    "    run([] { return 1; });\n"
                                    "  }\n"
                                    "  int get() const noexcept { return b_; }\n"
                                    "  int b_{2};\n"
                                    "};\n"
                                    "const int table[] = {\n"
                                    "  1,\n"
                                    "};\n"
                                    "auto A::f(std::string_view text = {}) -> int {\n"
                                    "  for (;;) {\n"
                                    "  }\n"
                                    "}\n"
                                    "}\n");
  const std::vector<FunctionSpan> functions = functions_of(source);
  REQUIRE(functions.size() == 3);
  CHECK(functions[0].lines_count == 3);
  CHECK(functions[1].name == "get");
  CHECK(functions[2].line == 13);
  CHECK(functions[2].lines_count == 4);
}

TEST_CASE("a declaration without its comment is found") {
  CHECK(bare("namespace n {\nint f();\n}\n") == 1);
  CHECK(bare("namespace n {\n/// Says f.\nint f();\n}\n") == 0);
  CHECK(bare("namespace n {\n// Not the right kind.\nint f();\n}\n") == 1);
  CHECK(bare("namespace n {\nclass A {\n};\n}\n") == 1);
  CHECK(bare("namespace n {\nenum class A { a, b };\n}\n") == 1);
  CHECK(bare("namespace n {\nusing A = int;\n}\n") == 1);
  CHECK(bare("namespace n {\ninline constexpr int a = 1;\n}\n") == 1);
  CHECK(bare("namespace n {\ntemplate <typename T>\nT f(T a) {\n  return a;\n}\n}\n") == 1);
}

TEST_CASE("public members need a comment, private ones do not") {
  CHECK(bare("/// A.\nclass A {\n public:\n  int f();\n private:\n  int g();\n  int a_ = 0;\n};\n") == 1);
  CHECK(bare("/// A.\nclass A {\n  int f();\n};\n") == 0);
  CHECK(bare("/// A.\nstruct A {\n  int f();\n  int a = 0;\n};\n") == 1);
  CHECK(bare("/// A.\nclass A {\n struct B {\n  int f();\n };\n};\n") == 0);
}

TEST_CASE("declarations that speak for themselves need no comment") {
  CHECK(bare("/// A.\nstruct A {\n  A() = default;\n  ~A();\n  A(const A&) = delete;\n  A(A&& a);\n"
             "  A& operator=(A&& a);\n  void f() override;\n  friend class B;\n};\n") == 0);
  CHECK(bare("namespace n {\nnamespace fs = std::filesystem;\n}\n") == 0);
  CHECK(bare("template <typename T>\nvoid A::f(T a) {\n}\n") == 0);
  CHECK(bare("namespace n {\nclass A;\nnamespace m {\nstruct B;\n}\n}\n") == 0);
}

TEST_CASE("a file that does not say what it owns is found") {
  CHECK(check_opening(make_source("lib/x.cpp", "#include <vector>\n")).size() == 1);
  CHECK(check_opening(make_source("lib/x.cpp", "// Owns x.\n#include <vector>\n")).empty());
  CHECK(check_opening(make_source("lib/x.hpp", "// Owns x.\n#include <vector>\n")).size() == 1);
  CHECK(check_opening(make_source("lib/x.hpp", "// Owns x.\n#pragma once\n")).empty());
}

TEST_CASE("includes in the wrong order, or without a blank line between groups, are found") {
  const auto count = [](const std::string& text) {
    return check_include_groups(make_source("lib/base/x.cpp", text)).size();
  };
  CHECK(count("#include \"lib/base/x.hpp\"\n\n#include <ringwire/a.hpp>\n\n#include \"lib/base/y.hpp\"\n\n"
              "#include <fmt/core.h>\n\n#include <vector>\n") == 0);
  CHECK(count("#include <vector>\n\n#include <fmt/core.h>\n") == 1);
  CHECK(count("#include <fmt/core.h>\n#include <vector>\n") == 1);
  CHECK(count("#include \"lib/base/y.hpp\"\n\n#include <ringwire/a.hpp>\n") == 1);
  CHECK(count("#include <ringwire/x.hpp>\n#include <ringwire/y.hpp>\n") == 0);
  const Source test =
      make_source("tests/net/x_test.cpp", "#include \"lib/net/x.hpp\"\n\n#include <ringwire/y.hpp>\n");
  CHECK(check_include_groups(test).empty());
  CHECK(count("#include <liburing.h>\n#include <sys/socket.h>\n\n#include <vector>\n") == 0);
}

TEST_CASE("a public header that drags a library in is found") {
  const auto count = [](const std::string& path, const std::string& line) {
    return check_public_includes(make_source(path, line + "\n")).size();
  };
  CHECK(count("include/ringwire/x.hpp", "#include <liburing.h>") == 1);
  CHECK(count("include/ringwire/x.hpp", "#include <fmt/core.h>") == 1);
  CHECK(count("include/ringwire/x.hpp", "#include <boost/asio.hpp>") == 1);
  CHECK(count("include/ringwire/x.hpp", "#include \"lib/base/list.hpp\"") == 1);
  CHECK(count("include/ringwire/x.hpp", "#include <ringwire/asio.hpp>") == 1);
  CHECK(count("include/ringwire/asio.hpp", "#include <boost/asio.hpp>") == 0);
  CHECK(count("include/ringwire/x.hpp", "#include <span>") == 0);
}

TEST_CASE("assertion density counts code, not comments") {
  const Source source =
      make_source("lib/conn/x.cpp",
                  "// RINGWIRE_ASSERT(comment)\n\nRINGWIRE_ASSERT(a);\nb();\nstatic_assert(c);\nd();\n");
  const auto folders = assertion_density({source});
  CHECK(folders.at("conn").assertions == 2);
  CHECK(folders.at("conn").code_lines == 4);
  CHECK(folders.at("conn").per_thousand() == 500.0);
}

// Do two sources with these in unnamed namespaces collide?
bool collide(const std::string& one, const std::string& other) {
  const auto source = [](const char* path, const std::string& hidden) {
    return make_source(path, "namespace a {\nnamespace {\n" + hidden + "\n}\nint shown();\n}\n");
  };
  return !check_collisions({source("one.cpp", one), source("other.cpp", other)}).empty();
}

TEST_CASE("a name that two unnamed namespaces hide is found where they may be compiled as one") {
  CHECK(collide("int f(int a) { return a; }", "void f(int b) {}"));
  CHECK(collide("constexpr int limit = 1;", "const std::string limit{\"x\"};"));
  CHECK(collide("struct Thing {\n  int a;\n};", "class Thing : public Other {\n  int b;\n};"));
  CHECK(collide("template <typename T>\nT f(const T& a, int b = 0) {\n  return a;\n}",
                "template <typename T>\nT f(const T& x, int y) {\n  return x;\n}"));
  CHECK(collide("int table[] = {1, 2};", "int table[2];"));
  CHECK(collide("enum Color { red, green = 2 };", "int green() { return 1; }"));
  CHECK_FALSE(collide("enum class Color { red };", "int red() { return 1; }"));
  CHECK_FALSE(collide("int f(int a) { return a; }", "int f(long a) { return 1; }"));
  CHECK_FALSE(collide("int f();\nint f() { return 1; }", "int g() { int f = 1; return f; }"));
  CHECK_FALSE(collide("using std::chrono::milliseconds;", "using std::chrono::milliseconds;"));
  CHECK_FALSE(collide("struct Thing {\n  int limit;\n};", "int limit = 1;"));
  CHECK_FALSE(collide("TEST_CASE(\"one\") {\n}", "TEST_CASE(\"two\") {\n}"));
}

TEST_CASE("sources of one list in a meson.build are compared, those of two programs are not") {
  Tree tree;
  const std::string hidden = "namespace {\nint f() { return 1; }\n}\n";
  tree.write("tests/x/a.cpp", hidden);
  tree.write("tests/x/b.cpp", hidden);
  tree.write("tests/x/meson.build", "executable('a', files('a.cpp'))\nexecutable('b', files('b.cpp'))\n");
  CHECK(check_collisions(tree.root(), "tests").empty());

  tree.write("tests/x/meson.build", "executable('both', files(\n  'a.cpp',\n  'b.cpp',\n))\n");
  const std::vector<Finding> findings = check_collisions(tree.root(), "tests");
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].file == "tests/x/b.cpp");
  CHECK(findings[0].line == 2);
}

}  // namespace
}  // namespace ringwire::tidy
