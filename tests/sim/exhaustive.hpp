// Small scope, all interleavings: two clients and a handler follow a short story, and every order of events
// within a window of it is tried, with every combination of at most two faults.
//
//   step 0 ── plainly, everybody in turn ──▶ W ── every choice, K decisions ──▶ heals ── plainly ──▶ the end
//
// Invariant: before and after the window nothing is asked, so a run is its window's answers. The rules are
// the swarm's.
#pragma once

#include "lib/kernel/sim/choices.hpp"
#include "lib/sim/simulation.hpp"
#include "tests/sim/swarm.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::test {

/// One thing a client does, in the order of its list.
struct Deed {
  enum class Kind : std::uint8_t { connect, send, finish, reset, stall, read, stop_engine };

  Kind kind;
  std::size_t size = 0;   // Bytes to send.
  std::size_t after = 0;  // Not before it has received so many bytes.
};

/// What the handler does.
struct Part {
  enum class End : std::uint8_t { none, close, abort, shut_write, raise };

  std::size_t greeting = 0;    // Bytes written at on_open.
  std::size_t answer = 0;      // Bytes written at each on_traffic.
  unsigned leaves = 0;         // So many times on_traffic takes nothing.
  End end = End::none;         // How it ends …
  unsigned end_at = 1;         // … at which on_traffic; 0 = at on_open.
  std::size_t last_words = 0;  // Bytes written at on_eof.
};

/// A small world.
struct Story {
  std::string_view name;
  std::array<std::vector<Deed>, 2> clients;  // At most 5 deeds each.
  Part handler;
  std::vector<kernel::sim::Fault> faults;  // Of these at most two happen.
  unsigned depth = 4;                      // Decisions in a window.
  bool time_passes = false;                // Is the clock's running one of the choices?
  std::size_t stream_capacity = 80;
  std::size_t recv_buffers = 2;
  std::size_t inbound_limit = 0;
  std::chrono::milliseconds close_timeout{5'000};
};

/// All of them.
[[nodiscard]] const std::vector<Story>& stories();

/// Answers from another source while a window is open, and 0 without asking at all other times.
class WindowChoices final : public kernel::sim::Choices {
 public:
  /// `inner` outlives it.
  explicit WindowChoices(kernel::sim::Choices& inner) noexcept : inner_{inner} {}

  void set_open(bool open) noexcept { open_ = open; }

 protected:
  std::uint32_t next(std::uint32_t count) override { return open_ ? inner_.draw(count) : 0; }
  [[nodiscard]] bool tries_all() const noexcept override { return true; }

 private:
  kernel::sim::Choices& inner_;
  bool open_ = false;
};

/// One run of a story.
class StoryRun final : public Swarm, private sim::Outsider {
 public:
  /// The window is `depth` decisions from step `window` on. All outlive it.
  StoryRun(WindowChoices& choices, const Story& story, std::uint32_t window, std::uint32_t depth);

  /// Steps until the story had been told; only after `run`.
  [[nodiscard]] std::uint32_t length() const noexcept { return length_; }

 private:
  struct Actor {
    std::size_t done = 0;         // Deeds.
    std::size_t peer = SIZE_MAX;  // Index, once connected.
  };

  void before_step(std::uint32_t step) override;
  Action react_open(Conn& conn, Link& link) override;
  Action react_traffic(Conn& conn, Link& link) override;
  Action react_eof(Conn& conn, Link& link) override;
  Action react_writable(Conn& conn, Link& link) override;
  Action react_drain(Conn& conn, Link& link) override;
  void collect(std::vector<std::size_t>& possible) override;
  void act(std::size_t client) override;

  void open_window();
  [[nodiscard]] bool is_told();
  [[nodiscard]] bool can_act(std::size_t client);
  [[nodiscard]] Action end(Conn& conn, Link& link);

  WindowChoices& window_choices_;
  const Story& story_;
  std::uint32_t window_;
  std::uint32_t depth_;
  std::uint32_t length_ = 0;
  std::array<Actor, 2> actors_;
  std::vector<unsigned> traffic_;  // on_traffic so far, by client.
};

}  // namespace ringwire::test
