// The sessions of one loop: found by peer and socket, by slot and generation, or by their timers.
//
// Owns them. Leaves to others: datagrams, and telling the handler (react.cpp). Invariant: each session that
// is not ending is found by its peer, and has its timer armed for its deadline or earlier.
#pragma once

#include <ringwire/loop_ref.hpp>
#include <ringwire/options.hpp>

#include "lib/base/keyed_hash.hpp"
#include "lib/base/list.hpp"
#include "lib/base/slots.hpp"
#include "lib/kernel/kernel.hpp"
#include "lib/loop/session.hpp"
#include "lib/loop/wheel.hpp"

#include <cstddef>
#include <cstdint>
#include <system_error>
#include <unordered_map>

namespace ringwire::loop {

/// All sessions of a loop; without `Options::datagram_sessions` there are none.
class Sessions {
 public:
  /// What it is given outlives it.
  Sessions(kernel::Kernel& kernel, const Options& options, LoopRef loop, Wheel& wheel);
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;
  ~Sessions();

  /// The session with this peer, or nullptr.
  [[nodiscard]] PeerSession* find(const PeerKey& key) noexcept;
  /// The one a handle names, or nullptr.
  [[nodiscard]] PeerSession* find(std::uint32_t slot, std::uint32_t generation) noexcept;
  /// Opens one with a peer that has none; nullptr when there are `Options::sessions_max`, or no memory.
  [[nodiscard]] PeerSession* open(DatagramSocket& socket, const PeerKey& key,
                                  kernel::Nanoseconds now) noexcept;
  /// Its deadline may have come.
  void on_timer(const SlotTimer& timer, kernel::Nanoseconds now) noexcept;
  /// Its deadline may have moved to an earlier time.
  void move_timer(PeerSession& session) noexcept;
  /// Ends all of them for this reason.
  void end_all(std::error_code reason) noexcept;

  /// The next one that has ended, to be told and then released; nullptr when there is none.
  [[nodiscard]] PeerSession* take_ended() noexcept { return ended_.pop_front(); }
  /// It has been told.
  void release(PeerSession& session) noexcept;
  /// Has one ended that was not told?
  [[nodiscard]] bool has_ended() const noexcept { return !ended_.empty(); }

  /// How many there are; those that are being told that they have ended count.
  [[nodiscard]] std::size_t size() const noexcept { return table_.size(); }
  /// The loop they live on.
  [[nodiscard]] const LoopRef& loop() const noexcept { return loop_; }

 private:
  friend class PeerSession;

  struct Hash {
    base::HashSeed seed;
    std::size_t operator()(const PeerKey& key) const noexcept;
  };

  const Options& options_;
  LoopRef loop_;
  Wheel& wheel_;
  base::SlotTable<PeerSession> table_;
  std::unordered_map<PeerKey, std::uint32_t, Hash> slots_;  // Those that are not ending, by their peer.
  base::List<PeerSession, Ended> ended_;
};

}  // namespace ringwire::loop
