// The banned words: a table of what is looked for, where, and what to write in its place.
//
// Invariant: patterns are matched against code without comments and literals, so a message may say "printf".
#include "tests/tidy/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

namespace ringwire::tidy {
namespace {

struct Word {
  const char* name;                 // As it stands in docs/layers.md when a file may use it after all.
  std::regex pattern;               // Group 1 marks the word, when what stands before it matters.
  std::vector<std::string> in;      // Paths it is looked for in.
  std::vector<std::string> except;  // Paths it is at home in.
  const char* instead;
};

// Not a member of something else, not part of a longer word: (::)name( .
std::regex call(const std::string& names) {
  return std::regex(R"((?:^|[^\w.>:])((?:::|std::)?\b(?:)" + names + R"())\s*\()");
}

// Names that are also ordinary words are system calls only when they say so: ::close( .
std::regex global_call(const std::string& names) {
  return std::regex(R"((?:^|[^\w>:])(::(?:)" + names + R"())\s*\()");
}

const char* const system_calls =
    "clock_gettime|gettimeofday|epoll_create1?|epoll_ctl|epoll_wait|epoll_pwait2?|eventfd|mmap|munmap|"
    "madvise|"
    "mlock|pthread_\\w+|sched_\\w+|getrandom|syscall|getaddrinfo|setsockopt|getsockopt|getsockname|"
    "getpeername|"
    "signalfd|sigaction|sigprocmask|fcntl|ioctl|getrlimit|setrlimit|prctl|getenv|accept4|recvmsg|recvfrom|"
    "sendmsg|"
    "sendto|getpid|gettid|fork|execve|timerfd_\\w+|pipe2|nanosleep|usleep";
const char* const system_calls_with_ordinary_names =
    "socket|bind|listen|accept|connect|shutdown|close|read|write|readv|writev|recv|send|poll|select|open|"
    "pipe|dup|"
    "dup2|signal|time|sleep|rand|random";
const char* const ring_calls =
    "io_uring_(?:submit\\w*|enter\\w*|queue_init\\w*|queue_exit|queue_mmap|wait_cqe\\w*|register\\w*|"
    "unregister\\w*|"
    "setup\\w*|get_events\\w*|get_probe\\w*|ring_dontfork|close_ring_fd|free_buf_ring|sqring_wait|peek_cqe)";

const std::vector<Word>& words() {
  static const std::vector<Word> table{
      {"printf",
       call("(?:std::)?(?:v?[sf]?n?printf|puts|fputs)"),
       {"lib/"},
       {},
       "fmt and the log of lib/base"},
      {"std::cout", std::regex(R"(\bstd::(cout|cerr|clog)\b)"), {"lib/"}, {}, "fmt and the log of lib/base"},
      {"new",
       std::regex(R"((?:^|[^:\w])(new\s+(?!\()[\w:]))"),
       {"lib/"},
       {},
       "a container, SlotTable or std::make_unique"},
      {"delete",
       std::regex(R"((?:^|[^=\s])\s*(\bdelete\b(?:\s*\[\s*\])?\s+?[\w:*(]))"),
       {"lib/"},
       {},
       "an owner: a container, SlotTable or std::unique_ptr"},
      {"shared_ptr",
       std::regex(R"(\b(std::(?:shared_ptr|make_shared|weak_ptr))\b)"),
       {"lib/uring/", "lib/conn/", "lib/loop/", "lib/asio/"},
       {},
       "an owner, and a slot with a generation"},
      {"std::function", std::regex(R"(\b(std::function)\b)"), {"lib/"}, {}, "ringwire::Function"},
      {"using namespace",
       std::regex(R"(\b(using\s+namespace)\b)"),
       {"lib/", "include/"},
       {},
       "a using declaration"},
      {"[=]",
       std::regex(R"((\[\s*=\s*[\],]))"),
       {"lib/", "include/", "examples/", "tests/"},
       {},
       "each capture by its name"},
      {"reinterpret_cast",
       std::regex(R"(\b(reinterpret_cast)\b)"),
       {"lib/", "include/"},
       {"lib/kernel/", "lib/uring/", "lib/net/"},
       "a typed value; memory of the kernel is looked at in uring and net"},
      {"io_uring_prep",
       std::regex(R"(\b(io_uring_prep_\w+))"),
       {"lib/"},
       {"lib/uring/prep."},
       "uring::prep_… (lib/uring/prep.hpp)"},
      {"system call", call(system_calls), {"lib/", "include/"}, {"lib/kernel/"}, "a call of kernel::Kernel"},
      {"system call",
       global_call(system_calls_with_ordinary_names),
       {"lib/", "include/"},
       {"lib/kernel/"},
       "a call of kernel::Kernel"},
      {"ring call", call(ring_calls), {"lib/", "include/"}, {"lib/kernel/"}, "a call of kernel::Kernel"},
      {"clock",
       std::regex(R"(\b((?:steady|system|high_resolution)_clock)\b)"),
       {"lib/", "include/"},
       {"lib/kernel/"},
       "Kernel::now, read once a lap"},
      {"thread",
       std::regex(R"(\b(std::(?:thread|jthread|async|this_thread))\b)"),
       {"lib/", "include/"},
       {"lib/kernel/"},
       "Kernel::start_thread"},
      {"random",
       std::regex(R"(\b(std::(?:random_device|mt19937(?:_64)?|rand|srand))\b)"),
       {"lib/", "include/"},
       {"lib/kernel/"},
       "random of the kernel::Kernel"},
  };
  return table;
}

bool in_any(const Source& source, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return source.in(prefix); });
}

}  // namespace

std::vector<Finding> check_words(const Source& source, const std::set<std::string>& allowed) {
  std::vector<Finding> findings;
  for (const Word& word : words()) {
    if (!in_any(source, word.in) || in_any(source, word.except) || allowed.contains(word.name)) continue;
    for (std::size_t i = 0; i < source.code.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(source.code[i], match, word.pattern)) continue;
      findings.push_back({source.path, i + 1,
                          fmt::format("{} ({}): write {} instead", match[1].str(), word.name, word.instead)});
    }
  }
  return findings;
}

std::vector<Finding> check_unfinished(const Source& source) {
  // In two pieces, or this line would find itself.
  static const std::regex pattern(std::string("\\b(TO") + "DO|FIX" + "ME|XX" + "X)\\b");
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < source.lines.size(); ++i) {
    if (!std::regex_search(source.lines[i], pattern)) continue;
    findings.push_back({source.path, i + 1, "unfinished work on main: do it, or open an issue"});
  }
  return findings;
}

std::vector<Finding> check_casts(const Source& source) {
  static const std::regex pattern(
      R"((^|return|co_return|[=(,;{}?:&|!<+*/-])\s*)"
      R"(\(\s*(?:const\s+)?(?:struct\s+)?)"
      R"((?:(?:(?:unsigned|signed|int|long|short|char|float|double|bool|void|s?size_t|socklen_t|std::byte|)"
      R"((?:std::)?u?int(?:8|16|32|64|ptr)_t|std::size_t|__\w+)(?:\s+(?:int|long|char|const))*\s*\**)|)"
      R"([\w:]+\s*\*+)\s*\)\s*[\w(&~"'])");
  static const std::regex declaration(R"(^\s*(?:const|noexcept|override|final|requires|mutable)\b)");
  std::vector<Finding> findings;
  for (std::size_t i = 0; i < source.code.size(); ++i) {
    std::smatch match;
    if (!std::regex_search(source.code[i], match, pattern)) continue;
    const std::string after =
        source.code[i].substr(static_cast<std::size_t>(match.position() + match.length() - 1));
    if (std::regex_search(after, declaration)) continue;
    findings.push_back({source.path, i + 1, "a C cast: write static_cast, or [[maybe_unused]] for (void)"});
  }
  return findings;
}

}  // namespace ringwire::tidy
