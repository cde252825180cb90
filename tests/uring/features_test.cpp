// Feature sets and the text that masks them.
#include "lib/uring/features.hpp"

#include <ringwire/error.hpp>

#include "tests/support/catch.hpp"

namespace ringwire::uring {
namespace {

using ringwire::test::contains;

// What `text` masks; none when it is refused.
Features masked(std::string_view text) {
  Features mask;
  return parse_mask(text, mask) ? Features{} : mask;
}

TEST_CASE("each feature has a name, and the name masks it alone") {
  for (std::size_t index = 0; index < features_count; ++index) {
    Features only;
    only.add(static_cast<Feature>(index));
    INFO(only.to_string());
    CHECK(only != Features{});
    CHECK(masked(only.to_string()) == only);
  }
}

TEST_CASE("a set is written as names with spaces between, an empty one as none") {
  Features set;
  CHECK(set.to_string() == "none");
  set.add(Feature::wake_ring);
  set.add(Feature::defer_taskrun);
  CHECK(set.to_string() == "defer_taskrun wake_ring");
}

TEST_CASE("a mask takes names separated by commas, with blanks and empty places") {
  Features two;
  two.add(Feature::no_iowait);
  two.add(Feature::registered_ring);
  CHECK(masked("no_iowait,registered_ring") == two);
  CHECK(masked(" registered_ring ,, no_iowait , ") == two);
  CHECK(masked("") == Features{});
  CHECK(masked(" , ") == Features{});
}

TEST_CASE("all masks everything") {
  CHECK(masked("all") == Features::all());
  CHECK(masked("wake_ring, all") == Features::all());
}

TEST_CASE("a mask adds to what is masked already") {
  Features mask;
  REQUIRE_FALSE(parse_mask("wake_ring", mask));
  REQUIRE_FALSE(parse_mask("no_iowait", mask));
  CHECK(mask.to_string() == "no_iowait wake_ring");
}

TEST_CASE("an unknown name is an invalid option whose explanation lists the known ones") {
  Features mask;
  const std::error_code error = parse_mask("no_iowait,wake_rong", mask);
  CHECK(error == Error::invalid_option);
  const std::string text = explain(error);
  CHECK_THAT(text, contains("'wake_rong'"));
  for (const char* name : {"all", "defer_taskrun", "registered_ring", "no_iowait", "wake_ring", "recv_credit",
                           "udp_segment", "udp_gro"}) {
    CHECK_THAT(text, contains(name));
  }
}

TEST_CASE("names are not found by their beginnings, nor in capitals") {
  Features mask;
  CHECK(parse_mask("wake", mask) == Error::invalid_option);
  CHECK(parse_mask("ALL", mask) == Error::invalid_option);
  CHECK(parse_mask("wake_ring no_iowait", mask) == Error::invalid_option);
  CHECK(mask == Features{});
}

TEST_CASE("each feature is of rings or of sockets") {
  Features both = Features::of_rings();
  CHECK_FALSE(both.has(Feature::udp_segment));
  CHECK_FALSE(both.has(Feature::udp_gro));
  both.add(Features::of_sockets());
  CHECK(both == Features::all());
}

TEST_CASE("taking a set out leaves the rest") {
  Features rest = Features::all();
  rest.remove(masked("wake_ring,no_iowait"));
  CHECK(rest.to_string() == "defer_taskrun registered_ring recv_credit udp_segment udp_gro");
  rest.remove(Feature::defer_taskrun);
  CHECK(rest.has(Feature::registered_ring));
  CHECK_FALSE(rest.has(Feature::defer_taskrun));
}

}  // namespace
}  // namespace ringwire::uring
