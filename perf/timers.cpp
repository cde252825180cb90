// Timers against a model, in simulated time and on the machine's own clock; and what one costs among many.
//
// Leaves to others: what must hold (perf/evidence/timers reads the figures). Prints one figure a line, as
// `name value`. Instructions are counted where perf_event_open(2) is allowed; CPU time is always.
#include <ringwire/ringwire.hpp>
#include <ringwire/sim.hpp>

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <iostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::size_t timers_count = 100'000;

// ---- the model: what must become of each timer

struct Fate {
  ringwire::TimerRef ref;
  nanoseconds due{};
  std::size_t set_count = 0;  // How often it was set; moving one is a cancel and another set.
  std::size_t runs = 0;
  bool cancelled = false;
};

struct Sums {
  std::size_t early = 0;
  std::size_t late = 0;  // More than a tick and what the lap allows.
  std::size_t wrong = 0;
  nanoseconds latest{};
};

class Model {
 public:
  // `slack`: what a lap may add to a tick.
  Model(ringwire::LoopRef loop, ringwire::Function<nanoseconds()> now, nanoseconds slack)
      : loop_{std::move(loop)}, now_{std::move(now)}, slack_{slack} {}

  // Sets all; a third is moved, some twice, and a third cancelled.
  void set_all() {
    fates_.resize(timers_count);
    for (std::size_t index = 0; index < fates_.size(); ++index) set(index);
    for (std::size_t index = 0; index < fates_.size(); index += 3) move(index);
    for (std::size_t index = 0; index < fates_.size(); index += 6) move(index);
    for (std::size_t index = 1; index < fates_.size(); index += 3) {
      if (!fates_[index].ref.cancel()) ++sums_.wrong;
      fates_[index].cancelled = true;
    }
  }

  [[nodiscard]] Sums judge() {
    for (const Fate& fate : fates_) {
      if (fate.runs != (fate.cancelled ? 0 : 1)) ++sums_.wrong;
    }
    return sums_;
  }

  [[nodiscard]] std::size_t runs() const { return runs_; }
  [[nodiscard]] static std::size_t runs_expected() { return timers_count - timers_count / 3; }

 private:
  void set(std::size_t index) {
    Fate& fate = fates_[index];
    const milliseconds delay{random_() % 2000};
    const std::size_t number = ++fate.set_count;
    fate.due = now_() + delay;
    fate.ref = loop_.schedule(delay, [this, index, number] { ran(index, number); });
    if (!fate.ref) ++sums_.wrong;
  }

  void move(std::size_t index) {
    if (!fates_[index].ref.cancel()) ++sums_.wrong;
    set(index);
  }

  void ran(std::size_t index, std::size_t number) {
    Fate& fate = fates_[index];
    const nanoseconds late = now_() - fate.due;
    ++runs_;
    ++fate.runs;
    if (number != fate.set_count || fate.cancelled) ++sums_.wrong;
    if (late < 0ns) ++sums_.early;
    if (late > 1ms + slack_) ++sums_.late;
    sums_.latest = std::max(sums_.latest, late);
  }

  ringwire::LoopRef loop_;
  ringwire::Function<nanoseconds()> now_;
  nanoseconds slack_;
  std::mt19937 random_{1};
  std::vector<Fate> fates_;
  std::size_t runs_ = 0;
  Sums sums_;
};

void print(const std::string& where, const Sums& sums, std::size_t runs) {
  std::cout << where << "_runs " << runs << '\n'
            << where << "_early " << sums.early << '\n'
            << where << "_late " << sums.late << '\n'
            << where << "_wrong " << sums.wrong << '\n'
            << where << "_latest_us " << sums.latest.count() / 1000 << std::endl;
}

// ---- simulated time: exact

void run_simulated() {
  ringwire::Handler nothing;
  ringwire::sim::World world{{.seed = 1, .whims = 0}};
  if (world.start(nothing, "tcp4://:9000")) std::exit(1);
  if (!world.advance(377'001ns)) std::exit(1);  // Between two ticks.
  Model model{world.engine().loop(0), [&] { return world.now(); }, 0ns};
  const auto posted = world.engine().loop(0).post([&] { model.set_all(); });
  if (posted || !world.advance(5s)) std::exit(1);
  print("simulated", model.judge(), model.runs());
  if (!world.run_to_end().empty()) std::exit(1);
}

// ---- an engine on the machine

class OnLoop : public ringwire::Handler {
 public:
  explicit OnLoop(ringwire::Function<void(ringwire::Engine&)> body) : body_{std::move(body)} {}

  ringwire::Action on_boot(ringwire::Engine& engine) override {
    static_cast<void>(engine.loop(0).post([this, &engine] { body_(engine); }));
    return ringwire::Action::none;
  }

 private:
  ringwire::Function<void(ringwire::Engine&)> body_;
};

void run_on_loop(ringwire::Function<void(ringwire::Engine&)> body) {
  OnLoop handler{std::move(body)};
  ringwire::Options options;
  options.log_level = ringwire::LogLevel::warn;
  options.timers_max = 2'000'000;
  if (const auto error = ringwire::run(handler, "tcp://127.0.0.1:0", options)) {
    std::cerr << ringwire::explain(error) << std::endl;
    std::exit(1);
  }
}

// Lateness on a busy machine is the machine's, so it is printed and only what is early counts.
void run_real() {
  std::deque<Model> models;
  run_on_loop([&](ringwire::Engine& engine) {
    const auto now = [] { return nanoseconds{std::chrono::steady_clock::now().time_since_epoch()}; };
    Model& model = models.emplace_back(engine.loop(0), now, 1h);
    model.set_all();
    engine.loop(0).schedule(6s, [&engine] { static_cast<void>(engine.stop()); });
  });
  print("real", models.front().judge(), models.front().runs());
}

// ---- what an operation costs while others wait

class Meter {
 public:
  Meter() {
    perf_event_attr wanted{};
    wanted.type = PERF_TYPE_HARDWARE;
    wanted.size = sizeof wanted;
    wanted.config = PERF_COUNT_HW_INSTRUCTIONS;
    wanted.exclude_kernel = 1;
    fd_ = static_cast<int>(::syscall(SYS_perf_event_open, &wanted, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
    begin_instructions_ = instructions();
    begin_time_ = cpu_time();
  }
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;
  ~Meter() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] std::uint64_t instructions_since() const { return instructions() - begin_instructions_; }
  [[nodiscard]] double time_since() const { return cpu_time() - begin_time_; }

 private:
  [[nodiscard]] std::uint64_t instructions() const {
    std::uint64_t count = 0;
    return fd_ >= 0 && ::read(fd_, &count, sizeof count) == sizeof count ? count : 0;
  }
  [[nodiscard]] static double cpu_time() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
  }

  int fd_ = -1;
  std::uint64_t begin_instructions_ = 0;
  double begin_time_ = 0;
};

// While `waiting` timers wait: sets others, then cancels them in another order, again and again.
void measure(ringwire::Engine& engine, std::size_t waiting) {
  constexpr std::size_t batch = 1000;
  constexpr std::size_t rounds = 200;
  const ringwire::LoopRef loop = engine.loop(0);
  std::mt19937 random{2};
  std::vector<ringwire::TimerRef> others;
  others.reserve(waiting);
  for (std::size_t index = 0; index < waiting; ++index)
    others.push_back(loop.schedule(milliseconds{60'000 + random() % 3'600'000}, [] {}));

  std::vector<ringwire::TimerRef> mine(batch);
  double best = 1e18;
  std::uint64_t instructions = UINT64_MAX;
  for (std::size_t round = 0; round < rounds; ++round) {
    const Meter meter;
    for (ringwire::TimerRef& timer : mine)
      timer = loop.schedule(milliseconds{60'000 + random() % 3'600'000}, [] {});
    for (std::size_t index = 0; index < batch; ++index) mine[index * 7 % batch].cancel();
    best = std::min(best, meter.time_since());
    instructions = std::min(instructions, meter.instructions_since());
  }
  std::cout << "ns_per_operation_" << waiting << ' ' << best / (2 * batch) << '\n'
            << "instructions_per_operation_" << waiting << ' '
            << static_cast<double>(instructions) / (2 * batch) << std::endl;
  for (const ringwire::TimerRef& timer : others) timer.cancel();
}

}  // namespace

int main() {
  run_simulated();
  run_real();
  run_on_loop([](ringwire::Engine& engine) {
    for (const std::size_t waiting : {1'000, 10'000, 100'000, 1'000'000}) measure(engine, waiting);
    static_cast<void>(engine.stop());
  });
}
