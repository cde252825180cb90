// Tells everybody what anybody says. A line is copied once, into a Buffer, whoever it goes to and on whatever
// loop. Try it: `nc localhost 9000`, twice. examples/sim_chat is a room for a test in a simulated world.
#include <ringwire/ringwire.hpp>

#include <iostream>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

using ringwire::Action;
using ringwire::Conn;

struct Room : ringwire::Handler {
  static constexpr std::size_t line_max = 1000;

  Action on_boot(ringwire::Engine& engine) override {
    std::cout << "listening on " << engine.addresses().front().to_string() << std::endl;
    return Action::none;
  }

  Action on_open(Conn& conn) override {
    {
      const std::lock_guard lock{mutex};
      members.push_back(conn.ref());
      conn.emplace_context<std::string>("guest " + std::to_string(++guests));
    }
    say(*conn.context<std::string>() + " comes in\n");
    return Action::none;
  }

  Action on_traffic(Conn& conn) override {
    std::string_view text = ringwire::to_text(conn.peek());
    std::size_t taken = 0;
    for (std::size_t end = text.find('\n'); end != text.npos; end = text.find('\n')) {
      say(*conn.context<std::string>() + ": " + std::string{text.substr(0, end + 1)});
      text.remove_prefix(end + 1);
      taken += end + 1;
    }
    // What is no whole line yet stays, and is offered again with the rest of it.
    if (taken > 0) conn.discard(taken);
    return conn.inbound_size() > line_max ? Action::close : Action::none;
  }

  Action on_close(Conn& conn, std::error_code) override {
    {
      const std::lock_guard lock{mutex};
      std::erase(members, conn.ref());
    }
    say(*conn.context<std::string>() + " leaves\n");
    return Action::none;
  }

  void say(const std::string& line) {
    const std::lock_guard lock{mutex};  // So that all hear all in the same order.
    ringwire::broadcast(members, ringwire::Buffer{line});
  }

  std::mutex mutex;
  std::vector<ringwire::ConnRef> members;
  int guests = 0;
};

int main(int argument_count, char** arguments) {
  const std::string port = argument_count > 1 ? arguments[1] : "9000";
  Room room;
  if (auto error = ringwire::run(room, "tcp://:" + port, {.multicore = true, .stop_on_signal = true})) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
