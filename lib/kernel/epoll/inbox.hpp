// How other threads reach a ring over epoll: messages, and a bell for the owner who sleeps.
//
// Leaves to others: turning messages into completions. Invariant: a message is never left lying while the
// owner sleeps: whoever posts it sees him asleep and rings, or he sees the message and does not go to sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace ringwire::kernel::epoll {

/// A completion posted by somebody else.
struct Message {
  /// As the CQE carries it.
  std::uint64_t user_data;
  /// The same.
  std::int32_t res;
};

/// The messages for one ring.
class Inbox {
 public:
  Inbox() = default;
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  ~Inbox();

  /// Makes the bell: 0 or -errno.
  [[nodiscard]] int open() noexcept;
  /// An eventfd that is written to whenever the owner sleeps and a message comes. Watch it edge-triggered:
  /// then it need not be read.
  [[nodiscard]] int bell() const noexcept { return bell_; }

  /// Leaves a message, and rings if need be: 0 or -ENOMEM. Any thread.
  int post(const Message& message) noexcept;

  /// Moves what has come to `out`, which must be empty. Cheap when nothing has. The owner only.
  void take(std::vector<Message>& out) noexcept;
  /// The owner is about to sleep. False when there is a message: then he must not.
  [[nodiscard]] bool fall_asleep() noexcept;
  /// The owner is awake again.
  void wake_up() noexcept;

 private:
  int bell_ = -1;
  std::atomic<bool> has_messages_{false};
  std::mutex mutex_;
  std::vector<Message> messages_;  // Under mutex_.
  bool asleep_ = false;            // Under mutex_.
};

}  // namespace ringwire::kernel::epoll
