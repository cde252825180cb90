// /proc for this process, and child processes through posix_spawn and pidfd.
//
// Leaves to others: what the child does. Invariant: every wait has a deadline, every pid is reaped once.
#include "tests/support/process.hpp"

#include "tests/support/wait.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <utility>

namespace ringwire::test {

namespace {

constexpr int patience_ms = static_cast<int>(patience.count());

bool wait_readable(int fd) {
  pollfd poll_fd{fd, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&poll_fd, 1, patience_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) ++count;
  return count - 1;  // The directory's own.
}

std::vector<std::string> thread_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/task"}) {
    std::ifstream file{entry.path() / "comm"};
    std::string name;
    if (std::getline(file, name)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> engine_threads_left() {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    std::vector<std::string> names = thread_names();
    std::erase_if(names, [](const std::string& name) { return !name.starts_with("ringwire/"); });
    if (names.empty() || std::chrono::steady_clock::now() > deadline) return names;
  }
}

std::size_t resident_size() {
  std::ifstream file{"/proc/self/statm"};
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::chrono::microseconds cpu_time() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::chrono::seconds{usage.ru_utime.tv_sec + usage.ru_stime.tv_sec} +
         std::chrono::microseconds{usage.ru_utime.tv_usec + usage.ru_stime.tv_usec};
}

bool allow_descriptors(std::size_t count) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= count) return true;
  limit.rlim_cur = count;
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < count) return false;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

std::uint16_t port_in(const std::string& line) {
  const std::size_t end = line.find_last_of("0123456789");
  const std::size_t before = line.find_last_not_of("0123456789", end);
  return static_cast<std::uint16_t>(std::stoul("0" + line.substr(before + 1, end - before)));
}

Child::Child(const std::vector<std::string>& command, int inherited) {
  int to_child[2] = {-1, -1};
  int from_child[2] = {-1, -1};
  if (pipe2(to_child, O_CLOEXEC) != 0 || pipe2(from_child, O_CLOEXEC) != 0) return;
  input_ = to_child[1];
  output_ = from_child[0];

  std::vector<std::string> words = command;
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to_child[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from_child[1], STDOUT_FILENO);
  if (inherited >= 0) posix_spawn_file_actions_adddup2(&actions, inherited, 3);
  if (posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ) != 0) pid_ = -1;
  posix_spawn_file_actions_destroy(&actions);
  ::close(to_child[0]);
  ::close(from_child[1]);
}

Child::~Child() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (input_ >= 0) ::close(input_);
  if (output_ >= 0) ::close(output_);
}

std::optional<std::string> Child::read_line() {
  while (true) {
    if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    if (!wait_readable(output_)) return std::nullopt;
    char piece[4096];
    const ssize_t size = ::read(output_, piece, sizeof piece);
    if (size <= 0) return std::nullopt;
    unread_.append(piece, static_cast<std::size_t>(size));
  }
}

void Child::write_line(std::string_view line) {
  const std::string text = std::string{line} + '\n';
  [[maybe_unused]] const ssize_t written = ::write(input_, text.data(), text.size());
}

std::string Child::ask(std::string_view line) {
  write_line(line);
  return read_line().value_or("no answer");
}

void Child::signal(int number) {
  if (pid_ > 0) ::kill(pid_, number);  // To pid -1 it would go to every process there is.
}

std::optional<int> Child::wait() {
  if (pid_ <= 0) return std::nullopt;
  const int pid_fd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (pid_fd < 0) return std::nullopt;
  const bool ended = wait_readable(pid_fd);
  ::close(pid_fd);
  if (!ended) return std::nullopt;
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace ringwire::test
