// The intrusive list: order, membership, and the mistakes it refuses.
#include "lib/base/list.hpp"

#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"

#include <array>
#include <string>
#include <vector>

namespace ringwire::base {
namespace {

using ringwire::test::contains;
using test::death_of;

struct Red;
struct Blue;

struct Node : Link<Red>, Link<Blue> {
  explicit Node(int value) : number(value) {}
  int number;
};

using Reds = List<Node, Red>;
using Blues = List<Node, Blue>;

template <typename AnyList>
std::vector<int> drain(AnyList& list) {
  std::vector<int> numbers;
  while (Node* node = list.pop_front()) numbers.push_back(node->number);
  return numbers;
}

TEST_CASE("a new list is empty") {
  Reds list;
  CHECK(list.empty());
  CHECK(list.front() == nullptr);
  CHECK(list.pop_front() == nullptr);
}

TEST_CASE("nodes leave a list in the order they came") {
  std::array nodes{Node{1}, Node{2}, Node{3}};
  Reds list;
  for (Node& node : nodes) list.push_back(node);
  CHECK(list.front() == &nodes[0]);
  CHECK(drain(list) == std::vector{1, 2, 3});
  CHECK(list.empty());
}

TEST_CASE("a list is walked from its first node to its last") {
  std::array nodes{Node{1}, Node{2}, Node{3}};
  Reds list;
  for (Node& node : nodes) list.push_back(node);
  CHECK(list.after(nodes[0]) == &nodes[1]);
  CHECK(list.after(nodes[1]) == &nodes[2]);
  CHECK(list.after(nodes[2]) == nullptr);
  list.remove(nodes[1]);
  CHECK(list.after(nodes[0]) == &nodes[2]);
}

TEST_CASE("a node pushed to the front leaves first") {
  std::array nodes{Node{1}, Node{2}, Node{3}};
  Reds list;
  list.push_front(nodes[0]);
  list.push_front(nodes[1]);
  list.push_back(nodes[2]);
  CHECK(drain(list) == std::vector{2, 1, 3});
}

TEST_CASE("a node can be taken from the front, the middle and the end") {
  const int removed = GENERATE(0, 1, 2);
  std::array nodes{Node{0}, Node{1}, Node{2}};
  Reds list;
  for (Node& node : nodes) list.push_back(node);
  list.remove(nodes[static_cast<std::size_t>(removed)]);
  std::vector<int> expected{0, 1, 2};
  expected.erase(expected.begin() + removed);
  CHECK(drain(list) == expected);
}

TEST_CASE("nodes behind one that was pushed to the front can be taken") {
  std::array nodes{Node{1}, Node{2}, Node{3}};
  Reds list;
  list.push_back(nodes[0]);
  list.push_front(nodes[1]);
  list.push_front(nodes[2]);
  list.remove(nodes[1]);
  list.remove(nodes[0]);
  CHECK(drain(list) == std::vector{3});
}

TEST_CASE("a list goes on after its last node was removed") {
  std::array nodes{Node{1}, Node{2}};
  Reds list;
  list.push_back(nodes[0]);
  list.remove(nodes[0]);
  CHECK(list.empty());
  list.push_back(nodes[1]);
  list.push_back(nodes[0]);
  CHECK(drain(list) == std::vector{2, 1});
}

TEST_CASE("a node says whether it is linked, for each tag on its own") {
  Node node{1};
  Reds reds;
  Blues blues;
  CHECK_FALSE(node.Link<Red>::linked());
  reds.push_back(node);
  CHECK(node.Link<Red>::linked());
  CHECK_FALSE(node.Link<Blue>::linked());
  blues.push_back(node);
  reds.remove(node);
  CHECK_FALSE(node.Link<Red>::linked());
  CHECK(node.Link<Blue>::linked());
  CHECK(blues.pop_front() == &node);
}

TEST_CASE("a list that ends lets go of its nodes") {
  Node node{1};
  {
    Reds list;
    list.push_back(node);
  }
  CHECK_FALSE(node.Link<Red>::linked());
}

TEST_CASE("a node in two lists of one tag is refused") {
  CHECK_THAT(death_of([] {
               Node node{1};
               Reds one;
               Reds other;
               one.push_back(node);
               other.push_back(node);
             }),
             contains("is already in list"));
}

TEST_CASE("removing a node from a list it is not in is refused") {
  CHECK_THAT(death_of([] {
               Node node{1};
               Reds one;
               Reds other;
               one.push_back(node);
               other.remove(node);
             }),
             contains("not in"));
}

TEST_CASE("a node that dies in a list is refused") {
  CHECK_THAT(death_of([] {
               Reds list;
               Node node{1};
               list.push_back(node);
             }),
             contains("list_ == nullptr"));
}

}  // namespace
}  // namespace ringwire::base
