// An engine in a thread whose connections are Asio streams, and a queue to bring what happens to the test.
//
// Leaves to others: what is done with a stream. Invariant: nothing waits longer than `patience`, and a test
// whose blocking Asio client hangs is ended by an alarm.
#pragma once

#include <ringwire/asio.hpp>
#include <ringwire/ringwire.hpp>

#include "tests/support/wait.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace ringwire::test {

/// What one thread gives and another waits for, in order.
template <typename T>
class Queue {
 public:
  /// Adds one. Any thread.
  void give(T value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    changed_.notify_all();
  }

  /// Waits for the next; nothing after the deadline.
  [[nodiscard]] std::optional<T> take() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience, [this] { return !values_.empty(); })) return std::nullopt;
    T value = std::move(values_.front());
    values_.pop_front();
    return value;
  }

  /// True when nothing was given that was not taken.
  [[nodiscard]] bool empty() const {
    const std::lock_guard lock(mutex_);
    return values_.empty();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> values_;
};

/// `run` with a `stream_handler` in a thread of its own, on 127.0.0.1 and a port of the kernel's choice.
class StreamServer final : private asio::stream_handler {
 public:
  /// What is done with each stream, on its loop's thread.
  using Serve = std::function<void(asio::stream)>;

  /// Starts, and waits until it listens.
  explicit StreamServer(Serve serve, Options options = {});
  StreamServer(const StreamServer&) = delete;
  StreamServer& operator=(const StreamServer&) = delete;
  /// Stops and waits for the end.
  ~StreamServer() override;

  /// Where it listens.
  [[nodiscard]] const Address& address() const { return address_; }
  /// The engine, until `stop`.
  [[nodiscard]] Engine& engine() const { return *engine_; }
  /// The executor of the first loop.
  [[nodiscard]] asio::executor executor() const { return asio::executor(engine_->loop(0)); }
  /// Stops and waits for the end; answers what `run` returned.
  std::error_code stop();
  /// Waits until no connection is open; false after the deadline.
  [[nodiscard]] bool wait_until_empty() const;

 private:
  Action on_boot(Engine& engine) override;
  void on_stream(asio::stream stream) override { serve_(std::move(stream)); }

  Serve serve_;
  Engine* engine_ = nullptr;
  Address address_;
  Queue<std::error_code> booted_;  // Empty when it listens, else what `run` returned.
  std::error_code result_;
  std::thread thread_;
};

}  // namespace ringwire::test
