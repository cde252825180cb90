// A chat over UDP: whoever has said something hears the others, until it says "bye" or nothing for a minute.
// Try it: `nc -u localhost 9000`, twice.
#include <ringwire/ringwire.hpp>

#include <iostream>
#include <set>
#include <string>

using ringwire::Action;
using ringwire::Session;

// One loop, so no lock.
struct Room : ringwire::Handler {
  Action on_boot(ringwire::Engine& engine) override {
    std::cout << "listening on " << engine.addresses().front().to_string() << std::endl;
    return Action::none;
  }

  Action on_session_open(Session& session) override {
    members.insert(&session);
    session.emplace_context<std::string>("guest " + std::to_string(++guests));
    say(*session.context<std::string>() + " comes in\n");
    return Action::none;
  }

  Action on_datagram(ringwire::Datagram& datagram) override {
    const std::string line{ringwire::to_text(datagram.bytes())};
    if (line == "bye\n") return Action::close;  // The session, not the socket.
    say(*datagram.session()->context<std::string>() + ": " + line);
    return Action::none;
  }

  Action on_session_close(Session& session, std::error_code) override {
    say(*session.context<std::string>() + " leaves\n");  // A last word: it hears it, too.
    members.erase(&session);
    return Action::none;
  }

  void say(const std::string& line) {
    for (Session* member : members) member->send(line);
  }

  std::set<Session*> members;
  int guests = 0;
};

int main(int argument_count, char** arguments) {
  const std::string port = argument_count > 1 ? arguments[1] : "9000";
  Room room;
  ringwire::Options options{.datagram_sessions = true, .stop_on_signal = true};
  options.session_timeout = std::chrono::minutes{1};
  if (auto error = ringwire::run(room, "udp://:" + port, options)) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
