// Each loop has a handler of its own: what happens on one loop is told to its handler, on its thread alone.
//
// Leaves to others: making them, and what they are told on the caller's thread
// (tests/engine/handlers_test.cpp).
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <cstddef>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace ringwire::test {
namespace {

// What one loop saw; read when `run` has returned.
struct Seen {
  std::size_t opened = 0;
  std::size_t bytes = 0;
  std::size_t closed = 0;
  std::size_t ticks = 0;
  bool strange = false;  // An event came on another thread, or of another loop.
};

class PerLoop : public Handler {
 public:
  PerLoop(Seen& seen, std::promise<Engine*>* booted) : seen_{seen}, booted_{booted} {}

  Action on_boot(Engine& engine) override {
    if (booted_ != nullptr) booted_->set_value(&engine);
    return Action::none;
  }
  Action on_open(Conn& conn) override {
    look();
    ++seen_.opened;
    conn.write("hello");
    return Action::none;
  }
  Action on_traffic(Conn& conn) override {
    look();
    seen_.bytes += conn.inbound_size();
    conn.write(conn.next());
    return Action::none;
  }
  Action on_close(Conn& /*conn*/, std::error_code /*reason*/) override {
    look();
    ++seen_.closed;
    return Action::none;
  }
  Tick on_tick() override {
    look();
    ++seen_.ticks;
    return {std::chrono::milliseconds{1}};
  }

 private:
  void look() {
    if (thread_ == std::thread::id{}) thread_ = std::this_thread::get_id();
    if (thread_ != std::this_thread::get_id()) seen_.strange = true;
  }

  Seen& seen_;
  std::promise<Engine*>* booted_;
  std::thread::id thread_;
};

// Twelve clients, who all talk, and all leave.
std::vector<Seen> serve(const Options& options) {
  std::vector<Seen> seen(options.loops);
  std::promise<Engine*> booted;
  std::error_code result;
  std::thread thread{[&] {
    result = run(
        [&](std::size_t loop) {
          return std::make_unique<PerLoop>(seen[loop], loop == 0 ? &booted : nullptr);
        },
        "tcp://127.0.0.1:0", options);
  }};
  Engine* engine = booted.get_future().get();
  {
    std::vector<Client> clients = connect_many(engine->addresses().front(), 12);
    for (Client& client : clients) {
      CHECK(client.receive_exactly(5) == "hello");
      CHECK(client.exchange("ten bytes!") == "ten bytes!");
    }
  }
  CHECK_FALSE(engine->stop());
  thread.join();
  CHECK_FALSE(result);
  return seen;
}

}  // namespace

TEST_CASE("connections are told to the handler of their loop, on its thread") {
  Options options = quiet();
  options.loops = 3;
  for (const Seen& seen : serve(options)) {
    CHECK(seen.opened == 4);  // By turns.
    CHECK(seen.bytes == 40);
    CHECK(seen.closed == 4);
    CHECK(seen.ticks == 0);
    CHECK_FALSE(seen.strange);
  }
}

TEST_CASE("the first loop's handler ticks, and all of them with ticker_per_loop") {
  Options options = quiet();
  options.loops = 2;
  options.ticker = true;
  std::vector<Seen> seen = serve(options);
  CHECK(seen[0].ticks > 0);
  CHECK(seen[1].ticks == 0);

  options.ticker_per_loop = true;
  seen = serve(options);
  CHECK(seen[0].ticks > 0);
  CHECK(seen[1].ticks > 0);
  CHECK_FALSE(seen[0].strange);
  CHECK_FALSE(seen[1].strange);
}

}  // namespace ringwire::test
