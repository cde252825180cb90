// An echo server whose numbers Prometheus can fetch. Try it: `metrics 9000 9100`, `curl localhost:9100`.
#include <ringwire/ringwire.hpp>

#include <array>
#include <iostream>
#include <string>
#include <string_view>

// The answer to whatever was asked; see docs/metrics.md for what the numbers mean.
std::string metrics_page(const ringwire::Engine& engine) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n\r\n" +
         ringwire::to_prometheus(engine.metrics());
}

class Echo : public ringwire::Handler {
 public:
  ringwire::Action on_boot(ringwire::Engine& engine) override {
    engine_ = &engine;
    metrics_port_ = engine.addresses().back().port;
    std::cout << "echoing on " << engine.addresses().front().to_string() << std::endl
              << "metrics on " << engine.addresses().back().to_string() << std::endl;
    return ringwire::Action::none;
  }

  ringwire::Action on_traffic(ringwire::Conn& conn) override {
    if (conn.local_address().port != metrics_port_) {
      conn.write(conn.next());
      return ringwire::Action::none;
    }
    conn.discard(conn.inbound_size());
    conn.write(metrics_page(*engine_));
    return ringwire::Action::close;
  }

 private:
  const ringwire::Engine* engine_ = nullptr;
  std::uint16_t metrics_port_ = 0;
};

int main(int argument_count, char** arguments) {
  const std::string echo = argument_count > 1 ? arguments[1] : "9000";
  const std::string metrics = argument_count > 2 ? arguments[2] : "9100";
  const std::string echo_address = "tcp://:" + echo;
  const std::string metrics_address = "tcp://127.0.0.1:" + metrics;  // Not for everybody.
  const std::array<std::string_view, 2> addresses{echo_address, metrics_address};
  Echo handler;
  if (auto error = ringwire::run(handler, addresses, {.multicore = true, .stop_on_signal = true})) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
