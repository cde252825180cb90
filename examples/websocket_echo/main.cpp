// A websocket echo server with its own page: run it and open the address it prints.
//
// Owns the command line and the engine's events. Leaves each connection to session.cpp.
#include <ringwire/ringwire.hpp>

#include "session.hpp"
#include "settings.hpp"

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>

namespace {

class EchoServer final : public ringwire::asio::stream_handler {
 public:
  EchoServer(const Settings& settings, const ringwire::Options& options)
      : settings_(settings), is_quiet_(options.log_level > ringwire::LogLevel::info) {}

  ringwire::Action on_boot(ringwire::Engine& engine) override {
    engine_ = &engine;
    const ringwire::Address address = engine.addresses().front();
    const bool is_any = address.ip == decltype(address.ip){};
    const bool is_ipv6 = address.family == ringwire::Address::Family::ipv6;
    const std::string host = is_any ? "localhost" : is_ipv6 ? "[" + address.host() + "]" : address.host();
    say("websocket echo at http://{}:{}/ on {} {}; Ctrl-C stops it\n", host, address.port,
        engine.loops_count(), engine.loops_count() == 1 ? "loop" : "loops");
    return ringwire::Action::none;
  }

  void on_stream(ringwire::asio::stream stream) override { start_session(std::move(stream), settings_); }

  ringwire::Tick on_tick() override {
    say("[connected-count={}]\n", engine_->connections_count());
    return {.delay = std::chrono::seconds(3)};
  }

  void on_shutdown(ringwire::Engine&) override { say("bye\n"); }

 private:
  template <typename... Values>
  void say(fmt::format_string<Values...> format, Values&&... values) {
    if (is_quiet_) return;
    fmt::print(format, std::forward<Values>(values)...);
    std::fflush(stdout);  // Whoever reads us through a pipe wants it now.
  }

  const Settings& settings_;
  bool is_quiet_;
  ringwire::Engine* engine_ = nullptr;
};

std::string listen_address(const std::string& host, std::uint16_t port) {
  const bool is_bare_ipv6 = host.find(':') != std::string::npos && host.front() != '[';
  return is_bare_ipv6 ? fmt::format("tcp://[{}]:{}", host, port) : fmt::format("tcp://{}:{}", host, port);
}

}  // namespace

int main(int argument_count, char** arguments) {
  Settings settings;
  ringwire::Options options{.multicore = true, .ticker = true, .stop_on_signal = true};
  options.stop_timeout = std::chrono::milliseconds(500);
  std::string host;
  std::uint16_t port = 9080;
  std::int64_t idle_seconds = settings.idle_timeout.count();
  const std::map<std::string, ringwire::LogLevel> levels{{"debug", ringwire::LogLevel::debug},
                                                         {"info", ringwire::LogLevel::info},
                                                         {"warn", ringwire::LogLevel::warn},
                                                         {"error", ringwire::LogLevel::error},
                                                         {"off", ringwire::LogLevel::off}};

  CLI::App app("A websocket echo server with its own page, on ringwire and Boost.Beast.");
  app.add_option("--host", host, "Address to listen on (default: all)");
  app.add_option("--port", port, "Port to listen on; 0 lets the kernel choose")->capture_default_str();
  app.add_flag("--multicore", options.multicore, "One loop for each CPU (default: true)");
  app.add_option("--loops", options.loops, "How many loops; 0 lets --multicore decide")
      ->capture_default_str();
  app.add_flag("--deflate", settings.deflate, "Offer permessage-deflate");
  app.add_option("--message-max", settings.message_max, "Longest message in bytes; a longer one closes 1009")
      ->check(CLI::Range(std::size_t{1}, std::size_t{64} << 20))
      ->capture_default_str();
  app.add_option("--idle-timeout", idle_seconds, "Close a silent connection after so many seconds; 0 = never")
      ->check(CLI::Range(0, 86'400))
      ->capture_default_str();
  app.add_option("--log", options.log_level, "debug, info, warn, error or off (default: info)")
      ->transform(CLI::CheckedTransformer(levels, CLI::ignore_case));
  CLI11_PARSE(app, argument_count, arguments);
  settings.idle_timeout = std::chrono::seconds(idle_seconds);
  settings.log_sessions = options.log_level == ringwire::LogLevel::debug;

  EchoServer server(settings, options);
  if (auto error = ringwire::run(server, listen_address(host, port), options)) {
    fmt::print(stderr, "{}\n", ringwire::explain(error));
    return 1;
  }
  return 0;
}
