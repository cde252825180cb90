// An echo server that is replaced without losing a client: `kill -HUP PID` starts a successor on the same
// socket.
//
//   old:  dup_listener ──▶ starts the new one with it as descriptor 3 ──▶ waits for a byte ──▶ stop
//   new:                   run(…, "fd://3") ──▶ serves, and sends the byte through descriptor 4
//
// Between the two the clients wait in the socket's backlog, which belongs to neither.
#include <ringwire/ringwire.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>

namespace {

class Echo : public ringwire::Handler {
 public:
  explicit Echo(int ready_fd) : ready_fd_{ready_fd} {}

  ringwire::Action on_boot(ringwire::Engine& engine) override {
    const std::lock_guard lock{mutex_};
    engine_ = &engine;
    engine.loop(0).post([this, &engine] { announce(engine); });  // Runs when the loops do.
    return ringwire::Action::none;
  }
  ringwire::Action on_traffic(ringwire::Conn& conn) override {
    conn.write(conn.next());
    if (conn.context<bool>() == nullptr) conn.emplace_context<bool>(true);
    return draining_ ? ringwire::Action::close : ringwire::Action::none;
  }
  ringwire::Action on_drain(ringwire::Conn& conn) override {
    draining_ = true;
    // Who has not been answered yet is answered first.
    return conn.context<bool>() != nullptr ? ringwire::Action::close : ringwire::Action::none;
  }

  void on_shutdown(ringwire::Engine& /*engine*/) override {
    const std::lock_guard lock{mutex_};
    engine_ = nullptr;
  }

  // Does something with the engine from another thread, while there is one.
  template <typename Deed>
  bool with_engine(Deed&& deed) {
    const std::lock_guard lock{mutex_};
    return engine_ != nullptr && !deed(*engine_);
  }

 private:
  void announce(ringwire::Engine& engine) {
    std::cout << "serving " << ::getpid() << " " << engine.addresses().front().to_string() << std::endl;
    if (ready_fd_ < 0) return;
    if (::write(ready_fd_, "!", 1) != 1) std::cerr << "nobody waits for us" << std::endl;
    ::close(ready_fd_);
  }

  std::mutex mutex_;
  ringwire::Engine* engine_ = nullptr;  // Under mutex_, from on_boot to on_shutdown.
  std::atomic<bool> draining_ = false;
  int ready_fd_;
};

// Starts this program again with our listener, and waits until it serves.
bool start_successor(int listener) {
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) return false;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, listener, 3);
  ::posix_spawn_file_actions_adddup2(&actions, ready[1], 4);
  std::string words[] = {"hand_over", "fd://3", "4"};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  pid_t child = 0;
  const bool started = ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, arguments, environ) == 0;
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ready[1]);
  char byte = 0;
  const bool serves = started && ::read(ready[0], &byte, 1) == 1;
  ::close(ready[0]);
  if (started && !serves) ::waitpid(child, nullptr, 0);
  return serves;
}

}  // namespace

int main(int count, char** words) {
  sigset_t hangup;
  sigemptyset(&hangup);
  sigaddset(&hangup, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &hangup, nullptr);  // Only the thread below takes it.
  Echo echo{count > 2 ? std::stoi(words[2]) : -1};
  std::thread{[&] {
    for (int number = 0; ::sigwait(&hangup, &number) == 0;) {
      int listener = -1;
      if (!echo.with_engine([&](auto& engine) { return engine.dup_listener(0, listener); })) continue;
      const bool serves = start_successor(listener);
      ::close(listener);
      if (serves) return void(echo.with_engine([](auto& engine) { return engine.stop(); }));
    }
  }}.detach();

  using namespace std::chrono_literals;
  const ringwire::Options options{.multicore = true, .stop_on_signal = true, .stop_timeout = 10s};
  if (auto error = ringwire::run(echo, count > 1 ? words[1] : "tcp://:9000", options)) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
