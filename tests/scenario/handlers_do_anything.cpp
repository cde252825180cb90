// Handlers do anything a handler may do, at any event, while peers come and go: every connection is opened
// and closed once, every request is answered once, and nothing is left.
//
// Leaves to others: what each deed does by itself. The order of events differs from run to run; the promises
// do not.
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/process.hpp"
#include "tests/support/server.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace ringwire::test {
namespace {

using namespace std::chrono_literals;

constexpr int opened_max = 300;  // Handlers connect out, too: somewhere that must end.

// A number below `end`, from a sequence of each thread's own.
unsigned any(unsigned end) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return static_cast<unsigned>(random()) % end;
}

class Anything final : public Handler {
 public:
  std::atomic<int> opened{0}, closed{0}, asked{0}, answered{0}, wrong{0};
  std::promise<Address> listening;

  void request_stop() { engine_->stop(); }

  Action on_boot(Engine& engine) override {
    engine_ = &engine;
    address_ = url_of(engine.addresses().front());
    listening.set_value(engine.addresses().front());
    static_cast<void>(engine.loop(0).post([] {}));
    return Action::none;
  }
  Action on_open(Conn& conn) override {
    ++opened;
    conn.emplace_context<Life>(*this);
    return act(conn);
  }
  Action on_traffic(Conn& conn) override { return act(conn); }
  Action on_eof(Conn& conn) override { return act(conn); }
  Action on_writable(Conn& conn) override { return act(conn); }
  Action on_drain(Conn& conn) override { return act(conn); }
  Action on_close(Conn& conn, std::error_code /*reason*/) override {
    ++closed;
    Life* life = conn.context<Life>();
    if (life == nullptr || life->ended) ++wrong;
    if (life != nullptr) life->ended = true;
    return act(conn);
  }
  Tick on_tick() override {
    if (any(3) == 0) throw 7;
    return {1ms * any(5)};
  }
  void on_shutdown(Engine& engine) override {
    if (engine.connections_count() != 0) ++wrong;
  }

 private:
  struct Life {
    explicit Life(Anything& owner_) : owner{owner_} {}
    ~Life() {
      if (!ended) ++owner.wrong;
    }
    Life(const Life&) = delete;
    Life& operator=(const Life&) = delete;
    Anything& owner;
    bool ended = false;
  };

  Done told() {
    ++asked;
    return [this](std::error_code) {
      ++answered;
      if (any(10) == 0) throw std::runtime_error{"on purpose"};
    };
  }

  void act_inside(Conn& conn) {
    switch (any(9)) {
      case 0:
        return conn.close();
      case 1:
        return conn.abort();
      case 2:
        return conn.shutdown_write();
      case 3:
        return conn.set_idle_timeout(1ms * any(20));
      case 4:
        static_cast<void>(conn.write(std::string(any(2) == 0 ? 10 : 300'000, 'x')));
        return;
      case 5:
        conn.discard(any(100));
        return;
      case 6: {
        const Bytes bytes = conn.peek();
        const std::array<Bytes, 3> parts{bytes, Bytes{}, bytes};
        static_cast<void>(conn.writev(parts));
        return;
      }
      case 7:
        static_cast<void>(conn.write(conn.next()));
        return;
      default:
        throw std::runtime_error{"on purpose"};
    }
  }

  void act_by_handle(const ConnRef& ref) {
    switch (any(6)) {
      case 0:
        return ref.write(std::string(any(2000), 'y'), told());
      case 1:
        return ref.wake(told());
      case 2:
        return ref.close(told());
      case 3:
        ++asked;
        return ref.post([this](Conn* conn) {
          ++answered;
          if (conn != nullptr) act_inside(*conn);
        });
      case 4:
        static_cast<void>(ref.loop().post([this, ref] { act_by_handle(ref); }));
        return;
      default:
        if (opened > opened_max || !ref.loop().is_current()) return;
        if (ref.loop().connect(address_, told())) --asked;  // Refused at once: nobody is told.
    }
  }

  Action act(Conn& conn) {
    if (any(2) == 0) act_by_handle(conn.ref());
    act_inside(conn);
    return any(6) == 0 ? Action::close : Action::none;
  }

  Engine* engine_ = nullptr;
  std::string address_;
};

void come_and_go(const Address& address, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    Client client{address};
    client.send_all(std::string(1 + any(2000), 'z'));
    if (any(3) == 0) client.shutdown_write();
    if (any(3) == 0) static_cast<void>(client.expect_silence(1ms));
    if (any(2) == 0) client.reset();
  }
}

void expect_order(Options options) {
  options.ticker = true;
  options.close_timeout = 30ms;
  const std::size_t descriptors = open_descriptors();
  {
    Anything handler;
    auto listening = handler.listening.get_future();
    auto ended = std::async(std::launch::async, [&] { return run(handler, "tcp://127.0.0.1:0", options); });
    const Address address = listening.get();
    std::vector<std::thread> peers;
    for (int peer = 0; peer < 2; ++peer)
      peers.emplace_back(come_and_go, address, static_cast<int>(scaled(60, 20)));
    for (std::thread& peer : peers) peer.join();
    Client last{address};
    handler.request_stop();
    if (ended.wait_for(patience) != std::future_status::ready) {
      std::cerr << "the engine does not end" << std::endl;
      std::abort();
    }
    CHECK_FALSE(ended.get());
    CHECK(handler.opened == handler.closed);
    CHECK(handler.asked == handler.answered);
    CHECK(handler.wrong == 0);
    CHECK(handler.opened > 0);
  }
  CHECK(open_descriptors() == descriptors);
}

}  // namespace

TEST_CASE("whatever handlers do, each connection lives once and each request is answered once") {
  expect_order(quiet());
}

TEST_CASE("the same on two loops") {
  Options options = quiet();
  options.loops = 2;
  expect_order(options);
}

TEST_CASE("the same with one receive buffer, and queues as small as they can be") {
  Options options = quiet();
  options.recv_buffers_count = 1;
  options.recv_buffer_size = 64;
  options.sq_entries = 4;
  options.cq_entries = 8;
  expect_order(options);
}

TEST_CASE("the same with limits of one byte, on two loops") {
  Options options = quiet();
  options.loops = 2;
  options.inbound_limit = 1;
  options.outbound_high_mark = 0;
  options.outbound_low_mark = 0;
  options.outbound_limit = 1;
  expect_order(options);
}

TEST_CASE("the same with a mailbox of one letter and room for two connections") {
  Options options = quiet();
  options.mailbox_max = 1;
  options.connections_max = 2;
  expect_order(options);
}

TEST_CASE("the same without any outbound limit, and no patience at the end") {
  Options options = quiet();
  options.loops = 2;
  options.outbound_limit = 0;
  options.stop_timeout = 0ms;
  expect_order(options);
}

}  // namespace ringwire::test
