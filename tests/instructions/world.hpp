// A loop that echoes, on a scripted kernel which answers at once: what is counted, and what is timed.
//
// Leaves to others: how often (counted.cpp), how long (perf/micro). The functions named `count_…` are all
// that makes the loop call the kernel; callgrind looks for them by name.
#pragma once

#include "lib/loop/loop.hpp"
#include "tests/support/script_kernel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace ringwire::test {

/// Opens the loop. Here as below: what stands behind the call keeps it from becoming a jump, which would
/// leave no return to see.
[[gnu::noinline]] inline void count_open(loop::Loop& loop) {
  if (loop.open()) std::abort();
  asm volatile("");
}

/// One lap; false when it was the last.
[[gnu::noinline]] inline bool count_lap(loop::Loop& loop) {
  const bool running = loop.lap();
  asm volatile("");
  return running;
}

/// A write from outside.
[[gnu::noinline]] inline void count_write(const ConnRef& ref, Bytes bytes) {
  ref.write(bytes);
  asm volatile("");
}

/// Echoes, and counts what it was told.
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

/// Nobody who wants to stop.
class Nobody final : public loop::Owner {
 public:
  void stop_wanted() noexcept override {}
  void listeners_closing() noexcept override {}
};

/// A loop, and a kernel that finishes a send, a cancel or a close when it is submitted, as Linux does when it
/// need not wait. Receives and the accept stay armed.
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

  // A completion that says nothing.
  void wake() { kernel.post(accept_->ring_fd, uring::Token{uring::Op::wake}, 0); }

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

}  // namespace ringwire::test
