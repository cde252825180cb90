// Sends back whatever arrives. Try it: `nc localhost 9000`; `echo udp://:9000` and `nc -u localhost 9000`;
// `echo unix:///tmp/echo.sock` and `nc -U /tmp/echo.sock`.
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

  ringwire::Action on_datagram(ringwire::Datagram& datagram) override {
    datagram.reply(datagram.bytes());
    return ringwire::Action::none;
  }
};

int main(int argument_count, char** arguments) {
  std::string address = argument_count > 1 ? arguments[1] : "9000";
  if (address.find("://") == std::string::npos) address = "tcp://:" + address;  // Only a port.
  Echo echo;
  if (auto error = ringwire::run(echo, address, {.multicore = true, .stop_on_signal = true})) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
