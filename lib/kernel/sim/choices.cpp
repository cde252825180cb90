// Five sources of decisions, each a few lines.
#include "lib/kernel/sim/choices.hpp"

#include "lib/base/assert.hpp"

namespace ringwire::kernel::sim {

std::uint32_t Choices::draw(std::uint32_t count) {
  RINGWIRE_ASSERT(count > 0);
  if (count == 1) return 0;

  const std::uint32_t answer = next(count);
  RINGWIRE_ASSERT(answer < count, "{} of {}", answer, count);
  taken_.push_back(answer);
  return answer;
}

bool Choices::chance(std::uint32_t per_mille) {
  if (per_mille == 0) return false;
  if (tries_all()) return draw(2) == 1;
  return draw(1000) + per_mille >= 1000;  // 0 is no, as long as anything is.
}

std::uint32_t Choices::draw_size(std::uint32_t count) {
  RINGWIRE_ASSERT(count > 0);
  if (!tries_all() || count <= 3) return draw(count);
  const std::uint32_t answers[] = {0, count / 2, count - 1};
  return answers[draw(3)];
}

std::uint32_t SeededChoices::next(std::uint32_t count) {
  // SplitMix64: small, and any seed will do. Source: Steele, Lea, Flood, OOPSLA 2014.
  state_ += 0x9E37'79B9'7F4A'7C15U;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58'476D'1CE4'E5B9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D0'49BB'1331'11EBU;
  mixed ^= mixed >> 31;
  return static_cast<std::uint32_t>(((mixed >> 32) * count) >> 32);
}

std::uint32_t ListChoices::next(std::uint32_t count) {
  return position_ < list_.size() ? list_[position_++] % count : 0;
}

std::uint32_t ByteChoices::next(std::uint32_t count) {
  std::uint32_t answer = position_ < bytes_.size() ? bytes_[position_++] : 0U;
  if (count > 256 && position_ < bytes_.size()) answer = answer << 8 | bytes_[position_++];
  return answer % count;
}

std::uint32_t EveryChoice::next(std::uint32_t count) {
  if (position_ == path_.size()) path_.push_back({0, count});
  const Question& question = path_[position_++];
  RINGWIRE_ASSERT(question.count == count, "the same answers led to another question: {} for {}", count,
                  question.count);
  return question.answer;
}

bool EveryChoice::advance() {
  while (!path_.empty() && path_.back().answer + 1 == path_.back().count) path_.pop_back();
  if (path_.empty()) return false;
  ++path_.back().answer;
  return true;
}

}  // namespace ringwire::kernel::sim
