// Where a simulation's decisions come from: a seed, a list that replays an earlier run, or the bytes of a
// fuzzer.
//
// Invariant: the same source and the same questions give the same answers; nothing else in the simulated
// kernel decides anything. 0 is always the plainest answer (no fault, the first of several), so a shorter
// list, or one of smaller numbers, is a simpler run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ringwire::kernel::sim {

/// Answers questions, and keeps what it answered.
class Choices {
 public:
  Choices() = default;
  Choices(const Choices&) = delete;
  Choices& operator=(const Choices&) = delete;
  virtual ~Choices() = default;

  /// A number below `count`, which is at least 1. With `count` 1 nothing is asked.
  [[nodiscard]] std::uint32_t draw(std::uint32_t count);

  /// True in `per_mille` of 1,000 cases; answers without asking when that is 0.
  [[nodiscard]] bool chance(std::uint32_t per_mille);

  /// A number below `count` of which only the order matters: sources that go through all answers try a few.
  [[nodiscard]] std::uint32_t draw_size(std::uint32_t count);

  /// Everything answered so far: what `ListChoices` replays.
  [[nodiscard]] const std::vector<std::uint32_t>& taken() const noexcept { return taken_; }

 protected:
  /// The next answer, below `count`.
  virtual std::uint32_t next(std::uint32_t count) = 0;
  /// Is every answer tried? Then questions with many answers are asked for a few.
  [[nodiscard]] virtual bool tries_all() const noexcept { return false; }
  /// Begins a new record of what was answered.
  void forget() noexcept { taken_.clear(); }

 private:
  std::vector<std::uint32_t> taken_;
};

/// Answers from a seed: the same ones on every machine.
class SeededChoices final : public Choices {
 public:
  /// Any seed is as good as any other.
  explicit SeededChoices(std::uint64_t seed) noexcept : state_{seed} {}

 protected:
  std::uint32_t next(std::uint32_t count) override;

 private:
  std::uint64_t state_;
};

/// Answers from a list, each cut to what was asked; 0 for ever when the list has ended.
class ListChoices final : public Choices {
 public:
  /// `list` must outlive it.
  explicit ListChoices(std::span<const std::uint32_t> list) noexcept : list_{list} {}

 protected:
  std::uint32_t next(std::uint32_t count) override;

 private:
  std::span<const std::uint32_t> list_;
  std::size_t position_ = 0;
};

/// Answers from bytes, one or two for each question; 0 for ever when they have ended.
class ByteChoices final : public Choices {
 public:
  /// `bytes` must outlive it.
  explicit ByteChoices(std::span<const std::uint8_t> bytes) noexcept : bytes_{bytes} {}

  /// All bytes are used up: what follows is the plainest run.
  [[nodiscard]] bool ended() const noexcept { return position_ >= bytes_.size(); }

 protected:
  std::uint32_t next(std::uint32_t count) override;

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t position_ = 0;
};

/// Goes through all answers one run after another, depth first.
///
/// Example: `EveryChoice every; do { every.restart(); simulate(every); } while (every.advance());`
class EveryChoice final : public Choices {
 public:
  /// The next run begins.
  void restart() noexcept {
    position_ = 0;
    forget();
  }

  /// Moves on to the next run; false when there is none.
  [[nodiscard]] bool advance();

 protected:
  std::uint32_t next(std::uint32_t count) override;
  [[nodiscard]] bool tries_all() const noexcept override { return true; }

 private:
  struct Question {
    std::uint32_t answer;
    std::uint32_t count;
  };

  std::vector<Question> path_;
  std::size_t position_ = 0;
};

}  // namespace ringwire::kernel::sim
