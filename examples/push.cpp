// A thread that is no loop pushes the time to whoever is connected. Try it: `nc localhost 9000`.
#include <ringwire/ringwire.hpp>

#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using ringwire::Action;
using ringwire::Conn;
using ringwire::ConnRef;

// Who is connected, and who tells them. Loops add and remove, the pusher reads: a lock guards the list, not
// the connections.
class Readers : public ringwire::Handler {
 public:
  explicit Readers(std::chrono::milliseconds period) : period_{period} {}

  ~Readers() override {
    {
      const std::lock_guard lock{mutex_};
      ending_ = true;
      changed_.notify_one();
    }
    if (pusher_.joinable()) pusher_.join();
  }

  // Here, because the signals that stop the engine are blocked by now, in this thread and those it starts.
  Action on_boot(ringwire::Engine& engine) override {
    std::cout << "listening on " << engine.addresses().front().to_string() << std::endl;
    pusher_ = std::thread{[this] { push(); }};
    return Action::none;
  }

  Action on_open(Conn& conn) override {
    const std::lock_guard lock{mutex_};
    refs_.push_back(conn.ref());
    return Action::none;
  }

  Action on_close(Conn& conn, std::error_code) override {
    const std::lock_guard lock{mutex_};
    std::erase(refs_, conn.ref());
    return Action::none;
  }

 private:
  void push() {
    std::unique_lock lock{mutex_};
    for (int count = 1; !changed_.wait_for(lock, period_, [this] { return ending_; }); ++count) {
      const std::vector<ConnRef> refs = refs_;
      lock.unlock();
      // Any thread may do this at any time: a handle to who has just left reaches nobody.
      for (const ConnRef& ref : refs) {
        ref.write("tick " + std::to_string(count) + "\n", [ref](std::error_code error) {
          if (error == std::errc::no_buffer_space) ref.close();  // Reads too slowly for us.
        });
      }
      lock.lock();
    }
  }

  std::chrono::milliseconds period_;
  std::thread pusher_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ConnRef> refs_;
  bool ending_ = false;
};

int main(int argument_count, char** arguments) {
  const std::string port = argument_count > 1 ? arguments[1] : "9000";
  Readers readers{std::chrono::milliseconds{argument_count > 2 ? std::stoi(arguments[2]) : 1000}};
  if (auto error = ringwire::run(readers, "tcp://:" + port, {.multicore = true, .stop_on_signal = true})) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
