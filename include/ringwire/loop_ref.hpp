// A handle to one loop that any thread may hold and use at any time.
//
// Leaves to others: the loop itself. The handle keeps only the loop's mailbox alive, so it may outlive the
// engine.
#pragma once

#include <ringwire/function.hpp>
#include <ringwire/timer_ref.hpp>

#include <chrono>
#include <memory>
#include <string_view>
#include <system_error>

namespace ringwire {

/// Names one loop of an engine. A small value, safe on any thread at any time, also after the engine ended.
class LoopRef {
 public:
  /// Names no loop; `post` answers `Error::closed`.
  LoopRef() noexcept = default;
  /// For ringwire itself: names the loop that reads `mailbox`.
  explicit LoopRef(std::shared_ptr<loop::Mailbox> mailbox) noexcept;

  /// Runs `task`, which must not be empty, once on the loop's thread, after this call returned. Any thread.
  ///
  /// Tasks of one thread run in the order they were posted. From the loop's own thread it costs no system
  /// call, and is never refused for want of room: the loop cannot wait for itself. When the loop has ended
  /// the answer is `Error::closed` and the task is destroyed without being run; a task still waiting when the
  /// loop ends is destroyed too.
  ///
  /// Example: `conn.loop().post([ref = conn.ref()]() mutable { ref.write("later"); });`
  std::error_code post(Task task) const;

  /// Runs `task`, which must not be empty, once on the loop's thread when `delay` has passed. Any thread,
  /// also from `on_boot`. Less than 1 ms, or a delay in the past, means the loop's next millisecond.
  ///
  /// Never early, counted from this call; late by at most 1 ms, and by what the loop's current lap still
  /// takes. It keeps no loop from ending: a task still waiting when the loop ends is destroyed unrun. What it
  /// throws is logged.
  ///
  /// Failure: the handle is false, and says why (`TimerRef::error`).
  ///
  /// Example: `auto timeout = conn.loop().schedule(std::chrono::seconds{5}, [ref = conn.ref()] { ref.close();
  /// });`
  TimerRef schedule(std::chrono::milliseconds delay, Task task) const;

  /// The same again and again: first when `period` has passed, then each multiple of it after that first
  /// time. Runs do not drift; a time that has passed when a run ends is skipped. A period of less than 1 ms
  /// is taken as 1 ms. Runs until it is cancelled or the loop ends, whatever it throws.
  TimerRef schedule_every(std::chrono::milliseconds period, Task task) const;

  /// Opens a connection to `address` ("tcp://127.0.0.1:9000", "unix:///run/other.sock") on this loop; the
  /// engine's Handler then gets its events like those of an accepted one. Any thread.
  ///
  /// `done` runs on the loop's thread: with an empty code just after `on_open`, else with the reason (errno,
  /// e.g. connection refused). A bad address or an ended loop is answered by the returned code, and `done` is
  /// not called.
  std::error_code connect(std::string_view address, Done done = nullptr) const;

  /// True on the loop's own thread while it runs.
  [[nodiscard]] bool is_current() const noexcept;

  /// Two handles are equal when they name the same loop.
  friend bool operator==(const LoopRef&, const LoopRef&) noexcept = default;

 private:
  friend class ConnRef;

  [[nodiscard]] TimerRef set_timer(std::uint64_t delay, std::uint64_t period, Task& task) const;

  std::shared_ptr<loop::Mailbox> mailbox_;
};

}  // namespace ringwire
