// An engine in a thread, and a handler that records what happens so that a test can wait for it.
//
// Leaves to others: what a test expects. Invariant: nothing waits longer than `patience`; an engine that does
// not end by then ends the test program, because its thread could not be left behind.
#pragma once

#include <ringwire/ringwire.hpp>

#include "tests/support/wait.hpp"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace ringwire::test {

/// What has happened so far.
struct Record {
  std::size_t boots = 0;
  std::size_t opened = 0;
  std::size_t traffics = 0;
  std::size_t datagrams = 0;
  std::size_t sessions_opened = 0;
  std::size_t sessions_closed = 0;
  std::size_t eofs = 0;
  std::size_t writables = 0;
  std::size_t drains = 0;
  std::size_t closed = 0;
  std::size_t ticks = 0;
  std::size_t shutdowns = 0;
  /// The events by name, in order: "open", "traffic", "eof", "close", and what `note` added.
  std::vector<std::string> events;
  /// The reason of each on_close and on_session_close.
  std::vector<std::error_code> reasons;
  /// A handle to each opened connection.
  std::vector<ConnRef> refs;

  /// How often an event of this name stands in `events`.
  [[nodiscard]] std::size_t count(std::string_view name) const;
};

/// Counts every event after its hook ran, so that who waits for a count sees what the hook did.
///
/// Set the hooks before the server starts. A hook that is not set does what `Handler` does; on_traffic takes
/// nothing then.
class RecordingHandler : public Handler {
 public:
  std::function<Action(Engine&)> boot;
  std::function<Action(Conn&)> open;
  std::function<Action(Conn&)> traffic;
  std::function<Action(Datagram&)> datagram;
  std::function<Action(Session&)> session_open;
  std::function<Action(Session&, std::error_code)> session_close;
  std::function<Action(Conn&)> eof;
  std::function<Action(Conn&)> writable;
  std::function<Action(Conn&)> drain;
  std::function<Action(Conn&, std::error_code)> close;
  std::function<Tick()> tick;
  std::function<void(Engine&)> shutdown;

  Action on_boot(Engine& engine) override;
  Action on_open(Conn& conn) override;
  Action on_traffic(Conn& conn) override;
  Action on_datagram(Datagram& datagram) override;
  Action on_session_open(Session& session) override;
  Action on_session_close(Session& session, std::error_code reason) override;
  Action on_eof(Conn& conn) override;
  Action on_writable(Conn& conn) override;
  Action on_drain(Conn& conn) override;
  Action on_close(Conn& conn, std::error_code reason) override;
  Tick on_tick() override;
  void on_shutdown(Engine& engine) override;

  /// Adds a line to the events. Any thread.
  void note(std::string text);

  /// A copy of the record.
  [[nodiscard]] Record record() const;

  /// Waits until `condition` holds; false when it does not by the deadline.
  [[nodiscard]] bool wait(const std::function<bool(const Record&)>& condition) const;
  /// Waits until so many connections were opened.
  [[nodiscard]] bool wait_opened(std::size_t count) const;
  /// Waits until so many connections were closed.
  [[nodiscard]] bool wait_closed(std::size_t count) const;
  /// Waits until `text` was noted, or an event of this name came, so many times.
  [[nodiscard]] bool wait_noted(std::string_view text, std::size_t count = 1) const;

  /// Waits until one connection is open, and answers its handle; one that names nothing after the deadline.
  [[nodiscard]] ConnRef first_ref() const;

 private:
  friend class TestServer;
  class Counted;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Record record_;
  std::vector<Address> addresses_;
  Engine* engine_ = nullptr;  // From on_boot until on_shutdown.
  bool ended_ = false;        // `run` has returned.
};

/// Sends back what came: the hook of an echo server.
Action echo(Conn& conn);
/// The same for datagrams.
Action echo_datagram(Datagram& datagram);

/// Options for tests: nothing is logged, and stopping is brisk.
[[nodiscard]] Options quiet();

/// `run` in a thread of its own, listening on port 0 of 127.0.0.1 unless told otherwise.
class TestServer {
 public:
  /// Starts, and waits until on_boot returned or `run` did.
  explicit TestServer(RecordingHandler& handler, const Options& options = quiet());
  TestServer(RecordingHandler& handler, const Options& options, std::vector<std::string> addresses);
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  /// Stops and joins.
  ~TestServer();

  /// The engine; only while it runs.
  [[nodiscard]] Engine& engine() const;
  /// Waits until so many connections are open, on all loops or on one. The counts follow on_close at the end
  /// of the lap.
  [[nodiscard]] bool wait_count(std::size_t count) const;
  [[nodiscard]] bool wait_count(std::size_t loop, std::size_t count) const;
  /// Waits until so many connections were refused.
  [[nodiscard]] bool wait_refused(std::size_t count) const;
  /// The address of the first listener.
  [[nodiscard]] const Address& address() const { return addresses_.at(0); }
  /// The addresses of all listeners; empty when the start failed.
  [[nodiscard]] const std::vector<Address>& addresses() const { return addresses_; }

  /// Stops the engine (unless it has stopped itself), waits for the end, and answers what `run` returned.
  std::error_code stop();
  /// Waits for the engine to end by itself, and answers what `run` returned.
  std::error_code join();
  /// What `explain` said about the result, on the thread that called `run`. After `join`.
  [[nodiscard]] const std::string& explanation() const { return explanation_; }

 private:
  RecordingHandler& handler_;
  std::vector<Address> addresses_;
  std::error_code result_;
  std::string explanation_;
  std::thread thread_;
};

/// A loop that does nothing: a task holds it up from when this is made until `end`, or until this goes.
class Standstill {
 public:
  /// Waits until the loop stands still. Throws when the loop takes no task.
  explicit Standstill(const LoopRef& loop);
  Standstill(const Standstill&) = delete;
  Standstill& operator=(const Standstill&) = delete;
  ~Standstill() { end(); }

  /// The loop goes on. Twice is harmless.
  void end();

 private:
  struct Gate {
    std::promise<void> entered;
    std::promise<void> opened;
  };
  std::shared_ptr<Gate> gate_;  // The task's, too: it may end after this.
};

}  // namespace ringwire::test
