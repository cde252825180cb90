// How queued work gets its turn on a loop, and what becomes of it when the loop ends.
//
// Leaves what the work is to `operation.hpp` and `executor.hpp`. Invariant: whenever the queue holds
// something outside an event, a Wakeup is in the loop's mailbox.
#include <ringwire/asio/loop_work.hpp>
#include <ringwire/error.hpp>

#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <utility>

namespace ringwire::asio::detail {

namespace {

// A chain of completions that start each other must not keep the other connections waiting.
constexpr std::size_t drain_max = 256;

class Context final : public net::execution_context {
 public:
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  // What a derived context owes: services end before the members they may use.
  ~Context() {
    shutdown();
    destroy();
  }
};

struct Registry {
  std::mutex mutex;
  std::deque<LoopWork> works;  // A deque: references stay good when it grows.
};

Registry& registry() {
  static Registry instance;
  return instance;
}

}  // namespace

// Travels through the loop's mailbox; destroyed there unrun, it says that the loop has ended.
struct LoopWork::Wakeup {
  explicit Wakeup(LoopWork& work) noexcept : work_(&work) {}
  Wakeup(Wakeup&& other) noexcept : work_(std::exchange(other.work_, nullptr)) {}
  Wakeup& operator=(Wakeup&&) = delete;
  ~Wakeup() {
    // While it is being posted, wake_up itself looks at what went wrong.
    if (work_ != nullptr && !work_->waking_) work_->drop_all();
  }

  void operator()() {
    LoopWork& work = *std::exchange(work_, nullptr);
    work.woken_ = false;
    const Scope scope(work);
  }

  LoopWork* work_;
};

LoopWork& LoopWork::of(const LoopRef& loop) {
  // A loop asks for itself, once for each connection; the lock is for the first time and for other threads.
  thread_local LoopWork* latest = nullptr;
  if (latest != nullptr && latest->serves(loop)) return *latest;

  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  for (LoopWork& work : all.works) {
    if (work.serves(loop)) return *(latest = &work);
  }
  return *(latest = &all.works.emplace_back(loop));
}

net::execution_context& LoopWork::context() {
  static Context instance;
  return instance;
}

void LoopWork::push(Runnable& work) {
  if (last_ == nullptr) {
    first_ = &work;
  } else {
    last_->next_ = &work;
  }
  last_ = &work;
  if (depth_ == 0) wake_up();
}

void LoopWork::post(Runnable& work) {
  Owned owned(&work);
  if (is_current()) return push(*owned.release());

  const std::error_code error = loop_.post([this, owned = std::move(owned)]() mutable {
    const Scope scope(*this);
    owned.release()->run();
  });
  if (error == std::errc::resource_unavailable_try_again) throw std::system_error(error);
}

void LoopWork::run_one(Owned work) noexcept {
  try {
    work.release()->run();
  } catch (...) {
    // It is no fault of the event we are in: the loop gets it by itself, and logs it.
    static_cast<void>(loop_.post([fault = std::current_exception()] { std::rethrow_exception(fault); }));
  }
}

void LoopWork::drain() noexcept {
  if (draining_) return;
  draining_ = true;
  for (std::size_t count = 0; first_ != nullptr && count < drain_max; ++count) {
    Runnable* work = std::exchange(first_, first_->next_);
    if (first_ == nullptr) last_ = nullptr;
    run_one(Owned(work));
  }
  draining_ = false;
  if (first_ != nullptr) wake_up();
}

void LoopWork::drop_all() noexcept {
  woken_ = false;
  // Dropping a coroutine destroys its stream, which queues what waited on it: go on until nothing comes.
  ++depth_;
  while (first_ != nullptr) {
    Runnable* work = std::exchange(first_, first_->next_);
    if (first_ == nullptr) last_ = nullptr;
    work->drop();
  }
  --depth_;
}

void LoopWork::wake_up() {
  if (woken_) return;
  waking_ = true;
  const std::error_code error = loop_.post(Wakeup(*this));
  waking_ = false;
  woken_ = !error;
  // The only other answer is that there is room: a loop's own posts are never refused for want of it.
  if (error == Error::closed) drop_all();
}

}  // namespace ringwire::asio::detail
