// A loop on a scripted kernel, stepped by hand, with a handler that writes down what it is told.
#pragma once

#include <ringwire/handler.hpp>

#include "lib/loop/loop.hpp"
#include "tests/support/script_kernel.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace ringwire::test {

/// Writes every event down as a word, and does what the test wants in it.
class Notebook : public Handler {
 public:
  std::vector<std::string> events;
  std::function<Action(Conn&)> open, traffic, eof, writable, drain;
  std::function<Action(Conn&, std::error_code)> close;
  std::function<Action(Datagram&)> datagram;
  std::function<Action(Session&)> session_open;
  std::function<Action(Session&, std::error_code)> session_close;
  std::function<Tick()> ticks;

  Action on_open(Conn& conn) override { return note("open", open, conn); }
  Action on_traffic(Conn& conn) override {
    return note("traffic:" + std::string{to_text(conn.peek())}, traffic, conn);
  }
  Action on_eof(Conn& conn) override {
    events.emplace_back("eof");
    return eof ? eof(conn) : Action::close;
  }
  Action on_writable(Conn& conn) override { return note("writable", writable, conn); }
  Action on_drain(Conn& conn) override {
    events.emplace_back("drain");
    return drain ? drain(conn) : Action::close;
  }
  Action on_close(Conn& conn, std::error_code reason) override {
    events.push_back(reason ? "close:" + reason.message() : "close");
    return close ? close(conn, reason) : Action::none;
  }
  Action on_datagram(Datagram& came) override {
    events.push_back("datagram:" + std::string{to_text(came.bytes())} +
                     (came.is_truncated() ? " of " + std::to_string(came.size()) : ""));
    return datagram ? datagram(came) : Action::none;
  }
  Action on_session_open(Session& session) override {
    events.emplace_back("session " + std::to_string(session.remote_address().port));
    return session_open ? session_open(session) : Action::none;
  }
  Action on_session_close(Session& session, std::error_code reason) override {
    events.emplace_back("end " + std::to_string(session.remote_address().port) +
                        (reason ? ":" + reason.message() : ""));
    return session_close ? session_close(session, reason) : Action::none;
  }
  Tick on_tick() override {
    events.emplace_back("tick");
    return ticks ? ticks() : Tick{std::chrono::milliseconds{10}};
  }

 private:
  Action note(std::string word, const std::function<Action(Conn&)>& act, Conn& conn) {
    events.push_back(std::move(word));
    return act ? act(conn) : Action::none;
  }
};

/// Counts who wants to stop, and how often listeners were about to be closed.
class StopCounter final : public loop::Owner {
 public:
  void stop_wanted() noexcept override { ++count; }
  void listeners_closing() noexcept override { ++closings; }
  int count = 0;
  int closings = 0;
};

/// A loop, to which a fixture gives its sockets and then opens it.
class ScriptedLoop {
 public:
  static constexpr int listener = 10;

  ScriptedLoop(const ScriptedLoop&) = delete;
  ScriptedLoop& operator=(const ScriptedLoop&) = delete;

  /// One lap; its SQEs go out with the next, so a second one submits them.
  void lap() {
    running = running && loop.lap();
    running = running && loop.lap();
  }

  /// Accepts descriptor `fd`, whose receive is then armed. There must be a listener.
  Request connect(int fd) {
    kernel.complete(*accept, fd, IORING_CQE_F_MORE);
    lap();
    return *kernel.take(uring::Op::recv);
  }

  /// Ends everything as a willing kernel would.
  void stop() {
    if (!running) return;
    loop.request_stop();
    for (int round = 0; round < 20 && running; ++round) {
      kernel.cancel_outstanding();
      kernel.time += 10'000'000'000;
      lap();
    }
  }

  /// What was logged above debug since the last of them was made.
  static inline std::vector<std::string> logged;

  ScriptKernel kernel;
  Notebook notebook;
  StopCounter owner;
  base::Log log{LogLevel::info, [](LogLevel, std::string_view line) { logged.emplace_back(line); }};
  Options options;
  loop::Loop loop;
  std::error_code opened;
  std::optional<Request> accept;
  bool running = true;

 protected:
  explicit ScriptedLoop(const Options& given, bool balanced = false)
      : options{given}, loop{{kernel, notebook, options, log, owner}, 0, balanced} {
    logged.clear();
  }
  ~ScriptedLoop() { stop(); }

  void open() {
    opened = loop.open();
    lap();
    accept = kernel.take(uring::Op::accept);
  }
};

/// A loop with one listener on descriptor 10, or, with `balanced`, none.
class LoopFixture : public ScriptedLoop {
 public:
  explicit LoopFixture(const Options& given = {}, bool balanced = false, int signal_fd = -1)
      : ScriptedLoop{given, balanced} {
    if (!balanced) loop.add_listener(listener);
    if (signal_fd >= 0) loop.watch_signals(signal_fd);
    open();
  }
};

/// The list of words, for CHECK.
using Words = std::vector<std::string>;

}  // namespace ringwire::test
