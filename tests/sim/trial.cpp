// A child, a pipe for its answer, and a signal handler that saves the choices when the child aborts.
#include "tests/sim/trial.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace ringwire::test {
namespace {

constexpr unsigned seconds_max = 20;  // A run takes milliseconds.

// What the child's signal handler needs.
int answer_fd = -1;
const kernel::sim::Choices* running = nullptr;

void write_all(const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(answer_fd, at, size);
    if (written <= 0) return;
    at += written;
    size -= static_cast<std::size_t>(written);
  }
}

void write_choices() {
  const auto& taken = running->taken();
  const std::uint64_t count = taken.size();
  write_all(&count, sizeof count);
  write_all(taken.data(), count * sizeof(std::uint32_t));
}

extern "C" void on_fatal_signal(int number) {
  write_choices();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

[[noreturn]] void be_child(const Subject& subject, kernel::sim::Choices& choices, int fd, bool quiet) {
  answer_fd = fd;
  running = &choices;
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGALRM, SIGFPE}) std::signal(number, on_fatal_signal);
  if (quiet) {
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(null, STDERR_FILENO);
  }
  ::alarm(seconds_max);
  const std::string violation = subject(choices);
  write_choices();
  write_all(violation.data(), violation.size());
  std::_Exit(violation.empty() ? 0 : 1);
}

std::string read_all(int fd) {
  std::string text;
  char piece[65536];
  for (ssize_t size = 0; (size = ::read(fd, piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<std::size_t>(size));
  return text;
}

Verdict judge(const std::string& answer, int status) {
  Verdict verdict;
  std::uint64_t count = 0;
  if (answer.size() >= sizeof count) std::memcpy(&count, answer.data(), sizeof count);
  const std::size_t head = sizeof count + count * sizeof(std::uint32_t);
  if (answer.size() >= head) {
    verdict.choices.resize(count);
    std::memcpy(verdict.choices.data(), answer.data() + sizeof count, count * sizeof(std::uint32_t));
    verdict.what = answer.substr(head);
  }
  if (WIFSIGNALED(status))
    verdict.what = fmt::format("killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  verdict.failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  if (verdict.failed && verdict.what.empty()) verdict.what = "it ended by itself";
  return verdict;
}

// Runs a list and says whether it still fails; keeps the list as it was really used.
bool still_fails(const Subject& subject, std::vector<std::uint32_t>& list) {
  kernel::sim::ListChoices choices{list};
  Verdict verdict = try_in_child(subject, choices, true);
  if (!verdict.failed) return false;
  if (verdict.choices.size() < list.size()) list.resize(verdict.choices.size());
  while (!list.empty() && list.back() == 0) list.pop_back();
  return true;
}

class Shrinker {
 public:
  Shrinker(const Subject& subject, std::vector<std::uint32_t> best, unsigned trials)
      : subject_{subject}, best_{std::move(best)}, trials_{trials} {}

  std::vector<std::uint32_t> run() {
    for (bool better = true; better && trials_ > 0;) {
      better = cut_tail();
      for (std::size_t size = best_.size() / 2; size > 0; size /= 2) better |= drop_pieces(size);
      better |= make_plainer();
    }
    return best_;
  }

 private:
  bool accept(std::vector<std::uint32_t> candidate) {
    if (trials_ == 0) return false;
    --trials_;
    if (!still_fails(subject_, candidate)) return false;
    best_ = std::move(candidate);
    return true;
  }

  bool cut_tail() {
    bool better = false;
    for (std::size_t keep = best_.size() / 2; keep < best_.size() && trials_ > 0;
         keep += (best_.size() - keep + 1) / 2) {
      if (accept({best_.begin(), best_.begin() + static_cast<std::ptrdiff_t>(keep)})) {
        better = true;
        keep = best_.size() / 2;
      }
      if (best_.size() - keep <= 1) break;
    }
    return better;
  }

  bool drop_pieces(std::size_t size) {
    bool better = false;
    for (std::size_t at = 0; at + size <= best_.size() && trials_ > 0;) {
      std::vector<std::uint32_t> candidate = best_;
      const auto begin = candidate.begin() + static_cast<std::ptrdiff_t>(at);
      candidate.erase(begin, begin + static_cast<std::ptrdiff_t>(size));
      if (accept(std::move(candidate))) {
        better = true;
      } else {
        at += size;
      }
    }
    return better;
  }

  bool make_plainer() {
    bool better = false;
    for (std::size_t at = 0; at < best_.size() && trials_ > 0; ++at) {
      for (const std::uint32_t value : {std::uint32_t{0}, best_[at] / 2}) {
        if (at >= best_.size() || value >= best_[at]) continue;
        std::vector<std::uint32_t> candidate = best_;
        candidate[at] = value;
        better |= accept(std::move(candidate));
      }
    }
    return better;
  }

  const Subject& subject_;
  std::vector<std::uint32_t> best_;
  unsigned trials_;
};

}  // namespace

Verdict try_in_child(const Subject& subject, kernel::sim::Choices& choices, bool quiet) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  const pid_t child = ::fork();
  if (child < 0) std::abort();
  if (child == 0) {
    ::close(ends[0]);
    be_child(subject, choices, ends[1], quiet);
  }
  ::close(ends[1]);
  const std::string answer = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return judge(answer, status);
}

std::vector<std::uint32_t> shrink(const Subject& subject, std::vector<std::uint32_t> choices,
                                  unsigned trials_max) {
  return Shrinker{subject, std::move(choices), trials_max}.run();
}

std::string to_text(const std::vector<std::uint32_t>& choices) {
  return fmt::format("{}", fmt::join(choices, ","));
}

std::optional<std::vector<std::uint32_t>> parse_choices(std::string_view text) {
  std::vector<std::uint32_t> choices;
  while (!text.empty()) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return std::nullopt;
    choices.push_back(value);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!text.empty()) {
      if (text.front() != ',') return std::nullopt;
      text.remove_prefix(1);
    }
  }
  return choices;
}

}  // namespace ringwire::test
