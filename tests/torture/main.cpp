// `./dev torture`: a real kernel, tiny limits, clients without manners; and the same engine in a long churn.
//
// Leaves to others: the handler (`server.hpp`), clients (`client.hpp`), the rules between the two
// (`link.hpp`). It checks what only the whole process shows: descriptors, memory, counts. That receive
// buffers come home is asserted by every lap of every loop, in every build.
#include <ringwire/ringwire.hpp>

#include "tests/support/process.hpp"
#include "tests/support/wait.hpp"
#include "tests/torture/client.hpp"
#include "tests/torture/link.hpp"
#include "tests/torture/server.hpp"
#include "tests/torture/settings.hpp"

#include <fmt/format.h>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace ringwire::torture {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t threads_count = 2;  // Of clients.
constexpr std::size_t width = 22;  // Connections of one at a time; with closing ones, some are refused.
constexpr std::size_t churn_width = 8;
constexpr std::size_t growth_max = 8 << 20;  // Resident memory after the warm-up.
constexpr std::uint64_t warm_up_cycles = 5'000;
// A shorter run need not have met everything.
constexpr std::uint64_t thorough_seconds = 10;

std::atomic<std::uint64_t> accept_pauses = 0;
std::atomic<std::uint64_t> error_lines = 0;

void on_log(LogLevel level, std::string_view line) {
  if (line.find("accept paused") != std::string_view::npos) ++accept_pauses;
  if (level == LogLevel::error) ++error_lines;
  if (level >= LogLevel::info) fmt::print("log: {}\n", line);
}

// Collects what must hold.
class Verdict {
 public:
  void check(bool holds, const std::string& text) {
    fmt::print("{}  {}\n", holds ? "ok  " : "FAIL", text);
    std::fflush(stdout);
    ++(holds ? passed_ : failed_);
  }
  int exit() const {
    fmt::print("{} passed, {} failed\n", passed_, failed_);
    return failed_ == 0 ? 0 : 1;
  }

 private:
  int passed_ = 0;
  int failed_ = 0;
};

bool wait_until(const std::function<bool()>& condition) {
  const auto deadline = Clock::now() + test::patience;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

// An engine in a thread. It ends with the object, or the process ends.
class Running {
 public:
  Running(Table& table, std::uint64_t seed, bool whims) : server_{table, seed, whims} {
    auto booted = server_.booted.get_future();
    Options options = tiny_options();
    options.log_sink = on_log;
    result_ = std::async(std::launch::async,
                         [this, options] { return run(server_, "tcp4://127.0.0.1:0", options); });
    while (booted.wait_for(1ms) != std::future_status::ready) {
      if (result_.wait_for(0ms) != std::future_status::ready) continue;
      fmt::print(stderr, "the engine does not start: {}\n", explain(result_.get()));
      std::exit(1);
    }
    engine_ = booted.get();
    port_ = engine_->addresses().front().port;
    // Loops open their rings when they run: only a loop that has served somebody is all there.
    const std::atomic<bool> stop = false;
    Clients{table, stop, {.port = port_, .width = 1, .cycles = 9}}.run();
    static_cast<void>(wait_until([&] { return engine_->connections_count() == 0; }));
  }

  [[nodiscard]] Engine& engine() const { return *engine_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

  std::error_code stop() {
    static_cast<void>(engine_->stop());
    if (result_.wait_for(test::patience) != std::future_status::ready) {
      fmt::print(stderr, "the engine does not end\n");
      std::abort();
    }
    return result_.get();
  }

 private:
  Server server_;
  std::future<std::error_code> result_;
  Engine* engine_ = nullptr;
  std::uint16_t port_ = 0;
};

// Takes all descriptors away and gives them back. A multishot accept keeps the limit it was armed with, so
// the limit is lowered once, before the engine starts, and what is left below it is taken.
class Scarcity {
 public:
  explicit Scarcity(std::uint64_t seed) : random_{static_cast<unsigned>(seed)} {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = std::min<rlim_t>(before_.rlim_cur, test::open_descriptors() + spare);
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  Scarcity(const Scarcity&) = delete;
  Scarcity& operator=(const Scarcity&) = delete;
  ~Scarcity() {
    give_back();
    setrlimit(RLIMIT_NOFILE, &before_);
  }

  // All but a few.
  void take() {
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken_.push_back(fd);
    for (unsigned left = random_() % 5; left > 0 && !taken_.empty(); --left) give_back_one();
  }
  void give_back() {
    while (!taken_.empty()) give_back_one();
  }

 private:
  static constexpr rlim_t spare = 200;

  void give_back_one() {
    ::close(taken_.back());
    taken_.pop_back();
  }

  rlimit before_{};
  std::vector<int> taken_;
  std::minstd_rand random_;
};

// Clients in threads of their own.
class Crowd {
 public:
  Crowd(Table& table, Orders orders) {
    const std::uint64_t cycles = orders.cycles;
    for (std::size_t index = 0; index < threads_count; ++index) {
      orders.seed = orders.seed * threads_count + index;
      orders.cycles = cycles / threads_count + (index < cycles % threads_count ? 1 : 0);
      if (cycles > 0 && orders.cycles == 0) continue;
      threads_.emplace_back([this, &table, orders] { Clients{table, stop_, orders}.run(); });
    }
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  ~Crowd() { stop(); }

  void stop() {
    stop_ = true;
    join();
  }
  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> threads_;
};

// What the process holds.
struct Holdings {
  std::size_t descriptors = 0;
  std::size_t resident = 0;
};

Holdings holdings() {
  return {test::open_descriptors(), test::resident_size()};
}

bool everybody_is_gone(const Engine& engine, const Table& table) {
  return wait_until(
      [&] { return engine.connections_count() == 0 && table.figures.opened == table.figures.closed; });
}

void check_holdings(Verdict& verdict, const Holdings& before, const Holdings& warm) {
  wait_until([&] { return test::open_descriptors() == before.descriptors; });
  const Holdings after = holdings();
  verdict.check(after.descriptors == before.descriptors,
                fmt::format("descriptors: {} before, {} after", before.descriptors, after.descriptors));
  const std::string text =
      fmt::format("resident memory: {} KiB after the warm-up, {} KiB at the end, bound {} KiB more",
                  warm.resident >> 10, after.resident >> 10, growth_max >> 10);
  if (test::sanitized) {
    fmt::print("      {} (a sanitizer keeps memory back: not judged)\n", text);
  } else {
    verdict.check(after.resident < warm.resident + growth_max, text);
  }
}

void check_end(Verdict& verdict, Running& running, Table& table, std::size_t descriptors) {
  const std::size_t refused = running.engine().connections_refused();
  const std::error_code error = running.stop();
  verdict.check(!error, "clean stop");
  table.end_all();
  const Figures& figures = table.figures;
  verdict.check(figures.opened == figures.closed, fmt::format("on_open {} times, on_close {} times",
                                                              figures.opened.load(), figures.closed.load()));
  verdict.check(figures.unnamed_by_table <= refused + figures.ended_unnamed,
                fmt::format("{} clients turned away at the door; {} connections refused and {} closed there",
                            figures.unnamed_by_table.load(), refused, figures.ended_unnamed.load()));
  const bool is_back = wait_until([&] { return test::open_descriptors() == descriptors; });
  verdict.check(is_back, fmt::format("descriptors without the engine: {} before, {} after", descriptors,
                                     test::open_descriptors()));
  verdict.check(error_lines == 0, "the log has no error");
  verdict.check(table.violations() == 0, fmt::format("{} rules broken", table.violations()));
}

void print_figures(const Table& table, double seconds) {
  const Figures& figures = table.figures;
  fmt::print("      {:.0f} s: {} connections; bytes checked: {} up, {} down\n", seconds,
             figures.connections.load(), figures.bytes_up.load(), figures.bytes_down.load());
  fmt::print("      behind every byte: {} FINs at clients, {} on_eof\n", figures.fins_checked.load(),
             figures.eofs_checked.load());
  fmt::print(
      "      resets: {} by clients, {} by the handler, {} seen by clients, {} of close_timeout before and {} "
      "after the last byte left\n",
      figures.resets_by_clients.load(), figures.resets_by_server.load(), figures.resets_seen.load(),
      figures.close_timeouts.load(), figures.linger_timeouts.load());
  fmt::print("      half-closes: {} by clients, {} by the handler; {} stalls; {} writes above the mark\n",
             figures.half_closes_by_clients.load(), figures.half_closes_by_server.load(),
             figures.stalls.load(), figures.marks.load());
  fmt::print("      EMFILE: {} times descriptors ran out, {} accept pauses, {} sockets refused to clients\n",
             figures.scarcities.load(), accept_pauses.load(), figures.sockets_refused.load());
}

// Everything that should have happened did, or the run proves less than it says.
bool was_thorough(const Figures& figures) {
  const auto least = std::min({figures.fins_checked.load(), figures.eofs_checked.load(),
                               figures.resets_by_clients.load(), figures.resets_by_server.load(),
                               figures.half_closes_by_clients.load(), figures.half_closes_by_server.load(),
                               figures.stalls.load(), figures.marks.load(), accept_pauses.load()});
  return least > 0;
}

void torture(Verdict& verdict, const Settings& settings) {
  const std::size_t descriptors = test::open_descriptors();
  Scarcity scarcity{settings.seed};
  Table table;
  Running running{table, settings.seed, true};
  const Holdings before = holdings();
  Holdings warm;
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::seconds{settings.seconds};
  const auto warm_at = begin + std::chrono::milliseconds{settings.seconds * 250};
  {
    Crowd crowd{table, {.port = running.port(), .seed = settings.seed, .width = width}};
    while (Clock::now() < end && table.violations() == 0) {
      std::this_thread::sleep_for(250ms);
      if (warm.resident == 0 && Clock::now() > warm_at) warm = holdings();
      scarcity.take();
      ++table.figures.scarcities;
      std::this_thread::sleep_for(100ms);
      scarcity.give_back();
    }
    crowd.stop();
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  print_figures(table, seconds);
  verdict.check(everybody_is_gone(running.engine(), table), "open connections back to 0");
  check_holdings(verdict, before, warm);
  check_end(verdict, running, table, descriptors);
  if (settings.seconds >= thorough_seconds)
    verdict.check(was_thorough(table.figures), "each kind of trouble happened");
}

void churn(Verdict& verdict, const Settings& settings) {
  const std::size_t descriptors = test::open_descriptors();
  Table table;
  Running running{table, settings.seed, false};
  const std::uint64_t warm_up = std::min(warm_up_cycles, settings.churn);
  const Orders orders{.port = running.port(), .seed = settings.seed, .width = churn_width, .cycles = warm_up};
  Crowd{table, orders}.join();
  static_cast<void>(everybody_is_gone(running.engine(), table));
  const Holdings warm = holdings();
  Orders all = orders;
  all.cycles = settings.churn;
  const std::uint64_t fins = table.figures.fins_checked;
  const std::uint64_t resets = table.figures.resets_by_clients;
  const auto begin = Clock::now();
  Crowd{table, all}.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const std::uint64_t whole = table.figures.fins_checked - fins;
  const std::uint64_t broken_off = table.figures.resets_by_clients - resets;
  print_figures(table, seconds);
  verdict.check(
      whole + broken_off == settings.churn,
      fmt::format("{} cycles of {} echoed to the last byte, {} ended by a reset in {:.1f} s ({:.0f}/s)",
                  whole, settings.churn, broken_off, seconds, static_cast<double>(settings.churn) / seconds));
  verdict.check(everybody_is_gone(running.engine(), table), "open connections back to 0");
  check_holdings(verdict, warm, warm);
  check_end(verdict, running, table, descriptors);
}

}  // namespace

int start(const std::vector<std::string_view>& words) {
  const auto settings = parse(words);
  if (!settings) {
    fmt::print(stderr, "{}\n", help);
    return 2;
  }
  if (settings->help) {
    fmt::print("{}\n", help);
    return 0;
  }
  Verdict verdict;
  if (settings->seconds > 0) torture(verdict, *settings);
  if (settings->churn > 0) churn(verdict, *settings);
  return verdict.exit();
}

}  // namespace ringwire::torture

int main(int count, char** words) {
  return ringwire::torture::start({words + 1, words + count});
}
