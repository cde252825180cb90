// One loop on a scripted kernel does one thing so many times; callgrind counts what that costs the loop.
//
// Leaves to others: counting, the table and the verdict (instructions.py). Counted is what runs inside the
// functions named `count_…`, and of that nothing inside the kernel: callgrind's collection is switched on by
// the first and off by each call through the seam. A simulator would decide, allocate and queue inside
// `enter`, more than a lap itself costs; here that costs nothing, whatever it does. So there are no threads,
// no system calls, no clock and no choices in what is counted: two runs of one build count the same.
// Invariant: a run of 2N does exactly N more of the thing than a run of N.
#include "lib/loop/loop.hpp"
#include "tests/support/script_kernel.hpp"

#include <gnu/libc-version.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::test {
namespace {

// The functions that callgrind looks for by name: all that makes the loop call the kernel. What stands behind
// the call keeps it from becoming a jump, which would leave no return to see.
[[gnu::noinline]] void count_open(loop::Loop& loop) {
  if (loop.open()) std::abort();
  asm volatile("");
}

[[gnu::noinline]] bool count_lap(loop::Loop& loop) {
  const bool running = loop.lap();
  asm volatile("");
  return running;
}

[[gnu::noinline]] void count_write(const ConnRef& ref, Bytes bytes) {
  ref.write(bytes);
  asm volatile("");
}

// Echoes, and counts what it was told.
class Echo final : public Handler {
 public:
  std::size_t opened = 0;
  std::size_t received = 0;  // Bytes.
  std::optional<ConnRef> last;

  Action on_open(Conn& conn) override {
    ++opened;
    last = conn.ref();
    return Action::none;
  }
  Action on_traffic(Conn& conn) override {
    const Bytes bytes = conn.next();
    received += bytes.size();
    conn.write(bytes);
    return Action::none;
  }
};

class Nobody final : public loop::Owner {
 public:
  void stop_wanted() noexcept override {}
  void listeners_closing() noexcept override {}
};

// A loop, and a kernel that finishes a send, a cancel or a close when it is submitted, as Linux does when it
// need not wait. Receives and the accept stay armed.
class World {
 public:
  World() {
    kernel.at_once = [this](const Request& request) { return answer(request); };
    loop.add_listener(10);
    count_open(loop);
    lap();
  }

  World(const World&) = delete;
  World& operator=(const World&) = delete;
  // The deadline of the stop comes with the first lap.
  ~World() {
    loop.request_stop();
    for (bool running = true; running; kernel.time += 10'000'000'000) running = count_lap(loop);
  }

  void lap() {
    if (!count_lap(loop)) std::abort();
  }

  // Clients come; their receives are armed by the lap that follows the one they came in.
  void connect(std::size_t count) {
    for (std::size_t index = 0; index < count; ++index)
      kernel.complete(*accept_, next_fd_++, IORING_CQE_F_MORE);
    lap();
  }

  // So many bytes for the connection in this slot, in as many buffers as they need.
  void receive(std::uint32_t slot, std::size_t size) {
    while (size > 0) {
      const std::size_t piece = std::min(size, kernel.buffer_size());
      if (!kernel.receive(receives_.at(slot), std::string(piece, 'x'))) std::abort();
      size -= piece;
    }
  }

  ScriptKernel kernel;
  Echo echo;
  std::size_t sent = 0;                  // Bytes.
  std::size_t bytes_when_receiving = 0;  // A receive that is armed finds so many.
  bool fin_when_sent = false;            // A client that has its answer leaves.

 private:
  bool answer(const Request& request) {
    const uring::Token token = request.token();
    switch (token.op) {
      case uring::Op::accept:
        accept_ = request;
        return true;
      case uring::Op::recv:
        if (token.slot >= receives_.size()) receives_.resize(token.slot + 1);
        receives_[token.slot] = request;
        receive(token.slot, bytes_when_receiving);
        return true;
      case uring::Op::send: {
        const std::size_t size = ScriptKernel::content(request).size();
        sent += size;
        kernel.complete(request, static_cast<int>(size));
        if (fin_when_sent) kernel.complete(receives_.at(token.slot), 0);
        return true;
      }
      case uring::Op::cancel:
        kernel.complete(receives_.at(token.slot), -ECANCELED);
        break;
      case uring::Op::accept_cancel:
        kernel.complete(*accept_, -ECANCELED);
        break;
      case uring::Op::close:
      case uring::Op::accept_close:
      case uring::Op::cancel_all:
        break;
      default:
        return false;
    }
    kernel.complete(request, 0);
    return true;
  }

  Options options_;
  base::Log log_{LogLevel::off, nullptr};
  Nobody owner_;
  std::optional<Request> accept_;
  std::vector<Request> receives_;  // By slot.
  int next_fd_ = 100;

 public:
  loop::Loop loop{{kernel, echo, options_, log_, owner_}, 0, false};
};

// ---- what is done, so many times; true when it was

bool echo_one(std::size_t count, std::size_t size) {
  World world;
  world.connect(1);
  world.lap();
  for (std::size_t index = 0; index < count; ++index) {
    world.receive(0, size);
    world.lap();  // Reads and writes.
    world.lap();  // Submits the send, which completes.
  }
  return world.echo.received == count * size && world.sent == count * size;
}

// Half of the connections have their answers taken while the other half says something.
bool echo_many(std::size_t count) {
  constexpr std::uint32_t half = 32;
  World world;
  world.connect(2 * half);
  world.lap();
  for (std::size_t index = 0; index < count / half; ++index) {
    const std::uint32_t first = index % 2 == 0 ? 0 : half;
    for (std::uint32_t slot = first; slot < first + half; ++slot) world.receive(slot, 64);
    world.lap();
  }
  world.lap();
  return world.echo.received == count * 64 && world.sent == count * 64;
}

bool open_echo_close(std::size_t count) {
  constexpr std::size_t together = 16;
  World world;
  world.bytes_when_receiving = 64;
  world.fin_when_sent = true;
  for (std::size_t index = 0; index < count / together; ++index) {
    world.connect(together);
    while (world.loop.connections_count() > 0) world.lap();
  }
  return world.echo.opened == count && world.sent == count * 64;
}

bool write_from_outside(std::size_t count) {
  World world;
  world.connect(1);
  world.lap();
  const std::string text(64, 'x');
  for (std::size_t index = 0; index < count; ++index) {
    count_write(*world.echo.last, to_bytes(text));
    world.lap();
  }
  world.lap();
  return world.sent == count * text.size();
}

bool arm_and_cancel(std::size_t count) {
  World world;
  std::size_t cancelled = 0;
  const LoopRef loop = world.loop.ref();
  const auto refused = loop.post([&] {
    for (std::size_t index = 0; index < count; ++index) {
      const TimerRef timer = loop.schedule(std::chrono::minutes{1}, [] {});
      cancelled += timer.cancel() ? 1 : 0;
    }
  });
  world.lap();
  return !refused && cancelled == count;
}

// Nothing comes, nothing is due.
bool idle_laps(std::size_t count, std::size_t connections) {
  World world;
  world.connect(connections);
  world.lap();
  for (std::size_t index = 0; index < count; ++index) world.lap();
  return world.loop.connections_count() == connections;
}

struct Workload {
  std::string_view name;
  std::size_t count;  // N; a multiple of what is done together.
  bool (*run)(std::size_t count);
};

constexpr std::array workloads{
    Workload{"echo-64", 2'000, [](std::size_t count) { return echo_one(count, 64); }},
    Workload{"echo-64-batch", 6'400, echo_many},
    Workload{"echo-16k", 1'000, [](std::size_t count) { return echo_one(count, 16 << 10); }},
    Workload{"open-echo-close", 1'600, open_echo_close},
    Workload{"write-from-thread", 2'000, write_from_outside},
    Workload{"timer", 5'000, arm_and_cancel},
    Workload{"idle-lap-1000", 2'000, [](std::size_t count) { return idle_laps(count, 1'000); }},
    Workload{"idle-lap-2000", 2'000, [](std::size_t count) { return idle_laps(count, 2'000); }},
};

}  // namespace
}  // namespace ringwire::test

int main(int count, char** words) {
  using ringwire::test::workloads;
  const std::string_view first = count > 1 ? words[1] : "";
  if (first == "--list") {
    for (const auto& workload : workloads) std::cout << workload.name << ' ' << workload.count << '\n';
    return 0;
  }
  if (first == "--made-with") {
    std::cout << "g++ " << __VERSION__ << ", glibc " << gnu_get_libc_version() << ", " << RINGWIRE_CPU
              << '\n';
    return 0;
  }
  for (const auto& workload : workloads) {
    if (count == 3 && workload.name == first)
      return workload.run(std::strtoul(words[2], nullptr, 10)) ? 0 : 1;
  }
  std::cerr << "usage: counted --list | --made-with | WORKLOAD COUNT\n";
  return 2;
}
