// A thread of clients: non-blocking sockets, poll, and a sequence of random numbers of its own.
//
// Leaves to others: the server, and the rules that need both ends (`link.hpp`). Shares no code with lib.
// Invariant: every byte that arrives is compared; a connection that makes no progress for `patience` is a
// violation.
#pragma once

#include "tests/torture/link.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include <poll.h>

namespace ringwire::torture {

/// What a thread of clients is to do.
struct Orders {
  std::uint16_t port = 0;
  std::uint64_t seed = 1;
  std::size_t width = 24;    // Connections at a time.
  std::uint64_t cycles = 0;  // 0: until told to stop. Else so many short echoes, without stalls.
};

/// The clients of one thread.
class Clients {
 public:
  /// `table` and `stop` outlive it.
  Clients(Table& table, const std::atomic<bool>& stop, const Orders& orders);

  /// Runs until told to stop, or until the cycles are done, and every connection has ended.
  void run();

 private:
  using Clock = std::chrono::steady_clock;

  enum class End : std::uint8_t { polite, reset, rude };

  // One connection from connect to close.
  struct One {
    int fd = -1;
    std::shared_ptr<Link> link;
    std::uint64_t to_send = 0;
    std::uint64_t leave_at = 0;  // Bytes, both ways, after which one that is not polite leaves.
    End end = End::polite;
    bool connecting = false;
    bool finished = false;  // Our FIN is out.
    bool saw_end = false;   // The server's was read.
    Clock::time_point stalled_until{};
    Clock::time_point progress{};
  };

  [[nodiscard]] unsigned any(unsigned end) { return static_cast<unsigned>(random_()) % end; }
  [[nodiscard]] bool has_work() const;
  bool open(One& one);
  void plan(One& one);
  [[nodiscard]] short wanted(const One& one, Clock::time_point now) const;
  void serve(One& one, short events, Clock::time_point now);
  void on_connected(One& one);
  void receive(One& one);
  void on_received(One& one, std::size_t size);
  void on_end(One& one);
  void send(One& one);
  void finish(One& one);
  void on_reset(One& one);
  void leave_if_due(One& one, bool is_idle);
  void stall_sometimes(One& one, Clock::time_point now);
  void check_progress(One& one, Clock::time_point now);
  void close(One& one);

  Table& table_;
  const std::atomic<bool>& stop_;
  Orders orders_;
  std::minstd_rand random_;
  std::vector<One> ones_;
  std::vector<char> buffer_;
  std::uint64_t cycles_begun_ = 0;
  Clock::time_point retry_at_{};  // After EMFILE.
};

}  // namespace ringwire::torture
