// A handler in twenty lines: answers each message in capitals, says its port, stops on SIGINT.
#include <ringwire/ringwire.hpp>

#include <cctype>
#include <iostream>
#include <string>

struct Shout : ringwire::Handler {
  ringwire::Action on_boot(ringwire::Engine& engine) override {
    std::cout << "port " << engine.addresses().front().port << std::endl;
    return ringwire::Action::none;
  }
  ringwire::Action on_traffic(ringwire::Conn& conn) override {
    std::string text(ringwire::to_text(conn.next()));
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    conn.write(text);
    return ringwire::Action::none;
  }
};

int main() {
  Shout shout;
  const auto error = ringwire::run(shout, "tcp://127.0.0.1:0", {.loops = 2, .stop_on_signal = true});
  if (error) std::cerr << ringwire::explain(error) << std::endl;
  return error ? 1 : 0;
}
