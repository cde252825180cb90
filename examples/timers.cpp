// Timers on a loop: who does not say a word within two seconds is shown the door; who does gets the time of
// day, so to speak, until he leaves. Try it: `nc localhost 9000`.
#include <ringwire/ringwire.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

// What belongs to one connection. The tasks are cancelled with it, so they never find it gone.
struct Guest {
  ringwire::TimerRef patience;  // Runs once, unless a word comes first.
  ringwire::TimerRef clock;     // Runs again and again.
  int count = 0;
};

struct Doorman : ringwire::Handler {
  explicit Doorman(std::chrono::milliseconds unit) : unit_(unit) {}

  ringwire::Action on_boot(ringwire::Engine& engine) override {
    std::cout << "listening on " << engine.addresses().front().to_string() << std::endl;
    return ringwire::Action::none;
  }

  ringwire::Action on_open(ringwire::Conn& conn) override {
    Guest& guest = conn.emplace_context<Guest>();
    conn.write("say something\n");
    guest.patience = conn.loop().schedule(2 * unit_, [&conn] {
      conn.write("too late\n");
      conn.close();
    });
    return ringwire::Action::none;
  }

  ringwire::Action on_traffic(ringwire::Conn& conn) override {
    conn.discard();
    Guest& guest = *conn.context<Guest>();
    if (!guest.patience.cancel()) return ringwire::Action::none;  // Not the first word.
    guest.clock = conn.loop().schedule_every(
        unit_, [&conn, &guest] { conn.write("tick " + std::to_string(++guest.count) + "\n"); });
    if (!guest.clock) return ringwire::Action::close;  // Options::timers_max
    return ringwire::Action::none;
  }

  ringwire::Action on_close(ringwire::Conn& conn, std::error_code) override {
    conn.context<Guest>()->patience.cancel();
    conn.context<Guest>()->clock.cancel();
    return ringwire::Action::none;
  }

 private:
  std::chrono::milliseconds unit_;
};

int main(int argument_count, char** arguments) {
  const std::string port = argument_count > 1 ? arguments[1] : "9000";
  Doorman doorman{argument_count > 2 ? std::chrono::milliseconds{std::stoi(arguments[2])} : 1s};
  if (auto error = ringwire::run(doorman, "tcp://:" + port, {.stop_on_signal = true})) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
