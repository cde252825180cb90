// Runs something that must abort, in a child process, and answers what it said on standard error.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#if defined(__has_feature)
#define RINGWIRE_HAS_FEATURE(name) __has_feature(name)
#else
#define RINGWIRE_HAS_FEATURE(name) 0
#endif

namespace ringwire::test {

/// True under sanitizers that map more address space than any limit allows.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    RINGWIRE_HAS_FEATURE(address_sanitizer) || RINGWIRE_HAS_FEATURE(thread_sanitizer)
inline constexpr bool limits_break_allocator = true;
#else
inline constexpr bool limits_break_allocator = false;
#endif

/// The child's standard error if `fn` aborted it, else "survived" or "died otherwise".
template <typename Fn>
std::string death_of(Fn fn) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return "no pipe";
  const pid_t child = fork();
  if (child < 0) return "no child";
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // Catch2 would report a failure of its own.
    dup2(ends[1], STDERR_FILENO);
    fn();
    _exit(0);
  }
  close(ends[1]);
  std::string said;
  std::array<char, 512> piece{};
  for (ssize_t size = 0; (size = read(ends[0], piece.data(), piece.size())) > 0;) {
    said.append(piece.data(), static_cast<std::size_t>(size));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) return "survived";
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? said : "died otherwise";
}

}  // namespace ringwire::test
