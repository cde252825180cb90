// Sends back whatever arrives. Try it: `nc localhost 9000`.
#include <ringwire/ringwire.hpp>

#include <iostream>
#include <string>

struct Echo : ringwire::Handler {
  ringwire::Action on_boot(ringwire::Engine& engine) override {
    std::cout << "listening on " << engine.addresses().front().to_string() << std::endl;
    return ringwire::Action::none;
  }

  ringwire::Action on_traffic(ringwire::Conn& conn) override {
    conn.write(conn.next());
    return ringwire::Action::none;
  }
};

int main(int argument_count, char** arguments) {
  const std::string port = argument_count > 1 ? arguments[1] : "9000";
  Echo echo;
  if (auto error = ringwire::run(echo, "tcp://:" + port, {.multicore = true, .stop_on_signal = true})) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
