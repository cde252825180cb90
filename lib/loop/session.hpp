// One peer that is remembered: whose datagrams they are, when the last one came, and how it ends.
//
//          close, or silence                 on_session_close
//   open ───────────────────▶ ending (told) ──────────────────▶ released
//
// Leaves to others: the table and the timers (`sessions.hpp`), the events (react.cpp). Invariant: from `end`
// on it is in the list of those to be told, or being told.
#pragma once

#include <ringwire/session.hpp>

#include "lib/base/list.hpp"
#include "lib/kernel/kernel.hpp"
#include "lib/loop/datagram_socket.hpp"
#include "lib/loop/wheel.hpp"
#include "lib/uring/token.hpp"

#include <array>
#include <cstdint>
#include <system_error>
#include <utility>

namespace ringwire::loop {

class Sessions;

/// Hook: has ended, and is to be told so.
struct Ended;

/// Who a session is with: a peer's address, and our socket.
struct PeerKey {
  std::array<std::uint64_t, 2> ip{};  // As the peer's name has it; an IPv4 address in the first four bytes.
  std::uint32_t zone = 0;
  std::uint16_t port = 0;
  std::uint16_t family = 0;
  std::uint64_t socket = 0;

  /// From what the kernel says of the sender.
  [[nodiscard]] static PeerKey of(const kernel::SocketName& name, std::uint32_t socket) noexcept;
  /// The peer's name again, for the kernel.
  [[nodiscard]] kernel::SocketName name() const noexcept;
  /// The peer's address.
  [[nodiscard]] Address address() const noexcept;

  friend bool operator==(const PeerKey&, const PeerKey&) noexcept = default;
};

static_assert(sizeof(PeerKey) == 4 * sizeof(std::uint64_t), "it is hashed word by word");

/// The private side of `ringwire::Session`.
class PeerSession final : public Session, public base::Link<Ended> {
 public:
  /// What it is given outlives it.
  PeerSession(std::uint32_t slot, std::uint32_t generation, Sessions& owner, DatagramSocket& socket,
              const PeerKey& key) noexcept
      : timer{TimerOf::session, slot, generation},
        owner_{owner},
        socket_{socket},
        key_{key},
        slot_{slot},
        generation_{generation} {}

  /// Decides to end it, for this reason; the first one counts.
  void end(std::error_code reason) noexcept;
  /// Has that been decided?
  [[nodiscard]] bool is_ending() const noexcept { return ending_; }
  /// Why; empty = we closed.
  [[nodiscard]] std::error_code reason() const noexcept { return reason_; }

  /// Queues a datagram to the peer; as `DatagramSocket::queue`.
  [[nodiscard]] std::error_code queue(Bytes bytes, Done&& done) noexcept {
    return socket_.queue(bytes, socket_.is_connected() ? kernel::SocketName{} : key_.name(), std::move(done));
  }

  /// Something came from the peer.
  void touch(kernel::Nanoseconds now) noexcept { received_at_ = now; }
  /// When it is to be forgotten; 0 = never.
  [[nodiscard]] kernel::Nanoseconds deadline() const noexcept {
    return timeout_ == 0 ? 0 : received_at_ + timeout_;
  }

  /// The socket its datagrams go through.
  [[nodiscard]] DatagramSocket& socket() const noexcept { return socket_; }
  /// Where it is in the table.
  [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }

  /// For its deadline; may be armed for an earlier time, never for a later one.
  SlotTimer timer;

 private:
  friend class ringwire::Session;  // The public face, session.cpp.
  friend class Sessions;

  Sessions& owner_;
  DatagramSocket& socket_;
  PeerKey key_;
  std::uint32_t slot_;
  std::uint32_t generation_;
  bool ending_ = false;
  std::error_code reason_;
  kernel::Nanoseconds received_at_ = 0;
  kernel::Nanoseconds timeout_ = 0;
};

}  // namespace ringwire::loop
