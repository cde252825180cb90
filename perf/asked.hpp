// A server the evidence is taken from: its engine runs in a thread, questions come on standard input, and
// each is answered with one line.
//
// Leaves to others: what it serves. Questions: `fds` open descriptors · `count` open connections · `counts`
// those of each loop · `opened` since the start · `stop`; a server may know more. It also stops when its
// input ends.
#pragma once

#include <ringwire/ringwire.hpp>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>

namespace perf {

/// The handler of such a server.
class Asked : public ringwire::Handler {
 public:
  ringwire::Action on_boot(ringwire::Engine& engine) override {
    engine_ = &engine;
    engine_.notify_all();
    std::cout << "listening " << engine.addresses().front().to_string() << std::endl;
    return ringwire::Action::none;
  }
  ringwire::Action on_open(ringwire::Conn&) override {
    opened_.fetch_add(1, std::memory_order_relaxed);
    return ringwire::Action::none;
  }

  /// One line; "what?" when it does not know. Not on a loop's thread.
  virtual std::string answer(std::string_view question) {
    engine_.wait(nullptr);  // Until on_boot; a start that fails ends the process.
    ringwire::Engine* engine = engine_;
    if (question == "fds") return std::to_string(descriptors());
    if (question == "opened") return std::to_string(opened_);
    if (question == "count") return std::to_string(engine->connections_count());
    if (question == "counts") {
      std::string counts;
      for (std::size_t loop = 0; loop < engine->loops_count(); ++loop) {
        counts += (loop > 0 ? " " : "") + std::to_string(engine->connections_count(loop));
      }
      return counts;
    }
    if (question == "stop") return engine->stop() ? "stopped already" : "stopping";
    return "what?";
  }

 private:
  static std::size_t descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) ++count;
    return count - 1;  // The directory's own.
  }

  std::atomic<ringwire::Engine*> engine_ = nullptr;
  std::atomic<std::size_t> opened_ = 0;
};

/// Serves and answers until told to stop; the exit code.
inline int serve(Asked& server, std::string_view address, const ringwire::Options& options) {
  std::atomic<bool> ended = false;
  std::thread engine{[&] {
    const std::error_code error = ringwire::run(server, address, options);
    if (error) std::cout << "failed: " << ringwire::explain(error) << std::endl;
    ended = true;
    if (error) std::_Exit(1);  // Nobody would wake the questions' thread from its read.
  }};
  for (std::string question; !ended && std::getline(std::cin, question);) {
    std::cout << server.answer(question) << std::endl;
    if (question == "stop") break;
  }
  if (!ended) server.answer("stop");
  engine.join();
  return 0;
}

}  // namespace perf
