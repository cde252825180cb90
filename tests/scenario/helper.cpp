// An echo server in a process of its own, for what cannot be done to the test's process: limits, another
// user, a seccomp filter, signals. Words on the command line set it up; lines on standard input ask it
// things.
//
// Leaves to others: what is expected. Invariant: every question gets one line of answer.
//
// Words: loops=N stop_timeout=MS nofile=N memlock=BYTES user=UID deny=ERRNO deny_filters=ERRNO signal
//        drain=MS lockdown sq=N cq=N buffers=N kernel=NAME log address=URL
// Questions: fds count cpu stop
// With drain=MS the engine drains, over so much time, when a client says "drain".
#include <ringwire/ringwire.hpp>

#include "tests/support/process.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <initializer_list>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

struct Setup {
  ringwire::Options options;
  std::string address = "tcp://127.0.0.1:0";
  unsigned long memlock = 0;
  unsigned long nofile = 0;
  uid_t user = 0;
  unsigned deny = 0;
  unsigned deny_filters = 0;
  std::chrono::milliseconds drain{0};
};

// Lines of the log stand among the answers, as "log warn …".
void print_log(ringwire::LogLevel level, std::string_view line) {
  std::cout << (level == ringwire::LogLevel::warn ? "log warn " : "log ") << line << std::endl;
}

bool take(std::string_view word, std::string_view name, unsigned long& value) {
  if (!word.starts_with(name) || word.size() <= name.size() || word[name.size()] != '=') return false;
  value = std::strtoul(word.data() + name.size() + 1, nullptr, 10);
  return true;
}

Setup parse(int count, char** words) {
  Setup setup;
  setup.options.log_level = ringwire::LogLevel::off;
  setup.options.log_sink = print_log;
  for (int index = 1; index < count; ++index) {
    const std::string_view word{words[index]};
    unsigned long value = 0;
    if (word == "signal") setup.options.stop_on_signal = true;
    if (word == "log") setup.options.log_level = ringwire::LogLevel::info;
    if (word.starts_with("kernel=")) setenv("RINGWIRE_KERNEL", words[index] + 7, 1);
    if (word.starts_with("address=")) setup.address = word.substr(8);
    if (word == "lockdown") setup.options.lockdown = true;
    if (take(word, "loops", value)) setup.options.loops = value;
    if (take(word, "stop_timeout", value)) setup.options.stop_timeout = std::chrono::milliseconds{value};
    if (take(word, "drain", value)) setup.drain = std::chrono::milliseconds{value};
    if (take(word, "sq", value)) setup.options.sq_entries = value;
    if (take(word, "cq", value)) setup.options.cq_entries = value;
    if (take(word, "buffers", value)) setup.options.recv_buffers_count = value;
    if (take(word, "nofile", value)) setup.nofile = value;
    if (take(word, "memlock", value)) setup.memlock = value;
    if (take(word, "user", value)) setup.user = static_cast<uid_t>(value);
    if (take(word, "deny", value)) setup.deny = static_cast<unsigned>(value);
    if (take(word, "deny_filters", value)) setup.deny_filters = static_cast<unsigned>(value);
  }
  return setup;
}

bool limit(__rlimit_resource what, unsigned long value) {
  const rlimit both{value, value};
  return setrlimit(what, &both) == 0;
}

// From here on these system calls answer `error`, as in a container with a strict profile.
bool deny(std::initializer_list<unsigned> calls, unsigned error) {
  std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const unsigned call : calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error & SECCOMP_RET_DATA)));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

bool apply(const Setup& setup) {
  if (setup.memlock > 0 && !limit(RLIMIT_MEMLOCK, setup.memlock)) return false;
  if (setup.nofile > 0 && !limit(RLIMIT_NOFILE, setup.nofile)) return false;
  if (setup.user > 0) {
    if (setgid(setup.user) != 0 || setuid(setup.user) != 0) return false;
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // Else /proc/self is closed to us.
  }
  if (setup.deny_filters > 0 && !deny({SYS_seccomp}, setup.deny_filters)) return false;
  return setup.deny == 0 || deny({SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register}, setup.deny);
}

class Server : public ringwire::Handler {
 public:
  explicit Server(std::chrono::milliseconds drain) : drain_{drain} {}

  ringwire::Action on_boot(ringwire::Engine& engine) override {
    engine_ = &engine;
    std::cout << "listening " << engine.addresses().front().port << std::endl;
    return ringwire::Action::none;
  }
  ringwire::Action on_traffic(ringwire::Conn& conn) override {
    if (drain_.count() > 0 && ringwire::to_text(conn.peek()) == "drain") {
      static_cast<void>(engine_.load()->drain({.deadline = drain_, .spread = drain_}));
    }
    conn.write(conn.next());
    return ringwire::Action::none;
  }
  void on_shutdown(ringwire::Engine&) override { engine_ = nullptr; }

  std::string answer(std::string_view question) {
    ringwire::Engine* engine = engine_;
    if (question == "fds") return std::to_string(ringwire::test::open_descriptors());
    if (question == "cpu") return std::to_string(ringwire::test::cpu_time().count());
    if (question == "count") return std::to_string(engine != nullptr ? engine->connections_count() : 0);
    if (question == "stop" && engine != nullptr) return engine->stop() ? "failed" : "ok";
    return "what?";
  }

 private:
  std::chrono::milliseconds drain_;  // 0 = never.
  std::atomic<ringwire::Engine*> engine_ = nullptr;
};

void answer_questions(Server& server, int end) {
  std::string line;
  while (true) {
    pollfd polls[] = {{STDIN_FILENO, POLLIN, 0}, {end, POLLIN, 0}};
    if (::poll(polls, 2, -1) < 0 || polls[1].revents != 0) return;
    char byte = 0;
    if (::read(STDIN_FILENO, &byte, 1) != 1) return;
    if (byte != '\n') {
      line += byte;
      continue;
    }
    std::cout << server.answer(line) << std::endl;
    line.clear();
  }
}

}  // namespace

int main(int count, char** words) {
  const Setup setup = parse(count, words);
  const int end = eventfd(0, EFD_CLOEXEC);
  if (!apply(setup)) {
    std::cout << "setup failed" << std::endl;
    return 4;
  }
  Server server{setup.drain};
  // No thread for questions beside signals: started before run, it would not have them blocked and would die
  // of them.
  std::error_code error;
  if (setup.options.stop_on_signal) {
    error = ringwire::run(server, setup.address, setup.options);
  } else {
    std::thread questions{[&] { answer_questions(server, end); }};
    error = ringwire::run(server, setup.address, setup.options);
    eventfd_write(end, 1);
    questions.join();
  }
  std::cout << "ended " << error.category().name() << ' ' << error.value() << std::endl;
  if (error) std::cout << "because " << ringwire::explain(error) << std::endl;
  return error ? 3 : 0;
}
