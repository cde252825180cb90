// Sends each datagram back. Try it: `nc -u localhost 9000`.
#include <ringwire/ringwire.hpp>

#include <iostream>
#include <string>

struct Echo : ringwire::Handler {
  ringwire::Action on_boot(ringwire::Engine& engine) override {
    std::cout << "listening on " << engine.addresses().front().to_string() << std::endl;
    return ringwire::Action::none;
  }

  ringwire::Action on_datagram(ringwire::Datagram& datagram) override {
    datagram.reply(datagram.bytes());
    return ringwire::Action::none;
  }
};

int main(int argument_count, char** arguments) {
  const std::string port = argument_count > 1 ? arguments[1] : "9000";
  Echo echo;
  if (auto error = ringwire::run(echo, "udp://:" + port, {.multicore = true, .stop_on_signal = true})) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
