// The worker pool behind `Engine::offload`: work that would hold a loop up, done on threads of its own.
//
//   add ──▶ waiting ──run_one (a worker)──▶ done ──letter──▶ the loop it came for
//              └──drop, when everything stops: told that it was not begun
//
// Owns jobs until they are answered. Leaves to others: threads (server.cpp), or who plays them (stepper.cpp).
// Invariant: each job that was added is answered exactly once.
#pragma once

#include <ringwire/function.hpp>

#include "lib/base/log.hpp"
#include "lib/loop/mailbox.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <system_error>

namespace ringwire::engine {

/// Work for a worker, and whom to tell.
struct Job {
  Task work;
  std::shared_ptr<loop::Mailbox> home;
  /// Run on the loop of `home` with how the work went; with no loop when there is none any more.
  loop::Mail answer;
  std::error_code outcome = {};
};

/// Jobs that wait, and what workers do with them.
class Workers {
 public:
  /// `jobs_max` may wait. `log` outlives it.
  Workers(const base::Log& log, std::size_t jobs_max) noexcept : log_{log}, jobs_max_{jobs_max} {}
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers() { drop(); }

  /// Takes a job, or leaves it and answers why: EAGAIN when as many as allowed wait,
  /// `Error::engine_stopped` after `stop`. Any thread. May throw bad_alloc; then it is left, too.
  [[nodiscard]] std::error_code add(std::unique_ptr<Job>& job);

  /// Does a job wait? Any thread, without a lock.
  [[nodiscard]] bool has_jobs() const noexcept { return count_.load(std::memory_order_acquire) != 0; }
  /// Runs the oldest job that waits and answers it; false when none does. Any thread.
  bool run_one() noexcept;
  /// A worker's life: runs jobs, and waits for them, until `stop`.
  void run() noexcept;
  /// Takes no more, and sends workers home after the job each has in hand. Any thread; twice is harmless.
  void stop() noexcept;
  /// Answers those that were never begun. After `stop`, when no worker runs.
  void drop() noexcept;

 private:
  [[nodiscard]] std::unique_ptr<Job> take() noexcept;
  void run_job(std::unique_ptr<Job> job) noexcept;
  void tell(std::unique_ptr<Job> job) noexcept;

  const base::Log& log_;
  const std::size_t jobs_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Job>> waiting_;  // Under mutex_.
  bool stopped_ = false;                      // Under mutex_.
  std::atomic<std::size_t> count_{0};         // Of waiting_; written under mutex_.
};

}  // namespace ringwire::engine
