// Work that takes long, done by workers: counts the primes below each number that is sent, one a line, while
// the loop goes on serving others. Try it: `nc localhost 9000`, and type 3000000.
#include <ringwire/ringwire.hpp>

#include <charconv>
#include <iostream>
#include <memory>
#include <string>

// Slow on purpose.
int count_primes_below(int limit) {
  int count = 0;
  for (int number = 2; number < limit; ++number) {
    bool is_prime = true;
    for (int divisor = 2; divisor <= number / divisor && is_prime; ++divisor)
      is_prime = number % divisor != 0;
    count += is_prime ? 1 : 0;
  }
  return count;
}

struct Primes : ringwire::Handler {
  ringwire::Action on_boot(ringwire::Engine& engine) override {
    engine_ = &engine;
    std::cout << "listening on " << engine.addresses().front().to_string() << std::endl;
    return ringwire::Action::none;
  }

  ringwire::Action on_traffic(ringwire::Conn& conn) override {
    const std::string_view all = ringwire::to_text(conn.peek());
    std::size_t used = 0;
    for (auto end = all.find('\n'); end != std::string_view::npos; end = all.find('\n', used)) {
      count(conn, all.substr(used, end - used));
      used = end + 1;
    }
    conn.discard(used);
    return ringwire::Action::none;
  }

 private:
  void count(ringwire::Conn& conn, std::string_view line) {
    int limit = 0;
    std::from_chars(line.data(), line.data() + line.size(), limit);
    // Shared by the two halves: the worker fills it in, then the loop reads it.
    const auto primes = std::make_shared<int>(0);
    engine_->offload(
        conn.ref(), [primes, limit] { *primes = count_primes_below(limit); },
        [primes, limit](ringwire::Conn* asker, std::error_code error) {
          if (asker == nullptr) return;  // Gone, or there are too many questions.
          asker->write(error ? ringwire::explain(error) + "\n"
                             : std::to_string(*primes) + " below " + std::to_string(limit) + "\n");
        });
  }

  ringwire::Engine* engine_ = nullptr;
};

int main(int argument_count, char** arguments) {
  const std::string port = argument_count > 1 ? arguments[1] : "9000";
  Primes primes;
  if (auto error = ringwire::run(primes, "tcp://:" + port, {.workers_count = 2, .stop_on_signal = true})) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
