// Where the threads of an engine meet: nobody serves before everybody is ready, and nobody serves if somebody
// is not.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <system_error>

namespace ringwire::engine {

/// Opens once, when `count` threads have arrived.
class Gate {
 public:
  /// For `count` threads.
  explicit Gate(std::size_t count) noexcept : missing_{count} {}

  /// Reports how the calling thread's start went, waits for all others, and answers whether all went well.
  [[nodiscard]] bool arrive(std::error_code error);

  /// Reports for a thread that could not even be started. Does not wait.
  void give_up(std::error_code error);

  /// Waits until all threads have arrived, and answers the first error reported, with its particulars for
  /// `explain` on the calling thread.
  [[nodiscard]] std::error_code wait();

 private:
  void note(std::error_code error);

  std::mutex mutex_;
  std::condition_variable opened_;
  std::size_t missing_;    // Under mutex_.
  std::error_code error_;  // Under mutex_.
  std::string detail_;     // Under mutex_; what `explain` is to say on the caller's thread.
};

}  // namespace ringwire::engine
