// Messages over a stream: four bytes of length, most significant first, then as many bytes; each is answered
// with its own reversed. Who announces more than we take is told so, and closed.
#include <ringwire/ringwire.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>

using ringwire::Action;
using ringwire::Bytes;
using ringwire::Conn;

namespace codec {

constexpr std::size_t head_size = 4;
constexpr std::size_t message_max = 1 << 20;  // Less than Options::inbound_limit: a whole one must fit.

enum class State { whole, incomplete, too_long };

// Takes one message, if all of it has arrived. It stays readable until the event returns.
State next(Conn& conn, Bytes& message) {
  const auto head = conn.peek(head_size);
  if (!head) return State::incomplete;
  std::size_t size = 0;
  for (const std::byte byte : *head) size = size << 8 | std::to_integer<std::size_t>(byte);
  if (size > message_max) return State::too_long;
  const auto whole = conn.next(head_size + size);
  if (!whole) return State::incomplete;  // Nothing is taken: it is offered again with the rest.
  message = whole->subspan(head_size);
  return State::whole;
}

ringwire::Written write(Conn& conn, Bytes message) {
  std::array<std::byte, head_size> head;
  for (std::size_t at = 0; at < head_size; ++at) {
    head[at] = static_cast<std::byte>(message.size() >> (8 * (head_size - 1 - at)) & 0xFF);
  }
  const std::array<Bytes, 2> parts{Bytes{head}, message};
  return conn.writev(parts);  // Both or none.
}

}  // namespace codec

struct Reverser : ringwire::Handler {
  Action on_boot(ringwire::Engine& engine) override {
    std::cout << "listening on " << engine.addresses().front().to_string() << std::endl;
    return Action::none;
  }

  Action on_traffic(Conn& conn) override {
    Bytes message;
    while (true) {
      switch (codec::next(conn, message)) {
        case codec::State::incomplete:
          return Action::none;
        case codec::State::too_long:
          codec::write(conn, ringwire::to_bytes("too long"));
          return Action::close;
        case codec::State::whole:
          std::string text{ringwire::to_text(message)};
          std::ranges::reverse(text);
          if (codec::write(conn, ringwire::to_bytes(text)) == ringwire::Written::refused)
            return Action::close;
      }
    }
  }
};

int main(int argument_count, char** arguments) {
  const std::string port = argument_count > 1 ? arguments[1] : "9000";
  Reverser reverser;
  if (auto error = ringwire::run(reverser, "tcp://:" + port, {.multicore = true, .stop_on_signal = true})) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
