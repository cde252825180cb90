// Connects, sends what it is told, prints what comes until the other side ends. Try it with the echo example:
// `client tcp://127.0.0.1:9000 hello`, or `client unix:///run/echo.sock hello`.
#include <ringwire/ringwire.hpp>

#include <chrono>
#include <future>
#include <iostream>
#include <string>

using ringwire::Action;
using ringwire::Conn;

struct Sender : ringwire::Handler {
  explicit Sender(std::string text_) : text{std::move(text_)} {}

  Action on_open(Conn& conn) override {
    conn.write(text);
    conn.shutdown_write();  // That was all; an echo server then ends, too.
    return Action::none;
  }

  Action on_traffic(Conn& conn) override {
    std::cout << ringwire::to_text(conn.next()) << std::flush;
    return Action::none;
  }

  Action on_close(Conn&, std::error_code reason) override {
    // Its end is what we have waited for.
    ended.set_value(reason == ringwire::Error::end_of_stream ? std::error_code{} : reason);
    return Action::none;
  }

  std::string text;
  std::promise<std::error_code> ended;
};

int main(int argument_count, char** arguments) {
  if (argument_count != 3) {
    std::cerr << "usage: client ADDRESS TEXT" << std::endl;
    return 2;
  }
  Sender sender{arguments[2]};
  auto ended = sender.ended.get_future();

  ringwire::Client client{sender, {.log_level = ringwire::LogLevel::warn}};
  std::error_code error = client.start();
  if (!error) {
    const auto dial = client.connect(arguments[1], {.timeout = std::chrono::seconds{5}},
                                     [&sender](Conn* conn, std::error_code why) {
                                       if (conn == nullptr) sender.ended.set_value(why);
                                     });
    error = dial.error() ? dial.error() : ended.get();  // One of the two comes, whatever happens.
  }
  if (error) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
