// The ringwire echo server the evidence is taken from: options on the command line, questions on standard
// input, one line of answer each.
//
// Leaves to others: the load (perf/load) and the judgement (perf/evidence).
//
// Questions: `fds` open descriptors · `count` open connections · `counts` those of each loop · `opened` since
// the start · `stop`. The server also stops when its input ends.
#include <ringwire/ringwire.hpp>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>

namespace {

class Echo : public ringwire::Handler {
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
  ringwire::Action on_traffic(ringwire::Conn& conn) override {
    conn.write(conn.next());
    return ringwire::Action::none;
  }

  std::string answer(const std::string& question) {
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

bool parse(int count, char** words, std::string& address, ringwire::Options& options) {
  for (int index = 1; index < count; index += 2) {
    if (index + 1 == count) return false;
    const std::string_view name{words[index]};
    const std::string_view value{words[index + 1]};
    if (name == "--port") {
      address = "tcp://127.0.0.1:" + std::string{value};
    } else if (name == "--loops") {
      options.loops = std::strtoul(words[index + 1], nullptr, 10);
    } else if (name == "--balancing" && value == "round_robin") {
      options.balancing = ringwire::Balancing::round_robin;
    } else if (name == "--balancing" && value == "least_connections") {
      options.balancing = ringwire::Balancing::least_connections;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int count, char** words) {
  std::string address = "tcp://127.0.0.1:0";
  ringwire::Options options;
  if (!parse(count, words, address, options)) {
    std::cerr << "usage: ringwire_echo [--port N] [--loops N] [--balancing round_robin|least_connections]\n";
    return 2;
  }
  Echo echo;
  std::error_code error;
  std::atomic<bool> ended = false;
  std::thread server{[&] {
    error = ringwire::run(echo, address, options);
    if (error) std::cout << "failed: " << ringwire::explain(error) << std::endl;
    ended = true;
    if (error) std::_Exit(1);  // Nobody would wake the questions' thread from its read.
  }};
  for (std::string question; !ended && std::getline(std::cin, question);) {
    std::cout << echo.answer(question) << std::endl;
    if (question == "stop") break;
  }
  if (!ended) echo.answer("stop");
  server.join();
  return 0;
}
