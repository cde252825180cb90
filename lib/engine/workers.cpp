// A job's way: taken, run, and told to the loop it came for.
#include "lib/engine/workers.hpp"

#include <ringwire/engine.hpp>
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/engine/server.hpp"

#include <new>
#include <utility>

namespace ringwire {
namespace engine {

std::error_code Workers::add(std::unique_ptr<Job>& job) {
  RINGWIRE_ASSERT(job != nullptr);
  {
    const std::lock_guard lock{mutex_};
    if (stopped_) return Error::engine_stopped;
    if (waiting_.size() >= jobs_max_) return std::make_error_code(std::errc::resource_unavailable_try_again);
    waiting_.push_back(nullptr);  // May throw: then the job is still the caller's.
    waiting_.back() = std::move(job);
    count_.store(waiting_.size(), std::memory_order_release);
  }
  changed_.notify_one();
  return {};
}

std::unique_ptr<Job> Workers::take() noexcept {
  const std::lock_guard lock{mutex_};
  if (waiting_.empty()) return nullptr;
  std::unique_ptr<Job> job = std::move(waiting_.front());
  waiting_.pop_front();
  count_.store(waiting_.size(), std::memory_order_release);
  return job;
}

bool Workers::run_one() noexcept {
  std::unique_ptr<Job> job = take();
  if (job == nullptr) return false;
  run_job(std::move(job));
  return true;
}

void Workers::run() noexcept {
  for (;;) {
    {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
      if (stopped_) return;
    }
    run_one();  // Perhaps another worker was quicker.
  }
}

void Workers::run_job(std::unique_ptr<Job> job) noexcept {
  try {
    job->work();
  } catch (...) {
    base::log_exception(log_, "offloaded work");
    job->outcome = Error::handler_failed;
  }
  tell(std::move(job));
}

// By a letter that no bound refuses: there are as many as there were jobs. Where there is no loop, or no
// memory, to read it, it is told here.
void Workers::tell(std::unique_ptr<Job> job) noexcept {
  job->work = nullptr;  // What it holds dies here, not on the loop.
  const std::shared_ptr<loop::Mailbox> home = std::move(job->home);
  loop::Mail letter{[job = std::move(job)](loop::Loop* loop, std::error_code refused) {
    job->answer(loop, job->outcome || loop != nullptr ? job->outcome : refused);
  }};
  try {
    std::error_code refused;
    try {
      refused = home->post(std::move(letter), true);
    } catch (const std::bad_alloc&) {
      refused = std::make_error_code(std::errc::not_enough_memory);
    }
    // A refused letter is left intact. NOLINTNEXTLINE(bugprone-use-after-move)
    if (refused) letter(nullptr, refused);
  } catch (...) {
    base::log_exception(log_, "an offload callback");
  }
}

void Workers::stop() noexcept {
  {
    const std::lock_guard lock{mutex_};
    stopped_ = true;
  }
  changed_.notify_all();
}

void Workers::drop() noexcept {
  stop();
  while (std::unique_ptr<Job> job = take()) {
    job->outcome = Error::engine_stopped;
    tell(std::move(job));
  }
}

}  // namespace engine

// ---- the public face

void Engine::offload(const ConnRef& conn, Task work, Offloaded done) {
  RINGWIRE_REQUIRE(work, "no work to offload");
  const auto find = [slot = conn.slot_, generation = conn.generation_](loop::Loop* loop) -> Conn* {
    return loop != nullptr ? loop->find(slot, generation) : nullptr;
  };
  static_cast<engine::Server&>(*this).offload(
      conn.loop_.mailbox_, std::move(work),
      [find, done = std::move(done)](loop::Loop* loop, std::error_code outcome) mutable {
        if (!done) return;
        Conn* const found = find(loop);
        done(found, found == nullptr && !outcome ? make_error_code(Error::closed) : outcome);
      });
}

void Engine::offload(const LoopRef& loop, Task work, Done done) {
  RINGWIRE_REQUIRE(work, "no work to offload");
  static_cast<engine::Server&>(*this).offload(
      loop.mailbox_, std::move(work), [done = std::move(done)](loop::Loop*, std::error_code outcome) mutable {
        if (done) done(outcome);
      });
}

void Engine::offload(Task work, Done done) {
  std::size_t here = loops_count();
  while (here > 0 && !loop(here - 1).is_current()) --here;
  offload(loop(here > 0 ? here - 1 : 0), std::move(work), std::move(done));
}

}  // namespace ringwire
