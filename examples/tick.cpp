// Counts the seconds until Ctrl-C: the smallest use of on_tick.
#include <ringwire/ringwire.hpp>

#include <iostream>

struct Clock : ringwire::Handler {
  int count = 0;

  ringwire::Tick on_tick() override {
    std::cout << "tick " << ++count << std::endl;
    return {.delay = std::chrono::seconds{1}};
  }
};

int main() {
  Clock clock;
  if (auto error = ringwire::run(clock, "tcp://127.0.0.1:0", {.ticker = true, .stop_on_signal = true})) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
