// Sources of decisions: the same questions get the same answers, and 0 is the plainest.
#include "lib/kernel/sim/choices.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <vector>

namespace ringwire::kernel::sim {
namespace {

using Numbers = std::vector<std::uint32_t>;

Numbers ask(Choices& choices, const Numbers& counts) {
  Numbers answers;
  for (const std::uint32_t count : counts) answers.push_back(choices.draw(count));
  return answers;
}

TEST_CASE("a seed answers the same on every machine, and another seed otherwise", "[choices]") {
  const Numbers counts(8, 1000);
  SeededChoices one{1};
  SeededChoices again{1};
  SeededChoices other{2};
  const Numbers answers = ask(one, counts);
  CHECK(answers == ask(again, counts));
  CHECK(answers != ask(other, counts));
  CHECK(answers == Numbers{566, 745, 971, 444, 444, 762, 877, 523});  // Of SplitMix64.
}

TEST_CASE("a seed answers every number below the count, and none above", "[choices]") {
  SeededChoices choices{7};
  std::array<unsigned, 5> seen{};
  for (unsigned round = 0; round < 5000; ++round) ++seen.at(choices.draw(5));
  for (const unsigned times : seen) CHECK(times > 800);
}

TEST_CASE("a question with one answer is not asked, nor kept", "[choices]") {
  const Numbers list{3};
  ListChoices choices{list};
  CHECK(choices.draw(1) == 0);
  CHECK_FALSE(choices.chance(0));
  CHECK(choices.taken().empty());
  CHECK(choices.draw(10) == 3);
}

TEST_CASE("a list is answered in order, each cut to what was asked, and ends in zeros for ever",
          "[choices]") {
  const Numbers list{3, 12, 7};
  ListChoices choices{list};
  CHECK(ask(choices, {10, 10, 10, 10, 10}) == Numbers{3, 2, 7, 0, 0});
}

TEST_CASE("what was taken replays as a list, whatever the source", "[choices]") {
  const auto play = [](Choices& choices) {
    Numbers answers = ask(choices, {4, 1000, 70'000});
    answers.push_back(choices.chance(400) ? 1 : 0);
    answers.push_back(choices.draw_size(20));
    return answers;
  };
  SeededChoices seeded{42};
  const Numbers first = play(seeded);
  ListChoices list{seeded.taken()};
  CHECK(play(list) == first);
  CHECK(list.taken() == seeded.taken());
}

TEST_CASE("zero is the plain answer: no chance is taken that is not certain", "[choices]") {
  ListChoices zeros{{}};
  for (const std::uint32_t rate : {0U, 1U, 500U, 999U}) CHECK_FALSE(zeros.chance(rate));
  CHECK(zeros.chance(1000));
}

TEST_CASE("a chance comes about as often as its rate says", "[choices]") {
  SeededChoices choices{3};
  unsigned count = 0;
  for (unsigned round = 0; round < 10'000; ++round) count += choices.chance(100) ? 1 : 0;
  CHECK(count > 850);
  CHECK(count < 1150);
}

TEST_CASE("bytes answer one by one, two for large counts, and then zeros", "[choices]") {
  const std::array<std::uint8_t, 4> bytes{9, 1, 2, 255};
  ByteChoices choices{bytes};
  CHECK(choices.draw(4) == 1);
  CHECK(choices.draw(1000) == (1 << 8 | 2));
  CHECK_FALSE(choices.ended());
  CHECK(choices.draw(256) == 255);
  CHECK(choices.ended());
  CHECK(choices.draw(256) == 0);
  CHECK(choices.draw(1000) == 0);
}

TEST_CASE("every choice visits each path exactly once, the plainest first", "[choices]") {
  EveryChoice every;
  std::vector<Numbers> paths;
  do {
    every.restart();
    Numbers path{every.draw(2)};
    if (path[0] == 1) path.push_back(every.draw(3));  // A question that only one answer leads to.
    path.push_back(every.draw(2));
    CHECK(every.taken() == path);
    paths.push_back(path);
  } while (every.advance());
  CHECK(paths == std::vector<Numbers>{
                     {0, 0}, {0, 1}, {1, 0, 0}, {1, 0, 1}, {1, 1, 0}, {1, 1, 1}, {1, 2, 0}, {1, 2, 1}});
}

TEST_CASE("every choice tries a chance both ways, and of many sizes the least, the middle and the most",
          "[choices]") {
  EveryChoice every;
  std::vector<bool> chances;
  Numbers sizes;
  do {
    every.restart();
    const bool happens = every.chance(1);
    const std::uint32_t size = every.draw_size(100);
    const std::uint32_t small = every.draw_size(1);
    CHECK(small == 0);
    chances.push_back(happens);
    sizes.push_back(size);
  } while (every.advance());
  CHECK(chances == std::vector<bool>{false, false, false, true, true, true});
  CHECK(sizes == Numbers{0, 50, 99, 0, 50, 99});
}

TEST_CASE("a run without questions is one path", "[choices]") {
  EveryChoice every;
  every.restart();
  CHECK_FALSE(every.advance());
}

}  // namespace
}  // namespace ringwire::kernel::sim
