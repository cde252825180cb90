// Eight threads write, wake and close through ConnRefs while two engines run and stop: every `done` is called
// exactly once, whatever became of the request.
//
//   server, 2 loops ◀── 32 connections ──▶ client, 1 loop     each that ends is opened again, until the
//   server
//        ▲                                      ▲              has stopped; both ends' handles are in use
//        └────────────── 8 threads ─────────────┘
//
// A round is an engine's life: one of the threads stops the server in the second half of it, and the others
// go on with handles to what is ending or gone. Leaves to others: what each request does (tests/scenario),
// and finding data races (a build with TSan, perf/evidence/thread-safety).
#include <ringwire/ringwire.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace ringwire::race {
namespace {

constexpr std::size_t threads_count = 8;
constexpr std::size_t connections_count = 32;
constexpr std::size_t rounds_min = 4;
constexpr std::size_t round_size_max = 100'000;  // Requests of all threads in one round.
constexpr std::size_t batch = 64;                // Requests with one look at the handles.

// The handles in use: the latest ones, of both ends.
class Handles {
 public:
  void put(ConnRef ref) {
    const std::lock_guard lock{mutex_};
    if (refs_.size() < 2 * connections_count) return refs_.push_back(std::move(ref));
    refs_[next_++ % refs_.size()] = std::move(ref);
  }
  [[nodiscard]] std::vector<ConnRef> copy() const {
    const std::lock_guard lock{mutex_};
    return refs_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<ConnRef> refs_;
  std::size_t next_ = 0;
};

// What requests were answered.
struct Answers {
  explicit Answers(std::size_t count) : times(count) {}

  void note(std::size_t request, std::error_code error) {
    times[request].fetch_add(1, std::memory_order_relaxed);
    std::atomic<std::size_t>& kind = !error                                               ? done
                                     : error == Error::closed                             ? closed
                                     : error == std::errc::resource_unavailable_try_again ? full
                                     : error == std::errc::no_buffer_space                ? full
                                                                                          : other;
    kind.fetch_add(1, std::memory_order_relaxed);
  }

  std::vector<std::atomic<std::uint8_t>> times;
  std::atomic<std::size_t> done = 0;
  std::atomic<std::size_t> closed = 0;
  std::atomic<std::size_t> full = 0;
  std::atomic<std::size_t> other = 0;
};

// One end of the connections.
class Side : public Handler {
 public:
  explicit Side(Handles& handles) : handles_{handles} {}

  Action on_boot(Engine& engine) override {
    booted.set_value(&engine);
    return Action::none;
  }
  Action on_open(Conn& conn) override {
    ++opened;
    handles_.put(conn.ref());
    return Action::none;
  }
  Action on_traffic(Conn& conn) override {
    conn.discard();
    return Action::none;
  }
  Action on_close(Conn& conn, std::error_code) override {
    ++closed;
    // Once the server has stopped nobody answers, and that connection is not opened again.
    if (!target.empty()) static_cast<void>(conn.loop().connect(target));
    return Action::none;
  }

  std::promise<Engine*> booted;
  std::string target;  // Where what has ended is opened again; "" = it is not.
  std::atomic<std::size_t> opened = 0;
  std::atomic<std::size_t> closed = 0;

 private:
  Handles& handles_;
};

// One life of a server and a client, and the requests made in it.
class Round {
 public:
  Round(Answers& answers, std::size_t first, std::size_t size, std::uint64_t seed)
      : answers_{answers}, first_{first}, size_{size}, seed_{seed} {
    std::mt19937_64 random{seed};
    stop_at_ = size / 2 + random() % (size / 2);
  }

  // Answers whether everything that was opened was closed.
  bool run() {
    Side server{handles_};
    auto booted = server.booted.get_future();
    Options options{.loops = 2, .stop_timeout = std::chrono::milliseconds{100}, .log_level = LogLevel::warn};
    std::thread engine{[&] {
      const std::error_code error = ringwire::run(server, "tcp4://127.0.0.1:0", options);
      if (!error) return;
      fmt::print(stderr, "the engine does not start: {}\n", explain(error));
      std::abort();
    }};
    engine_ = booted.get();
    Side near{handles_};
    near.target = "tcp://" + engine_->addresses().front().to_string();
    options.loops = 1;
    Client client{near, options};
    if (client.start()) std::abort();
    for (std::size_t count = 0; count < connections_count; ++count) {
      if (client.connect(near.target).error()) std::abort();
    }
    while (near.opened < connections_count) std::this_thread::yield();

    std::vector<std::thread> threads;
    for (std::size_t index = 0; index < threads_count; ++index) {
      threads.emplace_back([this, index] { ask(index); });
    }
    engine.join();  // One of them stops it.
    client.stop();
    for (std::thread& thread : threads) thread.join();
    return server.opened == server.closed && near.opened == near.closed;
  }

 private:
  void ask(std::size_t thread) {
    std::mt19937_64 random{seed_ * threads_count + thread};
    const std::size_t begin = thread * size_ / threads_count;
    const std::size_t end = (thread + 1) * size_ / threads_count;
    for (std::size_t at = begin; at < end; at += batch) {
      const std::vector<ConnRef> handles = handles_.copy();
      const std::size_t count = std::min(batch, end - at);
      for (std::size_t index = 0; index < count; ++index) {
        ask_one(handles[random() % handles.size()], first_ + at + index, random() % 1000);
      }
      const std::size_t before = asked_.fetch_add(count);
      if (before < stop_at_ && before + count >= stop_at_) static_cast<void>(engine_->stop());
    }
  }

  void ask_one(const ConnRef& ref, std::size_t request, std::size_t choice) {
    Done done = [this, request](std::error_code error) { answers_.note(request, error); };
    if (choice < 400) {
      ref.write("a line of text\n", std::move(done));
    } else if (choice < 600) {
      ref.write(shared_, std::move(done));
    } else if (choice < 995) {
      ref.wake(std::move(done));
    } else {
      ref.close(std::move(done));
    }
  }

  Answers& answers_;
  std::size_t first_;
  std::size_t size_;
  std::uint64_t seed_;
  std::size_t stop_at_ = 0;
  Handles handles_;
  const Buffer shared_{std::string(2048, 'b')};  // Sent without a copy, by all.
  Engine* engine_ = nullptr;
  std::atomic<std::size_t> asked_ = 0;
};

int run_all(std::size_t operations) {
  const std::size_t rounds = std::max(rounds_min, (operations + round_size_max - 1) / round_size_max);
  Answers answers{operations};
  std::size_t well = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    const std::size_t begin = round * operations / rounds;
    const std::size_t end = (round + 1) * operations / rounds;
    well += Round{answers, begin, end - begin, round}.run() ? 1 : 0;
  }
  std::size_t never = 0;
  std::size_t again = 0;
  for (const auto& times : answers.times) {
    never += times == 0 ? 1 : 0;
    again += times > 1 ? 1 : 0;
  }
  fmt::print("{} requests of {} threads in {} lives of an engine: {} done, {} closed, {} full, {} other\n",
             operations, threads_count, rounds, answers.done.load(), answers.closed.load(),
             answers.full.load(), answers.other.load());
  int failed = 0;
  const auto check = [&failed](bool holds, const std::string& text) {
    fmt::print("{}  {}\n", holds ? "ok  " : "FAIL", text);
    failed += holds ? 0 : 1;
  };
  check(never == 0 && again == 0,
        fmt::format("callbacks: {} never came, {} came more than once", never, again));
  check(answers.other == 0, "no other answer than done, closed and full");
  check(answers.done > operations / 10 && answers.closed > operations / 20,
        "many were done, and many came too late");
  check(well == rounds, fmt::format("{} engines ended well, with every connection closed once", well));
  fmt::print("{} passed, {} failed\n", 4 - failed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ringwire::race

int main(int count, char** words) {
  const std::size_t operations = count == 2 ? std::strtoul(words[1], nullptr, 10) : 0;
  if (operations < 1000) {
    fmt::print(stderr, "usage: race OPERATIONS (at least 1000)\n");
    return 2;
  }
  return ringwire::race::run_all(operations);
}
