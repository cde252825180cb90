// From completions to sockets, and from sockets to SQEs.
#include "lib/loop/datagrams.hpp"

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/net/datagrams.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace ringwire::loop {
namespace {

constexpr std::uint16_t datagram_bgid = 1;    // 0 and 2 are the connections'.
constexpr std::size_t sockets_max = 1 << 24;  // Fewer than descriptors and sessions.

}  // namespace

Datagrams::Datagrams(kernel::Kernel& kernel, const Options& options, const base::Log& log, LoopRef loop)
    : kernel_{kernel},
      pool_{kernel, datagram_bgid},
      shared_{.options = options,
              .log = log,
              .loop = std::move(loop),
              .pool = pool_,
              .outgoing = base::SlotTable<Outgoing>{outgoing_max},
              .answered = {},
              .incoming = {},
              .due = {},
              .counts = {}},
      sockets_{sockets_max} {}

void Datagrams::add(int fd, const Address& local) {
  const DatagramSocket* socket = sockets_.acquire(fd, local, false, shared_);
  RINGWIRE_ASSERT(socket != nullptr);
}

std::error_code Datagrams::open(uring::Ring& ring, uring::Features wanted) {
  wanted_ = wanted;
  if (sockets_.size() == 0) return {};
  sockets_.for_each([this](DatagramSocket& socket) { features_.add(try_features(socket)); });
  return open_pool(ring);
}

// Asks the socket. The first of all decides how long the buffers are, and so whether later ones may join what
// they receive.
uring::Features Datagrams::try_features(DatagramSocket& socket) noexcept {
  using uring::Feature;
  const Options& options = shared_.options;
  uring::Features found;
  if (wanted_.has(Feature::udp_segment) && options.datagram_train_max > 1 &&
      net::may_segment(kernel_, socket.fd())) {
    socket.allow_trains(options.datagram_train_max);
    found.add(Feature::udp_segment);
  }
  if (wanted_.has(Feature::udp_gro) && options.datagram_gro && (joins_ || !pool_open_) &&
      net::join_received(kernel_, socket.fd())) {
    joins_ = true;
    found.add(Feature::udp_gro);
  }
  return found;
}

std::error_code Datagrams::open_pool(uring::Ring& ring) noexcept {
  RINGWIRE_ASSERT(!pool_open_);
  const Options& options = shared_.options;
  const std::size_t payload_size = joins_ ? uring::joined_size_most : options.datagram_size_max;
  try {
    shared_.incoming.reserve(options.datagram_buffers_count);
    const auto error =
        pool_.open(ring, options.datagram_buffers_count, uring::received_head_size + payload_size);
    pool_open_ = !error;
    return error;
  } catch (const std::bad_alloc&) {
    return std::make_error_code(std::errc::not_enough_memory);
  }
}

DatagramSocket* Datagrams::connect(uring::Ring& ring, const Address& peer, std::error_code& error) noexcept {
  Address local;
  const int fd = net::connect_datagram_socket(kernel_, peer, shared_.options, local);
  error = base::to_error(fd);
  if (fd < 0) return nullptr;
  DatagramSocket* socket = nullptr;
  try {
    socket = sockets_.acquire(fd, local, true, shared_);
    if (socket == nullptr) error = std::make_error_code(std::errc::too_many_files_open);
  } catch (const std::bad_alloc&) {
    error = std::make_error_code(std::errc::not_enough_memory);
  }
  if (socket == nullptr) {
    kernel_.close(fd);
    return nullptr;
  }
  try_features(*socket);
  if (!pool_open_) error = open_pool(ring);
  if (!error) return socket;
  socket->close_now(kernel_);
  sockets_.release(socket->slot());
  return nullptr;
}

void Datagrams::close(kernel::Kernel& kernel) noexcept {
  sockets_.for_each([&](DatagramSocket& socket) { socket.close_now(kernel); });
  // Nobody gives back any more what the ring had.
  shared_.outgoing.for_each([](Outgoing& each) {
    while (each.train != nullptr && each.train->others().pop_front() != nullptr) {
    }
  });
  pool_.close();
}

void Datagrams::dispatch(const uring::Completion& done, kernel::Nanoseconds now) noexcept {
  if (done.token.op == uring::Op::datagram_send) {
    Outgoing* datagram = shared_.outgoing.find(done.token.slot, done.token.generation);
    RINGWIRE_ASSERT(datagram != nullptr, "a datagram of slot {} was released while it was lent",
                    done.token.slot);
    DatagramSocket& socket = *sockets_.at(datagram->socket);
    socket.on_send(*datagram, done);
    return release_closed(socket);
  }
  DatagramSocket* socket = sockets_.find(done.token.slot, done.token.generation);
  RINGWIRE_ASSERT(socket != nullptr, "socket {} was released while something was lent", done.token.slot);
  switch (done.token.op) {
    case uring::Op::datagram_recv:
      socket->on_recv(done, now);
      break;
    case uring::Op::datagram_cancel:
      socket->on_cancel(done);
      break;
    default:
      socket->on_close(done);
  }
  release_closed(*socket);
}

void Datagrams::release_closed(DatagramSocket& socket) noexcept {
  if (socket.is_closed()) sockets_.release(socket.slot());
}

bool Datagrams::flush(uring::Ring& ring, kernel::Nanoseconds now) noexcept {
  if (!pool_open_) return true;
  RINGWIRE_ASSERT(pool_.held_count() == 0, "{} datagram buffers were not given back", pool_.held_count());
  pool_.publish();
  DatagramSocket* next = shared_.due.front();
  while (next != nullptr) {
    DatagramSocket& socket = *next;
    next = shared_.due.after(socket);
    if (!flush_socket(socket, ring, now)) return false;
    if (socket.resume_at() == 0)
      shared_.due.remove(socket);  // Else it is looked at until its pause has ended.
  }
  return true;
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
  for (const DatagramSocket* each = shared_.due.front(); each != nullptr; each = shared_.due.after(*each)) {
    if (each->wants_close() || each->wants_send()) return true;
    if (each->resume_at() == 0 && each->wants_recv(now)) return true;
  }
  return false;
}

kernel::Nanoseconds Datagrams::first_resume() const noexcept {
  kernel::Nanoseconds first = UINT64_MAX;
  for (const DatagramSocket* each = shared_.due.front(); each != nullptr; each = shared_.due.after(*each)) {
    if (each->resume_at() != 0) first = std::min(first, each->resume_at());
  }
  return first;
}

uring::Received Datagrams::read(const Incoming& incoming) const noexcept {
  return uring::read_received(pool_.view(incoming.bid, incoming.size));
}

void Datagrams::count(const uring::Received& received) noexcept {
  ++shared_.counts.received;
  if (received.size > received.payload.size()) ++shared_.counts.truncated;
}

void Datagrams::begin_close() noexcept {
  sockets_.for_each([](DatagramSocket& socket) { socket.begin_close(); });
}

void Datagrams::end_queueing() noexcept {
  sockets_.for_each([](DatagramSocket& socket) { socket.end_queueing(); });
}

bool Datagrams::is_queueing() noexcept {
  bool any = false;
  sockets_.for_each([&any](const DatagramSocket& socket) { any = any || socket.is_queueing(); });
  return any;
}

void Datagrams::give_up() noexcept {
  sockets_.for_each([](DatagramSocket& socket) { socket.give_up(); });
}

void Datagrams::publish_counts() noexcept {
  published_.received.store(shared_.counts.received, std::memory_order_relaxed);
  published_.truncated.store(shared_.counts.truncated, std::memory_order_relaxed);
  published_.sent.store(shared_.counts.sent, std::memory_order_relaxed);
  published_.failed.store(shared_.counts.failed, std::memory_order_relaxed);
  published_.dropped.store(shared_.counts.dropped, std::memory_order_relaxed);
  published_.sends.store(shared_.counts.sends, std::memory_order_relaxed);
  published_.receives.store(shared_.counts.receives, std::memory_order_relaxed);
}

DatagramCounts Datagrams::counts() const noexcept {
  return {published_.received.load(std::memory_order_relaxed),
          published_.truncated.load(std::memory_order_relaxed),
          published_.sent.load(std::memory_order_relaxed),
          published_.failed.load(std::memory_order_relaxed),
          published_.dropped.load(std::memory_order_relaxed),
          published_.sends.load(std::memory_order_relaxed),
          published_.receives.load(std::memory_order_relaxed)};
}

}  // namespace ringwire::loop
