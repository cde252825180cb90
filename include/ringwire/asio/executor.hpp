// The executor of one loop, for everything in Asio that wants one.
//
// Leaves to others: I/O (`stream.hpp`). A value of a pointer and a bit; it may outlive the engine.
#pragma once

#include <ringwire/asio/loop_work.hpp>
#include <ringwire/loop_ref.hpp>

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace ringwire::asio {

/// Runs functions on one loop's thread; a model of Asio's executor, good for `post`, `dispatch`, `co_spawn`,
/// strands and `any_io_executor`.
///
/// Thread: any. Lifetime: as long as you like; after the loop ended, what is executed is destroyed without
/// being run, as with a stopped io_context.
///
/// Order: functions executed from the loop's thread run in that order, those of another thread in its order.
/// They run when the current event or task is over, within the same lap (256 of them, the rest a lap later).
///
/// Failure: an exception that leaves a function goes to the loop, which logs it.
///
/// Example: `boost::asio::co_spawn(stream.get_executor(), serve(std::move(stream)), boost::asio::detached);`
class executor {
 public:
  /// The executor of that loop. Any thread.
  explicit executor(const LoopRef& loop) : work_(&detail::LoopWork::of(loop)) {}

  /// The execution context all loops of the process share. Asio's timers work in it, but on a thread of their
  /// own; prefer `stream::set_idle_timeout`.
  [[nodiscard]] boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept {
    return detail::LoopWork::context();
  }

  /// Whether `execute` may call the function before it returns.
  [[nodiscard]] boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) const noexcept {
    if (never_blocks_) return boost::asio::execution::blocking.never;
    return boost::asio::execution::blocking.possibly;
  }

  /// The same loop, never calling from within `execute`.
  [[nodiscard]] executor require(boost::asio::execution::blocking_t::never_t) const noexcept {
    return executor(*work_, true);
  }

  /// The same loop, calling at once when `execute` is called on the loop's thread. The default.
  [[nodiscard]] executor require(boost::asio::execution::blocking_t::possibly_t) const noexcept {
    return executor(*work_, false);
  }

  /// Runs `function` on the loop's thread. Throws std::system_error when called from another thread while
  /// `Options::mailbox_max` tasks wait.
  template <typename F>
  void execute(F&& function) const {
    using Callable = std::decay_t<F>;
    if (!never_blocks_ && work_->is_current()) {
      Callable callable(std::forward<F>(function));
      callable();
      return;
    }
    work_->post(*std::make_unique<detail::Posted<Callable>>(std::forward<F>(function)).release());
  }

  /// True on the loop's own thread.
  [[nodiscard]] bool running_in_this_thread() const noexcept { return work_->is_current(); }

  /// True when both stand for the same loop, whatever they may block.
  [[nodiscard]] bool same_loop(const executor& other) const noexcept { return work_ == other.work_; }

  /// Equal: same loop and same blocking property.
  friend bool operator==(const executor&, const executor&) noexcept = default;

 private:
  friend class stream;
  executor(detail::LoopWork& work, bool never_blocks) noexcept : work_(&work), never_blocks_(never_blocks) {}

  detail::LoopWork* work_;
  bool never_blocks_ = false;
};

}  // namespace ringwire::asio
