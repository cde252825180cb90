// Pushes 1 MiB a second to whoever connects, whether or not it reads, and whatever the marks say: what the
// bounds of `Options` refuse is lost.
//
// Leaves to others: questions (asked.hpp), the clients and the judgement (perf/evidence/slow-readers).
// More questions: `pushed`, how many bytes were taken and how many refused; `trim`, which has malloc give
// back what it keeps.
#include "asked.hpp"

#include <malloc.h>

#include <chrono>

namespace {

constexpr std::size_t piece_size = 16 << 10;
constexpr int pieces_count = 8;  // Each period; eight periods a second.
constexpr std::chrono::milliseconds period{125};
constexpr std::size_t send_buffer_size = 64 << 10;

class Push : public perf::Asked {
 public:
  ringwire::Action on_open(ringwire::Conn& conn) override {
    // Else the kernel takes megabytes for each who does not read, and comes to its own limit (tcp_mem) first.
    conn.set_send_buffer_size(send_buffer_size);
    conn.emplace_context<ringwire::TimerRef>(
        conn.loop().schedule_every(period, [this, &conn] { push(conn); }));
    return Asked::on_open(conn);
  }
  ringwire::Action on_close(ringwire::Conn& conn, std::error_code) override {
    conn.context<ringwire::TimerRef>()->cancel();
    return ringwire::Action::none;
  }

  std::string answer(std::string_view question) override {
    if (question == "trim") return ::malloc_trim(0) != 0 ? "trimmed" : "nothing to trim";
    if (question == "pushed") return std::to_string(taken_) + " " + std::to_string(refused_);
    return Asked::answer(question);
  }

 private:
  void push(ringwire::Conn& conn) {
    for (int piece = 0; piece < pieces_count; ++piece) {
      const bool refused = conn.write(piece_) == ringwire::Written::refused;
      (refused ? refused_ : taken_).fetch_add(piece_size, std::memory_order_relaxed);
    }
  }

  const std::string piece_ = std::string(piece_size, 'p');
  std::atomic<std::size_t> taken_ = 0;
  std::atomic<std::size_t> refused_ = 0;
};

}  // namespace

int main(int count, char** words) {
  if (count > 3) {
    std::cerr << "usage: push [LOOPS [SEND_BUDGET]]\n";
    return 2;
  }
  ringwire::Options options;
  if (count > 1) options.loops = std::strtoul(words[1], nullptr, 10);
  if (count > 2) options.send_budget = std::strtoul(words[2], nullptr, 10);
  Push push;
  return perf::serve(push, "tcp://127.0.0.1:0", options);
}
