// Prints what a run has counted, and reads /proc about the server.
#include "report.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace load {
namespace {

// Of all threads of a process, from schedstat, in nanoseconds; the clock ticks of stat are far too coarse
// here.
CpuTime cpu_time(const std::string& process) {
  CpuTime total;
  std::error_code ignored;
  for (const auto& thread : std::filesystem::directory_iterator{"/proc/" + process + "/task", ignored}) {
    std::ifstream file{thread.path() / "schedstat"};
    std::uint64_t running = 0;
    std::uint64_t waiting = 0;
    file >> running >> waiting;
    total.running += static_cast<double>(running) * 1e-9;
    total.waiting += static_cast<double>(waiting) * 1e-9;
  }
  return total;
}

CpuTime operator-(const CpuTime& after, const CpuTime& before) {
  return {after.running - before.running, after.waiting - before.waiting};
}

class Line {
 public:
  explicit Line(bool json) : json_(json) { text_.precision(9); }

  template <typename Value>
  void add(std::string_view name, Value value) {
    if (json_) {
      text_ << (empty_ ? "{" : ", ") << '"' << name << "\": " << value;
    } else {
      text_ << (empty_ ? "" : " ") << name << '=' << value;
    }
    empty_ = false;
  }
  void print() { std::cout << text_.str() << (json_ ? "}" : "") << std::endl; }

 private:
  bool json_;
  bool empty_ = true;
  std::ostringstream text_;
};

double us(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1000;
}

}  // namespace

void Figures::fail(const char* where) {
  ++errors;
  std::cerr << where << ": " << std::strerror(errno) << std::endl;
}

ServerWatch::ServerWatch(int pid)
    : pid_(pid),
      start_(Clock::now()),
      own_before_(cpu_time("self")),
      before_(cpu_time(std::to_string(pid))) {}

Clock::time_point ServerWatch::end(double seconds) const {
  if (seconds == 0) return Clock::time_point::max();
  return start_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

CpuTime ServerWatch::cpu() const {
  return cpu_time(std::to_string(pid_)) - before_;
}

CpuTime ServerWatch::own_cpu() const {
  return cpu_time("self") - own_before_;
}

std::size_t ServerWatch::memory() const {
  std::ifstream file{"/proc/" + std::to_string(pid_) + "/status"};
  for (std::string word; file >> word;) {
    std::size_t kib = 0;
    if (word == "VmRSS:" && file >> kib) return kib * 1024;
  }
  return 0;
}

int report(const Settings& settings, const ServerWatch& server, const Figures& figures) {
  // First, as it goes on counting.
  const CpuTime cpu = server.cpu();
  const CpuTime own = server.own_cpu();
  const double wall = std::chrono::duration<double>(Clock::now() - server.start()).count();
  const auto messages = static_cast<double>(figures.messages);
  Line line{settings.json};
  line.add("messages", figures.messages);
  line.add("seconds", wall);
  line.add("rate", static_cast<std::uint64_t>(messages / wall));
  line.add("errors", figures.errors);
  if (settings.udp) line.add("lost", figures.lost);
  line.add("p50_us", us(figures.latency.percentile(0.5)));
  line.add("p99_us", us(figures.latency.percentile(0.99)));
  line.add("p999_us", us(figures.latency.percentile(0.999)));
  line.add("max_us", us(figures.latency.max()));
  if (settings.rate > 0) line.add("late_p99_us", us(figures.lateness.percentile(0.99)));
  line.add("load_cpu_seconds", own.running);
  line.add("load_wait_seconds", own.waiting);
  if (settings.server_pid > 0) {
    line.add("server_cpu_seconds", cpu.running);
    line.add("server_wait_seconds", cpu.waiting);
    line.add("server_us_per_message", cpu.running * 1e6 / std::max(messages, 1.0));
    line.add("server_memory", server.memory());
  }
  line.print();
  const bool enough = settings.messages == 0 || figures.messages >= settings.messages;
  return figures.errors == 0 && enough ? 0 : 1;
}

}  // namespace load
