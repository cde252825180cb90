// The datagram sockets of one loop, with the buffers and envelopes they share.
//
// The loop hands it completions and asks it to flush, once a lap; what has come and what is to be answered it
// keeps until the loop tells its news. Leaves to others: one socket (`datagram_socket.hpp`), user code
// (`react.cpp`). Invariant: every buffer is the kernel's again when the loop has told its news.
#pragma once

#include "lib/loop/datagram_socket.hpp"
#include "lib/uring/features.hpp"
#include "lib/uring/received.hpp"

#include <atomic>
#include <cstdint>
#include <system_error>

namespace ringwire::loop {

/// All datagram sockets of a loop; usually none, and then it costs nothing.
class Datagrams {
 public:
  /// Datagrams that wait to be sent, of all sockets together.
  static constexpr std::size_t outgoing_max = 1 << 16;

  /// What it is given outlives it.
  Datagrams(kernel::Kernel& kernel, const Options& options, const base::Log& log, LoopRef loop);

  /// Takes over a bound socket. Before `open`.
  void add(int fd, const Address& local);
  /// Lends the buffers, if there is a socket, which may use those of `wanted` that it has. Fails as
  /// `BufferPool::open`.
  [[nodiscard]] std::error_code open(uring::Ring& ring, uring::Features wanted);
  /// Opens a socket that is connected to `peer`; the first one lends the buffers. nullptr, and why.
  [[nodiscard]] DatagramSocket* connect(uring::Ring& ring, const Address& peer,
                                        std::error_code& error) noexcept;
  /// Closes what is open: the ring is gone. What is queued is answered, and waits in `take_answered`.
  void close(kernel::Kernel& kernel) noexcept;

  /// A completion of one of its operations.
  void dispatch(const uring::Completion& done, kernel::Nanoseconds now) noexcept;
  /// Arms what is due. False when the ring had no room: it is still due.
  [[nodiscard]] bool flush(uring::Ring& ring, kernel::Nanoseconds now) noexcept;
  /// Would `flush` arm something? Then the loop must not wait.
  [[nodiscard]] bool is_due(kernel::Nanoseconds now) const noexcept;
  /// When the first pause of a receive ends; UINT64_MAX when none pauses.
  [[nodiscard]] kernel::Nanoseconds first_resume() const noexcept;

  /// What has come, in order; the loop gives each buffer back and then clears the list.
  [[nodiscard]] std::vector<Incoming>& incoming() noexcept { return shared_.incoming; }
  /// A datagram that has come.
  [[nodiscard]] uring::Received read(const Incoming& incoming) const noexcept;
  /// Its buffer goes home.
  void give_back(const Incoming& incoming) noexcept { pool_.give_back(incoming.bid); }
  /// Counts a receive that brought any.
  void count_receive() noexcept { ++shared_.counts.receives; }
  /// Counts one that the handler is told of.
  void count(const uring::Received& received) noexcept;
  /// Counts one that the handler is not told of.
  void count_dropped() noexcept { ++shared_.counts.dropped; }
  /// The next one whose callback is to be called, or nullptr; to be released.
  [[nodiscard]] Outgoing* take_answered() noexcept { return shared_.answered.pop_front(); }
  /// What the sockets had that there were at `open`.
  [[nodiscard]] uring::Features features() const noexcept { return features_; }
  /// Its callback has been called.
  void release(Outgoing& datagram) noexcept { shared_.outgoing.release(datagram.slot); }

  /// Receives no more, and closes each socket once it has sent what it has and `end_queueing` was called.
  void begin_close() noexcept;
  /// No connection is left that might send: takes no more.
  void end_queueing() noexcept;
  /// Does a socket still take what is to be sent?
  [[nodiscard]] bool is_queueing() noexcept;
  /// Drops what is queued, so that they close now.
  void give_up() noexcept;
  /// Was there ever a socket, so that there may be news?
  [[nodiscard]] bool in_use() const noexcept { return pool_open_; }
  /// Is every socket closed, with nothing lent?
  [[nodiscard]] bool is_closed() const noexcept { return sockets_.size() == 0; }

  /// The socket in this slot, or nullptr.
  [[nodiscard]] DatagramSocket* find(std::uint32_t slot) noexcept { return sockets_.at(slot); }
  /// The one a handle names, or nullptr.
  [[nodiscard]] DatagramSocket* find(std::uint32_t slot, std::uint32_t generation) noexcept {
    return sockets_.find(slot, generation);
  }
  /// Shows what has happened to other threads. The loop only.
  void publish_counts() noexcept;
  /// What was published. Any thread.
  [[nodiscard]] DatagramCounts counts() const noexcept;

 private:
  [[nodiscard]] static bool flush_socket(DatagramSocket& socket, uring::Ring& ring,
                                         kernel::Nanoseconds now) noexcept;

  // Written by the loop, read by all.
  struct Published {
    std::atomic<std::uint64_t> received{0};
    std::atomic<std::uint64_t> truncated{0};
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> failed{0};
    std::atomic<std::uint64_t> dropped{0};
    std::atomic<std::uint64_t> sends{0};
    std::atomic<std::uint64_t> receives{0};
  };

  void release_closed(DatagramSocket& socket) noexcept;
  [[nodiscard]] std::error_code open_pool(uring::Ring& ring) noexcept;
  uring::Features try_features(DatagramSocket& socket) noexcept;

  kernel::Kernel& kernel_;
  uring::BufferPool pool_;
  bool pool_open_ = false;
  bool joins_ = false;  // The buffers have room for joined datagrams.
  uring::Features wanted_;
  uring::Features features_;
  DatagramShared shared_;
  base::SlotTable<DatagramSocket> sockets_;  // Those that are not closed.
  Published published_;
};

}  // namespace ringwire::loop
