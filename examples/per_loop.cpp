// An echo server that counts, without one atomic: each loop has a handler of its own, and nobody else's
// thread touches what it counts. Try it: `per_loop 9000 2`, `nc localhost 9000` a few times, then Ctrl-C.
#include <ringwire/ringwire.hpp>

#include <cstddef>
#include <iostream>
#include <memory>
#include <string>

class Counter : public ringwire::Handler {
 public:
  explicit Counter(std::size_t loop) : loop_{loop} {}

  // Each handler is told that the engine starts; one of them is enough to say so.
  ringwire::Action on_boot(ringwire::Engine& engine) override {
    if (loop_ == 0) std::cout << "listening on " << engine.addresses().front().to_string() << std::endl;
    return ringwire::Action::none;
  }

  ringwire::Action on_open(ringwire::Conn&) override {
    ++connections_;
    return ringwire::Action::none;
  }

  ringwire::Action on_traffic(ringwire::Conn& conn) override {
    bytes_ += conn.inbound_size();
    conn.write(conn.next());
    return ringwire::Action::none;
  }

  // On the thread that called `run`, when every loop has ended: nobody counts any more.
  void on_shutdown(ringwire::Engine&) override {
    std::cout << "loop " << loop_ << ": " << connections_ << " connections, " << bytes_ << " bytes"
              << std::endl;
  }

 private:
  std::size_t loop_;
  std::size_t connections_ = 0;
  std::size_t bytes_ = 0;
};

int main(int argument_count, char** arguments) {
  const std::string port = argument_count > 1 ? arguments[1] : "9000";
  const std::size_t loops = argument_count > 2 ? std::stoul(arguments[2]) : 2;
  const auto factory = [](std::size_t loop) { return std::make_unique<Counter>(loop); };
  if (auto error = ringwire::run(factory, "tcp://:" + port, {.loops = loops, .stop_on_signal = true})) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
