// One datagram socket on a ring: a multishot recvmsg in, sends out, and a close that waits for both.
//
//        begin_close            end_queueing, and all is sent
//   open ──────────▶ draining ─────────────────────────────────▶ ending ──────▶ closed
//                        └───── give_up: what is queued is dropped ──▲   nothing armed
//
// As with a connection, `arm_x` lends and `on_x` takes back. Unlike one, nothing the network does closes it.
// Invariant: while an operation is armed the kernel may use this object, its buffers and its datagrams.
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/datagram.hpp>
#include <ringwire/engine.hpp>
#include <ringwire/options.hpp>

#include "lib/base/list.hpp"
#include "lib/base/log.hpp"
#include "lib/base/slots.hpp"
#include "lib/kernel/kernel.hpp"
#include "lib/loop/datagram_train.hpp"
#include "lib/loop/pause.hpp"
#include "lib/uring/pool.hpp"
#include "lib/uring/ring.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

namespace ringwire::loop {

class PeerSession;

/// Hook: waits to be sent, or to have its callback called.
struct Queued;
/// Hook: a socket that wants something armed, now or after its pause.
struct DueSocket;

/// A datagram on its way out. Stays where it is until the kernel gives it back.
struct Outgoing : base::Link<Queued> {
  /// Copies `bytes`. May throw bad_alloc; then `done` is left to the caller.
  Outgoing(std::uint32_t slot_, std::uint32_t generation_, std::uint32_t socket_, Bytes bytes_,
           const kernel::SocketName& name_, Done& done_);

  std::uint32_t slot;
  std::uint32_t generation;
  /// Which socket it goes through.
  std::uint32_t socket;
  std::uint32_t size;
  /// How often the kernel had no room for it.
  std::uint32_t tries = 0;
  /// What became of it.
  std::error_code error;
  std::unique_ptr<std::byte[]> bytes;
  kernel::SocketName name;
  iovec piece{};
  msghdr message{};
  /// Those that leave with it, while they are lent.
  std::unique_ptr<Train> train;
  Done done;
};

/// A datagram that has come and that the handler has not seen.
struct Incoming {
  std::uint32_t socket;
  std::uint32_t size;
  std::uint16_t bid;
};

class DatagramSocket;

/// What all datagram sockets of one loop share. Owned by `Datagrams`, and outlives them.
struct DatagramShared {
  const Options& options;
  const base::Log& log;
  LoopRef loop;
  uring::BufferPool& pool;
  base::SlotTable<Outgoing> outgoing;
  base::List<Outgoing, Queued> answered;  // Callbacks to be called.
  std::vector<Incoming> incoming;         // Room for every buffer of the pool.
  base::List<DatagramSocket, DueSocket> due;
  DatagramCounts counts;
};

/// One socket, which it owns from now on: bound, or connected for one session. It never moves.
class DatagramSocket : public base::Link<DueSocket> {
 public:
  /// Requests the kernel is given at once.
  static constexpr std::size_t in_flight_max = 256;
  /// Datagrams for others that are passed over to make a train: who sends one to each of many peers pays for
  /// no more.
  static constexpr std::size_t reach = 16;
  /// What a waiting datagram counts beside its bytes.
  static constexpr std::size_t envelope_size = 256;
  /// Tries before a datagram for which the kernel has no memory fails.
  static constexpr std::uint32_t tries_max = 3;
  /// The longest there is (IPv6 without jumbograms).
  static constexpr std::size_t datagram_size_most = 65'535;

  /// Marks itself due, to arm its receive. `is_connected`: the kernel knows its only peer.
  DatagramSocket(std::uint32_t slot, std::uint32_t generation, int fd, const Address& local,
                 bool is_connected, DatagramShared& shared) noexcept;
  DatagramSocket(const DatagramSocket&) = delete;
  DatagramSocket& operator=(const DatagramSocket&) = delete;
  ~DatagramSocket();

  // datagram_recv.cpp
  /// Should the receive be armed?
  [[nodiscard]] bool wants_recv(kernel::Nanoseconds now) const noexcept;
  /// Lends the kernel the right to fill buffers of the pool, until it says otherwise.
  void arm_recv(uring::Ring& ring) noexcept;
  /// Takes back a datagram, or the receive itself.
  void on_recv(const uring::Completion& done, kernel::Nanoseconds now) noexcept;
  /// When a pause ends; 0 when there is none.
  [[nodiscard]] kernel::Nanoseconds resume_at() const noexcept { return pause_.until(); }

  // datagram_send.cpp
  /// Queues a copy of `bytes`; answers why not. `done` is taken only if it is queued.
  [[nodiscard]] std::error_code queue(Bytes bytes, const Address& to, Done&& done) noexcept;
  /// The same; without a name, to the peer it is connected to.
  [[nodiscard]] std::error_code queue(Bytes bytes, const kernel::SocketName& name, Done&& done) noexcept;
  /// Should a send be armed?
  [[nodiscard]] bool wants_send() const noexcept;
  /// Lends the kernel the oldest datagram that waits, with those that may leave in the same request.
  void arm_send(uring::Ring& ring) noexcept;
  /// Takes it back, and them.
  void on_send(Outgoing& first, const uring::Completion& done) noexcept;

  // datagram_close.cpp
  /// Decides to close: nothing more is received, what is queued is sent. Any number of times.
  void begin_close() noexcept;
  /// Nobody of the loop's is left who might send: no more is taken, or a busy sender on another thread could
  /// keep it open. Any number of times.
  void end_queueing() noexcept;
  /// Does it still take what is to be sent?
  [[nodiscard]] bool is_queueing() const noexcept { return !queueing_ended_; }
  /// Patience has ended: what is queued is dropped, and no more is taken.
  void give_up() noexcept;
  /// Should the close be armed?
  [[nodiscard]] bool wants_close() const noexcept;
  /// Cancels what is armed and closes the descriptor, in one chain.
  void arm_close(uring::Ring& ring) noexcept;
  /// The cancel is done; what it cancelled answers for itself.
  void on_cancel(const uring::Completion& done) noexcept;
  /// The descriptor is closed.
  void on_close(const uring::Completion& done) noexcept;
  /// Closed, and nothing is lent any more.
  [[nodiscard]] bool is_closed() const noexcept;
  /// The ring is gone, or never was: closes the socket; what is queued is answered.
  void close_now(kernel::Kernel& kernel) noexcept;

  /// Where it is in the table.
  [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }
  /// Where it is bound.
  [[nodiscard]] const Address& local_address() const noexcept { return local_; }
  /// Its descriptor.
  [[nodiscard]] int fd() const noexcept { return fd_; }
  /// A handle to it.
  [[nodiscard]] SocketRef ref() const { return SocketRef{shared_.loop, slot_, generation_}; }
  /// Has it one peer only?
  [[nodiscard]] bool is_connected() const noexcept { return connected_; }
  /// The session it was connected for; nullptr when that has ended, or it has many peers.
  [[nodiscard]] PeerSession* session() const noexcept { return session_; }
  /// Several may leave in one request: so many (`Options::datagram_train_max`).
  void allow_trains(std::size_t count) noexcept { train_max_ = count; }
  /// Says which that is. The session learns from it that nobody is there.
  void set_session(PeerSession* session) noexcept { session_ = session; }

 private:
  [[nodiscard]] uring::Token token(uring::Op op) const noexcept { return {op, generation_, slot_}; }
  void mark_due() noexcept;
  [[nodiscard]] std::error_code acquire(Bytes bytes, const kernel::SocketName& name, Done& done) noexcept;
  [[nodiscard]] const msghdr& couple(Outgoing& first) noexcept;
  [[nodiscard]] bool settle(Outgoing& datagram, int result, bool alone) noexcept;
  void answer(Outgoing& datagram, std::error_code error) noexcept;

  DatagramShared& shared_;
  Address local_;
  PeerSession* session_ = nullptr;
  int fd_;
  std::uint32_t slot_;
  std::uint32_t generation_;
  bool connected_;
  bool recv_armed_ = false;
  bool cancel_armed_ = false;
  bool close_armed_ = false;
  bool draining_ = false;
  bool queueing_ended_ = false;
  bool given_up_ = false;
  bool broken_ = false;                            // recvmsg(2) said that it will never work.
  Pause pause_;                                    // A receive failed for a reason that may still hold.
  std::size_t train_max_ = 1;                      // Datagrams of one request.
  std::size_t train_size_end_ = Train::size_most;  // Of datagrams as long as this no train is made any more.
  std::size_t in_flight_ = 0;                      // Requests the kernel has.
  std::size_t outbound_size_ = 0;                  // Of those and of the waiting, envelopes included.
  base::List<Outgoing, Queued> queued_;            // Those that wait.
};

}  // namespace ringwire::loop
