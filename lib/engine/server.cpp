// From addresses to running threads and back.
#include "lib/engine/server.hpp"

#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/duration.hpp"
#include "lib/base/error.hpp"
#include "lib/engine/options.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace ringwire::engine {

Server::Server(kernel::Kernel& kernel, Handlers handlers, const Options& options)
    : kernel_{kernel},
      handlers_{std::move(handlers)},
      options_{options},
      log_{make_log(options, kernel)},
      listeners_{kernel},
      workers_{log_, options_.offload_max} {}

Server::~Server() {
  RINGWIRE_ASSERT(threads_.empty());
  workers_.drop();
  // A boot that failed leaves letters: they are answered while the engine they may speak to is whole.
  for (const auto& loop : loops_) loop->close();
}

template <typename Event>
bool Server::guard(const char* name, Event&& event) noexcept {
  try {
    event();
    return true;
  } catch (...) {
    base::log_exception(log_, name);
  }
  return false;
}

std::error_code Server::run(std::span<const std::string_view> addresses) {
  if (addresses.empty()) return base::fail(Error::invalid_address, "no address to listen on was given");
  if (const auto error = boot(addresses)) return error;
  if (const auto error = open_signals()) return error;

  const auto error = announce_and_serve();
  close_signals();
  return error;
}

// Before on_boot: who reads "listening" there may send a signal at once.
std::error_code Server::open_signals() {
  if (!options_.stop_on_signal) return {};
  signal_fd_ = kernel_.open_signals();
  if (signal_fd_ < 0) return base::fail(base::to_error(signal_fd_), "signalfd");
  loops_.front()->watch_signals(signal_fd_);
  return {};
}

void Server::close_signals() noexcept {
  if (signal_fd_ >= 0) kernel_.close_signals(std::exchange(signal_fd_, -1));
}

std::error_code Server::announce_and_serve() {
  Action action = Action::none;
  if (const auto error = announce(action)) return error;
  if (action == Action::shutdown) return {};

  if (const auto error = serve()) return error;
  say_goodbye();
  return {};
}

// Each handler in the order of their loops; who does not want to go on speaks for all.
std::error_code Server::announce(Action& action) {
  for (std::size_t index = 0; index < handlers_.count() && action != Action::shutdown; ++index) {
    if (!guard("on_boot", [&] { action = handlers_.of(index).on_boot(*this); })) {
      return base::fail(Error::handler_failed, "on_boot threw an exception; the log has its text");
    }
  }
  return {};
}

void Server::say_goodbye() noexcept {
  life_.store(Life::stopping);  // By whatever way: there is nothing left to stop.
  for (std::size_t index = 0; index < handlers_.count(); ++index) {
    guard("on_shutdown", [&] { handlers_.of(index).on_shutdown(*this); });
  }
}

// ---- boot: all that can fail before a thread runs

std::error_code Server::boot(std::span<const std::string_view> addresses) {
  if (const auto error = check_options(options_)) return error;
  if (const auto error = read_lockdown(kernel_, options_)) return error;

  const std::size_t count = engine::loops_count(options_, kernel_);
  if (const auto error = listeners_.open(addresses, options_, count)) return error;

  if (options_.engine_connections_max != 0 || options_.connections_per_ip_max != 0) {
    admission_.emplace(options_.engine_connections_max, options_.connections_per_ip_max);
  }
  budget_ = std::make_unique<conn::SendBudget>(options_.send_budget, count);
  if (const auto error = handlers_.make(count, log_)) return error;
  const auto with = [&](std::size_t loop) {
    return loop::Surroundings{
        kernel_,      handlers_.of(loop), options_, log_, *this, admission_ ? &*admission_ : nullptr,
        budget_.get()};
  };
  const bool has_balancer = count > 1 && listeners_.has_streams() && !options_.reuse_port;
  uring::Features wanted;
  if (const auto error = loop::wanted_features(with(0), wanted)) return error;  // Known names in the masks?
  std::vector<loop::Loop*> served;
  for (std::size_t index = 0; index < count; ++index) {
    loops_.push_back(std::make_unique<loop::Loop>(with(index), index, has_balancer));
    served.push_back(loops_.back().get());
  }
  if (has_balancer) balancer_ = std::make_unique<Balancer>(with(0), std::move(served));
  return {};
}

// ---- serve: threads, each with its own ring

std::error_code Server::serve() {
  const auto error = launch();
  join_threads();
  return error;
}

// Answers when every thread serves, or, after a failure, when none does.
std::error_code Server::launch() {
  gate_ = std::make_unique<Gate>(loops_.size() + (balancer_ != nullptr ? 1 : 0) + options_.workers_count);
  hand_out_listeners();
  start_threads();
  return gate_->wait();
}

void Server::join_threads() noexcept {
  for (auto& thread : threads_) thread->join();
  threads_.clear();
  // Only now: what a loop waited for to the end was still done.
  workers_.stop();
  for (auto& thread : worker_threads_) thread->join();
  worker_threads_.clear();
  workers_.drop();
}

std::error_code Server::prepare() {
  if (options_.stop_on_signal) {
    return base::fail(
        Error::invalid_option,
        "Options::stop_on_signal is true; a Client has no thread of its own to be told signals");
  }
  return boot({});
}

std::error_code Server::start() {
  Action action = Action::none;
  if (const auto error = announce(action)) return error;
  if (action == Action::shutdown) return Error::engine_stopped;

  const auto error = launch();
  if (error) join_threads();
  return error;
}

void Server::finish() noexcept {
  RINGWIRE_ASSERT(!threads_.empty());
  stop_wanted();
  join_threads();
  say_goodbye();
}

void Server::hand_out_listeners() {
  const auto listeners = listeners_.hand_out();
  // Loops receive datagrams for themselves: they cannot be handed over as connections can.
  for (const Listeners::DatagramSockets& sockets : listeners_.datagram_sockets()) {
    RINGWIRE_ASSERT(sockets.fds.size() == loops_.size() || sockets.fds.size() == 1);
    for (std::size_t loop = 0; loop < sockets.fds.size(); ++loop) {
      loops_[loop]->add_datagram_socket(sockets.fds[loop], listeners_.addresses()[sockets.index]);
    }
  }
  std::size_t taker = 0;
  for (const auto& each : listeners) {
    for (const Listeners::Listener& listener : each) {
      if (balancer_ != nullptr) {
        balancer_->add_listener(listener.fd, listener.is_tcp);
      } else {
        loops_[taker]->add_listener(listener.fd, listener.is_tcp);
      }
    }
    ++taker;
  }
}

void Server::start_threads() {
  const auto start = [&](auto& threads, const std::string& name, int cpu, Task body) {
    const std::string detail = "starting the thread " + name;
    try {
      threads.push_back(kernel_.start_thread(name, cpu, std::move(body)));
    } catch (const std::system_error& failure) {
      gate_->give_up(base::fail(failure.code(), detail));
    } catch (const std::bad_alloc&) {
      gate_->give_up(std::make_error_code(std::errc::not_enough_memory));
    }
  };

  threads_.reserve(loops_.size() + 1);
  worker_threads_.reserve(options_.workers_count);
  const std::vector<int> cpus = kernel_.cpus();
  for (std::size_t index = 0; index < loops_.size(); ++index) {
    loop::Loop& loop = *loops_[index];
    const int cpu = options_.pin_loops ? cpus[index % cpus.size()] : -1;
    start(threads_, fmt::format("ringwire/{}", index), cpu, [this, &loop] { run_loop(loop); });
  }
  if (balancer_ != nullptr) start(threads_, "ringwire/bal", -1, [this] { run_balancer(); });
  for (std::size_t index = 0; index < options_.workers_count; ++index) {
    start(worker_threads_, fmt::format("ringwire/w{}", index), -1, [this] { run_worker(); });
  }
}

// Before the gate opens: a thread that cannot be locked keeps all others from serving.
std::error_code Server::lock_thread() {
  if (!options_.lockdown) return {};
  const int result = kernel_.forbid_new_rings();
  if (result == 0) return {};
  return base::fail(Error::lockdown_failed,
                    fmt::format("the filter against new rings (seccomp, no_new_privs) was refused: {}",
                                base::to_error(result).message()));
}

void Server::run_loop(loop::Loop& loop) {
  std::error_code error = loop.open();
  if (!error) error = lock_thread();
  if (!error && &loop == loops_.front().get()) {
    log_.info("{} loop(s) on {}, features: {}{}", loops_.size(), kernel_.name(), loop.features().to_string(),
              options_.lockdown ? "; locked down" : "");
  }
  if (gate_->arrive(error)) {
    while (loop.lap()) {
    }
  }
  loop.close();
}

void Server::run_balancer() {
  std::error_code error = balancer_->open();
  if (!error) error = lock_thread();
  if (gate_->arrive(error)) {
    while (balancer_->lap()) {
    }
  }
  balancer_->close();
}

void Server::run_worker() {
  if (gate_->arrive(lock_thread())) workers_.run();
}

// ---- stop

bool Server::request_stop() noexcept {
  if (life_.exchange(Life::stopping) == Life::stopping) return false;
  follow({.deadline = options_.stop_timeout}, false);
  return true;
}

bool Server::request_drain(const DrainOptions& options) noexcept {
  Life expected = Life::serving;
  if (!life_.compare_exchange_strong(expected, Life::draining)) return false;
  follow(options, true);
  return true;
}

// The plan first: a loop that begins to stop follows it. One that has begun looks again; asking it to stop
// once more changes nothing.
void Server::follow(const DrainOptions& options, bool serves) noexcept {
  const kernel::Nanoseconds now = kernel_.now();
  const loop::DrainPlan plan{
      .told_by = now + base::to_nanoseconds(std::min(options.spread, options.deadline)),
      .deadline = now + base::to_nanoseconds(options.deadline),
      .serves = serves};
  for (const auto& loop : loops_) loop->plan_drain(plan);
  if (balancer_ != nullptr) {
    balancer_->request_stop();  // Which tells the loops when nothing more can come.
  } else {
    for (const auto& loop : loops_) loop->request_stop();
  }
}

LoopRef Server::least_loaded() noexcept {
  const std::size_t first = turn_.fetch_add(1, std::memory_order_relaxed);
  std::size_t best = first % loops_.size();
  for (std::size_t step = 1; step < loops_.size(); ++step) {
    const std::size_t index = (first + step) % loops_.size();
    if (loops_[index]->connections_count() < loops_[best]->connections_count()) best = index;
  }
  return loops_[best]->ref();
}

void Server::offload(const std::shared_ptr<loop::Mailbox>& home, Task work, loop::Mail answer) {
  if (home == nullptr) return answer(nullptr, Error::closed);
  if (options_.workers_count == 0) {
    return answer(nullptr, std::make_error_code(std::errc::operation_not_supported));
  }
  auto job = std::make_unique<Job>(Job{std::move(work), home, std::move(answer)});
  if (const auto refused = workers_.add(job)) job->answer(nullptr, refused);
}

void Server::stop_wanted() noexcept {
  static_cast<void>(request_stop());
}

}  // namespace ringwire::engine
