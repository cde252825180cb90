// What Asio code wants run on one loop: a queue of things to run, in order, soon but never now.
//
// Owns the queue between two events of a loop. Leaves crossing threads to `LoopRef`. Invariant: the queue is
// touched on its loop's thread only; a Runnable is run or dropped exactly once and frees itself first.
#pragma once

#include <ringwire/loop_ref.hpp>

#include <boost/asio/execution_context.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace ringwire::asio::detail {

namespace net = boost::asio;

/// Something to run once. It frees its own memory before it calls what it holds, so that the callee can
/// use that memory again.
class Runnable {
 public:
  Runnable(const Runnable&) = delete;
  Runnable& operator=(const Runnable&) = delete;

  /// Frees this object and calls what it held. Throws what that throws.
  void run() { finish_(*this, true); }
  /// Frees this object without a call.
  void drop() { finish_(*this, false); }

 protected:
  /// Frees the object; calls what it held when `run` is true.
  using Finish = void (*)(Runnable&, bool run);

  /// For the class that knows how to finish it.
  explicit Runnable(Finish finish) noexcept : finish_(finish) {}
  ~Runnable() = default;

 private:
  friend class LoopWork;

  Finish finish_;
  Runnable* next_ = nullptr;
};

/// A function on its way to a loop.
template <typename F>
class Posted final : public Runnable {
 public:
  /// Takes over `function`.
  template <typename G>
  explicit Posted(G&& function) : Runnable(&Posted::finish), function_(std::forward<G>(function)) {}

 private:
  static void finish(Runnable& self, bool run) {
    std::unique_ptr<Posted> posted{static_cast<Posted*>(&self)};
    if (!run) return;
    F function(std::move(posted->function_));
    posted.reset();
    function();
  }

  F function_;
};

/// The queue of one loop. One is made for each loop that ever made a stream or an executor, and lives until
/// the process ends (a few dozen bytes), so that an executor may outlive its engine.
class LoopWork {
 public:
  /// For `of` only.
  explicit LoopWork(LoopRef loop) noexcept : loop_(std::move(loop)) {}
  LoopWork(const LoopWork&) = delete;
  LoopWork& operator=(const LoopWork&) = delete;

  /// The queue of this loop, made on first use. Any thread.
  [[nodiscard]] static LoopWork& of(const LoopRef& loop);

  /// The one execution context of the process. Each context in which Beast makes a timer costs a thread, so
  /// all loops share this one. Any thread.
  [[nodiscard]] static net::execution_context& context();

  /// True when this is the queue of `loop`.
  [[nodiscard]] bool serves(const LoopRef& loop) const noexcept { return loop_ == loop; }

  /// True on the loop's own thread.
  [[nodiscard]] bool is_current() const noexcept { return loop_.is_current(); }

  /// Queues `work` to run after the current event or task. Loop thread only.
  void push(Runnable& work);

  /// Queues `work` from any thread. Drops it when the loop has ended; throws std::system_error, and drops it,
  /// when `Options::mailbox_max` is reached.
  void post(Runnable& work);

  /// True while queued work runs. Loop thread only.
  [[nodiscard]] bool is_draining() const noexcept { return draining_; }

  /// Stands for one event or task of the loop: when it ends, what was queued meanwhile runs.
  class Scope {
   public:
    /// Begins the event.
    explicit Scope(LoopWork& work) noexcept : work_(work) { ++work_.depth_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    /// Ends it; exceptions of queued work go to the loop, which logs them.
    ~Scope() {
      if (work_.depth_ == 1) work_.drain();
      --work_.depth_;
    }

   private:
    LoopWork& work_;
  };

 private:
  struct Dropper {
    void operator()(Runnable* work) const { work->drop(); }
  };
  using Owned = std::unique_ptr<Runnable, Dropper>;
  struct Wakeup;

  void run_one(Owned work) noexcept;
  void drain() noexcept;
  void drop_all() noexcept;
  void wake_up();

  LoopRef loop_;
  Runnable* first_ = nullptr;
  Runnable* last_ = nullptr;
  unsigned depth_ = 0;  // Events and tasks that will drain when they end.
  bool draining_ = false;
  bool waking_ = false;  // Being put there.
  bool woken_ = false;   // A Wakeup is on its way through the mailbox.
};

}  // namespace ringwire::asio::detail
