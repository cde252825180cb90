// An engine in a thread, and a handler that records.
//
// Leaves to others: what a test expects. Invariant: `record_` is only touched under the mutex, and a count is
// raised after the event's hook has returned or thrown.
#include "tests/support/server.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <utility>

namespace ringwire::test {

std::size_t Record::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count(events.begin(), events.end(), name));
}

// Lives as long as an event; counts it at the end, also when the hook throws.
class RecordingHandler::Counted {
 public:
  Counted(RecordingHandler& handler, std::size_t Record::*counter, const char* name)
      : handler_(handler), counter_(counter), name_(name) {}
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() {
    const std::lock_guard lock{handler_.mutex_};
    ++(handler_.record_.*counter_);
    if (counter_ != &Record::ticks) handler_.record_.events.emplace_back(name_);
    handler_.changed_.notify_all();
  }

 private:
  RecordingHandler& handler_;
  std::size_t Record::*counter_;
  const char* name_;
};

Action RecordingHandler::on_boot(Engine& engine) {
  {
    const std::lock_guard lock{mutex_};
    engine_ = &engine;
    addresses_ = engine.addresses();
  }
  const Counted counted{*this, &Record::boots, "boot"};
  const Action action = boot ? boot(engine) : Handler::on_boot(engine);
  if (action == Action::shutdown) {
    const std::lock_guard lock{mutex_};
    engine_ = nullptr;  // `run` returns now.
  }
  return action;
}

Action RecordingHandler::on_open(Conn& conn) {
  {
    const std::lock_guard lock{mutex_};
    record_.refs.push_back(conn.ref());
  }
  const Counted counted{*this, &Record::opened, "open"};
  return open ? open(conn) : Handler::on_open(conn);
}

Action RecordingHandler::on_traffic(Conn& conn) {
  const Counted counted{*this, &Record::traffics, "traffic"};
  return traffic ? traffic(conn) : Action::none;
}

Action RecordingHandler::on_datagram(Datagram& came) {
  const Counted counted{*this, &Record::datagrams, "datagram"};
  return datagram ? datagram(came) : Handler::on_datagram(came);
}

Action RecordingHandler::on_session_open(Session& session) {
  const Counted counted{*this, &Record::sessions_opened, "session"};
  return session_open ? session_open(session) : Handler::on_session_open(session);
}

Action RecordingHandler::on_session_close(Session& session, std::error_code reason) {
  const Counted counted{*this, &Record::sessions_closed, "session end"};
  {
    const std::lock_guard lock{mutex_};
    record_.reasons.push_back(reason);
  }
  return session_close ? session_close(session, reason) : Handler::on_session_close(session, reason);
}

Action RecordingHandler::on_eof(Conn& conn) {
  const Counted counted{*this, &Record::eofs, "eof"};
  return eof ? eof(conn) : Handler::on_eof(conn);
}

Action RecordingHandler::on_writable(Conn& conn) {
  const Counted counted{*this, &Record::writables, "writable"};
  return writable ? writable(conn) : Handler::on_writable(conn);
}

Action RecordingHandler::on_drain(Conn& conn) {
  const Counted counted{*this, &Record::drains, "drain"};
  return drain ? drain(conn) : Handler::on_drain(conn);
}

Action RecordingHandler::on_close(Conn& conn, std::error_code reason) {
  const Counted counted{*this, &Record::closed, "close"};
  {
    const std::lock_guard lock{mutex_};
    record_.reasons.push_back(reason);
  }
  return close ? close(conn, reason) : Handler::on_close(conn, reason);
}

Tick RecordingHandler::on_tick() {
  const Counted counted{*this, &Record::ticks, "tick"};
  return tick ? tick() : Handler::on_tick();
}

void RecordingHandler::on_shutdown(Engine& engine) {
  const Counted counted{*this, &Record::shutdowns, "shutdown"};
  if (shutdown) shutdown(engine);
  const std::lock_guard lock{mutex_};
  engine_ = nullptr;
}

void RecordingHandler::note(std::string text) {
  const std::lock_guard lock{mutex_};
  record_.events.push_back(std::move(text));
  changed_.notify_all();
}

Record RecordingHandler::record() const {
  const std::lock_guard lock{mutex_};
  return record_;
}

bool RecordingHandler::wait(const std::function<bool(const Record&)>& condition) const {
  std::unique_lock lock{mutex_};
  return changed_.wait_until(lock, std::chrono::system_clock::now() + patience,
                             [&] { return condition(record_); });
}

bool RecordingHandler::wait_opened(std::size_t count) const {
  return wait([count](const Record& record) { return record.opened >= count; });
}

bool RecordingHandler::wait_closed(std::size_t count) const {
  return wait([count](const Record& record) { return record.closed >= count; });
}

bool RecordingHandler::wait_noted(std::string_view text, std::size_t count) const {
  return wait([text, count](const Record& record) { return record.count(text) >= count; });
}

ConnRef RecordingHandler::first_ref() const {
  if (!wait_opened(1)) return {};
  return record().refs.front();
}

Action echo_datagram(Datagram& datagram) {
  datagram.reply(datagram.bytes());
  return Action::none;
}

Action echo(Conn& conn) {
  conn.write(conn.next());
  return Action::none;
}

Options quiet() {
  Options options;
  options.log_level = LogLevel::off;
  // Most tests stop with clients that never answer FIN, and would wait a whole second each for nothing.
  options.stop_timeout = std::chrono::milliseconds{scaled(100, 250)};
  return options;
}

TestServer::TestServer(RecordingHandler& handler, const Options& options)
    : TestServer(handler, options, {"tcp://127.0.0.1:0"}) {}

TestServer::TestServer(RecordingHandler& handler, const Options& options, std::vector<std::string> addresses)
    : handler_(handler) {
  thread_ = std::thread{[this, options, addresses = std::move(addresses)] {
    const std::vector<std::string_view> views{addresses.begin(), addresses.end()};
    result_ = run(handler_, std::span<const std::string_view>{views}, options);
    explanation_ = result_ ? explain(result_) : "";
    const std::lock_guard lock{handler_.mutex_};
    handler_.engine_ = nullptr;
    handler_.ended_ = true;
    handler_.changed_.notify_all();
  }};
  const bool decided =
      handler_.wait([this](const Record& record) { return record.boots > 0 || handler_.ended_; });
  if (!decided) {
    std::cout << "TestServer: run neither called on_boot nor returned" << std::endl;
    std::abort();
  }
  const std::lock_guard lock{handler_.mutex_};
  addresses_ = handler_.addresses_;
}

TestServer::~TestServer() {
  if (thread_.joinable()) stop();
}

Engine& TestServer::engine() const {
  const std::lock_guard lock{handler_.mutex_};
  if (handler_.engine_ == nullptr) {
    std::cout << "TestServer: the engine does not run: " << explanation_ << std::endl;
    std::abort();
  }
  return *handler_.engine_;
}

namespace {

bool poll_until(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace

bool TestServer::wait_count(std::size_t count) const {
  return poll_until([&, &engine = engine()] { return engine.connections_count() == count; });
}

bool TestServer::wait_count(std::size_t loop, std::size_t count) const {
  return poll_until([&, &engine = engine()] { return engine.connections_count(loop) == count; });
}

bool TestServer::wait_refused(std::size_t count) const {
  return poll_until([&, &engine = engine()] { return engine.connections_refused() == count; });
}

std::error_code TestServer::stop() {
  {
    // Under the lock on_shutdown cannot complete, so the engine is still there while it is told to stop.
    const std::lock_guard lock{handler_.mutex_};
    if (handler_.engine_ != nullptr) handler_.engine_->stop();
  }
  return join();
}

std::error_code TestServer::join() {
  if (!thread_.joinable()) return result_;
  if (!handler_.wait([this](const Record&) { return handler_.ended_; })) {
    std::cout << "TestServer: the engine does not end" << std::endl;
    std::abort();
  }
  thread_.join();
  return result_;
}

Standstill::Standstill(const LoopRef& loop) : gate_{std::make_shared<Gate>()} {
  const std::error_code error = loop.post([gate = gate_] {
    gate->entered.set_value();
    gate->opened.get_future().wait();
  });
  if (error) throw std::system_error{error, "a loop that is to stand still"};
  gate_->entered.get_future().wait();
}

void Standstill::end() {
  if (gate_ != nullptr) gate_->opened.set_value();
  gate_ = nullptr;
}

}  // namespace ringwire::test
