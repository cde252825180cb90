// What a test can learn about this process, and child processes it can start.
//
// Leaves to others: what the child does. Invariant: a child is waited for, always; one that outlives its
// object is killed by its own pid.
#pragma once

#include "tests/support/wait.hpp"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::test {

/// How many descriptors this process has open.
[[nodiscard]] std::size_t open_descriptors();
/// The names of this process's threads, sorted.
[[nodiscard]] std::vector<std::string> thread_names();

/// Threads of engines that have ended, waiting for them to go: a joined thread may still be listed for a
/// moment. Empty, unless the deadline passed first.
[[nodiscard]] std::vector<std::string> engine_threads_left();
/// Physical memory of this process, in bytes.
[[nodiscard]] std::size_t resident_size();
/// CPU time of this process so far, user and system.
[[nodiscard]] std::chrono::microseconds cpu_time();
/// Lets this process have so many descriptors; false when the hard limit forbids it.
[[nodiscard]] bool allow_descriptors(std::size_t count);

/// The last number of a line: "listening on 127.0.0.1:1234" is 1234.
[[nodiscard]] std::uint16_t port_in(const std::string& line);

/// A program in a process of its own, with pipes to its standard input and output.
class Child {
 public:
  /// Starts `command[0]` with the rest as arguments, and with `inherited`, if it is one, as descriptor 3.
  explicit Child(const std::vector<std::string>& command, int inherited = -1);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  /// Kills what still runs, and waits for it.
  ~Child();

  /// The process.
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// The next line of its output, without the newline; nothing at its end or after the deadline.
  [[nodiscard]] std::optional<std::string> read_line();
  /// Sends a line to its input.
  void write_line(std::string_view line);
  /// Sends a line and reads the answer.
  [[nodiscard]] std::string ask(std::string_view line);
  /// Sends a signal.
  void signal(int number);
  /// Waits for the end: the exit code, 128 + N when signal N ended it, nothing after the deadline.
  [[nodiscard]] std::optional<int> wait();

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  std::string unread_;
};

}  // namespace ringwire::test
