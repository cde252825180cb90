// The intrusive queue: order, membership, and the mistakes it refuses.
#include "lib/base/queue.hpp"

#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"

#include <array>
#include <vector>

namespace ringwire::base {
namespace {

using ringwire::test::contains;
using test::death_of;

struct Round;
struct Square;

struct Bead : QueueLink<Round>, QueueLink<Square> {
  explicit Bead(int value) : number(value) {}
  int number;
};

using Rounds = Queue<Bead, Round>;
using Squares = Queue<Bead, Square>;

template <typename AnyQueue>
std::vector<int> take_all(AnyQueue& queue) {
  std::vector<int> numbers;
  while (Bead* bead = queue.pop_front()) numbers.push_back(bead->number);
  return numbers;
}

TEST_CASE("a new queue is empty") {
  Rounds queue;
  CHECK(queue.empty());
  CHECK(queue.pop_front() == nullptr);
}

TEST_CASE("nodes leave a queue in the order they came") {
  std::array beads{Bead{1}, Bead{2}, Bead{3}};
  Rounds queue;
  for (Bead& bead : beads) queue.push_back(bead);
  CHECK_FALSE(queue.empty());
  CHECK(take_all(queue) == std::vector{1, 2, 3});
  CHECK(queue.empty());
}

TEST_CASE("a node that was taken can be pushed again") {
  std::array beads{Bead{1}, Bead{2}};
  Rounds queue;
  queue.push_back(beads[0]);
  queue.push_back(beads[1]);
  queue.push_back(*queue.pop_front());
  CHECK(take_all(queue) == std::vector{2, 1});
  queue.push_back(beads[1]);
  CHECK(take_all(queue) == std::vector{2});
}

TEST_CASE("a node can be taken from any place of a queue, which goes on") {
  const int removed = GENERATE(0, 1, 2);
  std::array beads{Bead{0}, Bead{1}, Bead{2}};
  Bead late{9};
  Rounds queue;
  for (Bead& bead : beads) queue.push_back(bead);
  queue.remove(beads[static_cast<std::size_t>(removed)]);
  CHECK_FALSE(beads[static_cast<std::size_t>(removed)].QueueLink<Round>::linked());
  queue.push_back(late);
  std::vector<int> expected{0, 1, 2, 9};
  expected.erase(expected.begin() + removed);
  CHECK(take_all(queue) == expected);
}

TEST_CASE("a queue goes on after its only node was removed") {
  std::array beads{Bead{1}, Bead{2}};
  Rounds queue;
  queue.push_back(beads[0]);
  queue.remove(beads[0]);
  CHECK(queue.empty());
  queue.push_back(beads[1]);
  CHECK(take_all(queue) == std::vector{2});
}

TEST_CASE("a node says whether it is linked, also the last one, for each tag on its own") {
  Bead bead{1};
  Rounds rounds;
  Squares squares;
  CHECK_FALSE(bead.QueueLink<Round>::linked());
  rounds.push_back(bead);
  CHECK(bead.QueueLink<Round>::linked());
  CHECK_FALSE(bead.QueueLink<Square>::linked());
  squares.push_back(bead);
  rounds.remove(bead);
  CHECK_FALSE(bead.QueueLink<Round>::linked());
  CHECK(squares.pop_front() == &bead);
}

TEST_CASE("a queue that ends lets go of its nodes") {
  Bead bead{1};
  {
    Rounds queue;
    queue.push_back(bead);
  }
  CHECK_FALSE(bead.QueueLink<Round>::linked());
}

TEST_CASE("a node in two queues of one tag is refused") {
  CHECK_THAT(death_of([] {
               Bead bead{1};
               Rounds one;
               Rounds other;
               one.push_back(bead);
               other.push_back(bead);
             }),
             contains("is already in a queue"));
}

TEST_CASE("removing a node from a queue it is not in is refused") {
  CHECK_THAT(death_of([] {
               Bead bead{1};
               Bead another{2};
               Rounds one;
               Rounds other;
               one.push_back(bead);
               other.push_back(another);
               other.remove(bead);
             }),
             contains("is not in queue"));
}

TEST_CASE("a node that dies in a queue is refused") {
  CHECK_THAT(death_of([] {
               Rounds queue;
               Bead bead{1};
               queue.push_back(bead);
             }),
             contains("next_ == nullptr"));
}

}  // namespace
}  // namespace ringwire::base
