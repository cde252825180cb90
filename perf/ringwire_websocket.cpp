// The websocket echo on ringwire's stream: the counterpart of peers/beast_echo.cpp.
//
// Leaves the session to websocket_session.hpp, which is the same over Asio's own socket.
#include <ringwire/asio.hpp>
#include <ringwire/ringwire.hpp>

#include "websocket_session.hpp"

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

namespace {

struct WebSocketEcho : ringwire::asio::stream_handler {
  ringwire::Action on_boot(ringwire::Engine& engine) override {
    std::cout << "listening " << engine.addresses().front().to_string() << std::endl;
    return ringwire::Action::none;
  }
  void on_stream(ringwire::asio::stream stream) override { perf::start_websocket(std::move(stream)); }
};

}  // namespace

int main(int count, char** words) {
  std::string port = "0";
  ringwire::Options options{.stop_on_signal = true};
  for (int index = 1; index < count; index += 2) {
    const std::string_view name{words[index]};
    if (index + 1 < count && name == "--port") {
      port = words[index + 1];
    } else if (index + 1 < count && name == "--loops") {
      options.loops = std::strtoul(words[index + 1], nullptr, 10);
    } else {
      std::cerr << "usage: ringwire_websocket [--port N] [--loops N]\n";
      return 2;
    }
  }
  WebSocketEcho echo;
  if (const std::error_code error = ringwire::run(echo, "tcp://127.0.0.1:" + port, options)) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
  return 0;
}
