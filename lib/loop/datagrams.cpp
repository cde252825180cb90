// From completions to sockets, and from sockets to SQEs.
#include "lib/loop/datagrams.hpp"

#include "lib/base/assert.hpp"
#include "lib/net/address.hpp"

#include <algorithm>

namespace ringwire::loop {
namespace {

constexpr std::uint16_t datagram_bgid = 1;  // 0 is the connections'.

}  // namespace

Datagrams::Datagrams(kernel::Kernel& kernel, const Options& options, const base::Log& log, LoopRef loop)
    : pool_{kernel, datagram_bgid},
      shared_{.options = options,
              .log = log,
              .loop = std::move(loop),
              .pool = pool_,
              .outgoing = base::SlotTable<Outgoing>{outgoing_max},
              .answered = {},
              .incoming = {},
              .counts = {}} {}

void Datagrams::add(int fd, const Address& local) {
  sockets_.emplace_back(fd, local, static_cast<std::uint32_t>(sockets_.size()), shared_);
}

std::error_code Datagrams::open(uring::Ring& ring) {
  if (sockets_.empty()) return {};
  const Options& options = shared_.options;
  shared_.incoming.reserve(options.datagram_buffers_count);
  return pool_.open(ring, options.datagram_buffers_count,
                    uring::received_head_size + options.datagram_size_max);
}

void Datagrams::close(kernel::Kernel& kernel) noexcept {
  for (DatagramSocket& socket : sockets_) socket.close_now(kernel);
  pool_.close();
}

void Datagrams::dispatch(const uring::Completion& done, kernel::Nanoseconds now) noexcept {
  if (done.token.op == uring::Op::datagram_send) {
    Outgoing* datagram = shared_.outgoing.find(done.token.slot, done.token.generation);
    RINGWIRE_ASSERT(datagram != nullptr, "a datagram of slot {} was released while it was lent",
                    done.token.slot);
    return sockets_[datagram->socket].on_send(*datagram, done);
  }
  RINGWIRE_ASSERT(done.token.slot < sockets_.size(), "socket {} of {}", done.token.slot, sockets_.size());
  DatagramSocket& socket = sockets_[done.token.slot];
  switch (done.token.op) {
    case uring::Op::datagram_recv:
      return socket.on_recv(done, now);
    case uring::Op::datagram_cancel:
      return socket.on_cancel(done);
    default:
      return socket.on_close(done);
  }
}

bool Datagrams::flush(uring::Ring& ring, kernel::Nanoseconds now) noexcept {
  if (sockets_.empty()) return true;
  RINGWIRE_ASSERT(pool_.held_count() == 0, "{} datagram buffers were not given back", pool_.held_count());
  pool_.publish();
  return std::all_of(sockets_.begin(), sockets_.end(),
                     [&](DatagramSocket& socket) { return flush_socket(socket, ring, now); });
}

bool Datagrams::flush_socket(DatagramSocket& socket, uring::Ring& ring, kernel::Nanoseconds now) noexcept {
  if (socket.wants_close()) {
    if (!ring.make_room(2)) return false;
    socket.arm_close(ring);
    return true;
  }
  if (socket.wants_recv(now)) {
    if (!ring.make_room(1)) return false;
    socket.arm_recv(ring);
  }
  while (socket.wants_send()) {
    if (!ring.make_room(1)) return false;
    socket.arm_send(ring);
  }
  return true;
}

bool Datagrams::is_due(kernel::Nanoseconds now) const noexcept {
  return std::any_of(sockets_.begin(), sockets_.end(), [&](const DatagramSocket& socket) {
    return socket.wants_close() || socket.wants_send() || (socket.resume_at() == 0 && socket.wants_recv(now));
  });
}

kernel::Nanoseconds Datagrams::first_resume() const noexcept {
  return first_resume_of(sockets_);
}

uring::Received Datagrams::read(const Incoming& incoming) const noexcept {
  return uring::read_received(pool_.view(incoming.bid, incoming.size));
}

void Datagrams::count(const uring::Received& received) noexcept {
  ++shared_.counts.received;
  if (received.size > received.payload.size()) ++shared_.counts.truncated;
}

void Datagrams::begin_close() noexcept {
  for (DatagramSocket& socket : sockets_) socket.begin_close();
}

void Datagrams::end_queueing() noexcept {
  for (DatagramSocket& socket : sockets_) socket.end_queueing();
}

bool Datagrams::is_queueing() const noexcept {
  return std::any_of(sockets_.begin(), sockets_.end(),
                     [](const DatagramSocket& socket) { return socket.is_queueing(); });
}

void Datagrams::give_up() noexcept {
  for (DatagramSocket& socket : sockets_) socket.give_up();
}

bool Datagrams::is_closed() const noexcept {
  return std::all_of(sockets_.begin(), sockets_.end(),
                     [](const DatagramSocket& socket) { return socket.is_closed(); });
}

DatagramSocket* Datagrams::find(std::uint32_t index) noexcept {
  return index < sockets_.size() ? &sockets_[index] : nullptr;
}

void Datagrams::publish_counts() noexcept {
  if (sockets_.empty()) return;
  published_.received.store(shared_.counts.received, std::memory_order_relaxed);
  published_.truncated.store(shared_.counts.truncated, std::memory_order_relaxed);
  published_.sent.store(shared_.counts.sent, std::memory_order_relaxed);
  published_.failed.store(shared_.counts.failed, std::memory_order_relaxed);
  published_.dropped.store(shared_.counts.dropped, std::memory_order_relaxed);
}

DatagramCounts Datagrams::counts() const noexcept {
  return {published_.received.load(std::memory_order_relaxed),
          published_.truncated.load(std::memory_order_relaxed),
          published_.sent.load(std::memory_order_relaxed), published_.failed.load(std::memory_order_relaxed),
          published_.dropped.load(std::memory_order_relaxed)};
}

}  // namespace ringwire::loop
