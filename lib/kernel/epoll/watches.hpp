// Who waits for which descriptor: operations under way, found by descriptor, and the epoll set that tells.
//
//   add ──▶ waiting (on its watch) ──event──▶ ready ──▶ tried: goes on, waits again, or is removed
//
// A descriptor is added to the set once, edge-triggered, and never taken out: closing it does that. So a
// connection makes an epoll_ctl(2) only when its receive has used up its credit, and the next one begins.
// Descriptors may be closed and used again behind our back; therefore nothing is believed of a watch on
// which no operation waits: the next one tells epoll anew. Events are hints, the try decides. Invariant:
// an operation is on one watch, or its descriptor is gone.
#pragma once

#include "lib/base/list.hpp"
#include "lib/kernel/epoll/task.hpp"

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace ringwire::kernel::epoll {

/// Tags of the lists an operation stands in.
struct Armed;
struct OnWatch;
struct Ready;

struct Watch;

/// A request that waits, with what is hard-linked behind it.
struct Operation : base::Link<Armed>, base::Link<OnWatch>, base::Link<Ready> {
  Task task;
  std::vector<Request> rest;
  Watch* watch = nullptr;  // nullptr: its descriptor was closed under it.
};

/// What is known of one descriptor. Lives as long as its ring, because events carry its address.
struct Watch {
  int fd = -1;
  /// Was once in the epoll set; true also when the descriptor was closed since.
  bool registered = false;
  /// A read may succeed.
  bool readable = false;
  /// A read that brings less than was asked for has taken everything: TCP, with no FIN or urgent byte seen.
  bool short_is_all = false;
  base::List<Operation, OnWatch> operations;
};

/// The operations of one ring that wait.
class Watches {
 public:
  /// Events taken from the kernel in one call.
  static constexpr std::size_t events_max = 512;

  Watches() = default;
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;
  ~Watches();

  /// Makes the epoll set: its descriptor or -errno. `bell` is watched with it.
  [[nodiscard]] int open(int bell) noexcept;
  /// The epoll set's descriptor.
  [[nodiscard]] int fd() const noexcept { return epoll_; }

  /// From now on `task` waits. Answers 0, or -errno when its descriptor cannot be watched; then it has not
  /// been added and `task` and `rest` are untouched. May throw bad_alloc, with the same effect.
  [[nodiscard]] int add(Task& task, std::vector<Request>& rest);
  /// It waits no more.
  std::unique_ptr<Operation> remove(Operation& operation) noexcept;

  /// Waits at most `timeout` nanoseconds (-1: for ever) for events, and marks ready whom they concern. The
  /// number of events, or -errno.
  [[nodiscard]] int wait(std::int64_t timeout) noexcept;

  /// The operation that is to be tried next, no longer marked; nullptr when there is none.
  [[nodiscard]] Operation* next_ready() noexcept;
  /// It is to be tried again, after all others.
  void mark_ready(Operation& operation) noexcept;
  /// How many are to be tried.
  [[nodiscard]] std::size_t ready_count() const noexcept { return ready_count_; }

  /// The oldest operation that waits; nullptr when there is none.
  [[nodiscard]] Operation* first() const noexcept { return armed_.front(); }
  /// One with this user_data, or nullptr.
  [[nodiscard]] Operation* find(std::uint64_t user_data) noexcept;
  /// The oldest on this descriptor, or nullptr.
  [[nodiscard]] Operation* find_on(int fd) noexcept;
  /// The descriptor is about to be closed: what waits on it will hear nothing more of it. (On Linux it would
  /// keep the file open and go on; here it waits until somebody cancels it.)
  void forget(int fd) noexcept;

 private:
  [[nodiscard]] Watch& at(int fd);
  [[nodiscard]] int enlist(Watch& watch, bool for_recv) noexcept;
  void on_event(Watch& watch, std::uint32_t events) noexcept;
  void unmark(Operation& operation) noexcept;

  int epoll_ = -1;
  bool has_pwait2_ = true;  // Until the kernel says otherwise.
  std::size_t ready_count_ = 0;
  std::vector<std::unique_ptr<Watch>> watches_;                                    // By descriptor.
  std::unordered_multimap<std::uint64_t, std::unique_ptr<Operation>> operations_;  // By user_data.
  base::List<Operation, Armed> armed_;                                             // In the order they came.
  base::List<Operation, Ready> ready_;
  std::vector<epoll_event> events_ = std::vector<epoll_event>(events_max);
};

}  // namespace ringwire::kernel::epoll
