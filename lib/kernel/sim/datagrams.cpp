// A network of datagrams, and the two operations on it.
#include "lib/kernel/sim/datagrams.hpp"

#include <ringwire/bytes.hpp>

#include "lib/base/assert.hpp"
#include "lib/kernel/sim/sim_kernel.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ringwire::kernel::sim {

// ---- the network

int DatagramNet::bind(const std::shared_ptr<DatagramEnd>& end, std::uint16_t port) {
  RINGWIRE_ASSERT(end->port == 0);
  RINGWIRE_ASSERT(port != 0);
  std::erase_if(ends_, [](const auto& each) { return each.expired(); });
  for (const auto& each : ends_) {
    const auto other = each.lock();
    if (other->port == port && !(other->reuse_port && end->reuse_port)) return -EADDRINUSE;
  }
  end->port = port;
  ends_.push_back(end);
  return 0;
}

bool DatagramNet::is_bound(std::uint16_t port) const noexcept {
  return std::any_of(ends_.begin(), ends_.end(), [port](const auto& each) {
    const auto end = each.lock();
    return end != nullptr && end->port == port;
  });
}

std::size_t DatagramNet::queued(std::uint16_t port) const noexcept {
  std::size_t count = 0;
  for (const auto& each : ends_) {
    if (const auto end = each.lock(); end != nullptr && end->port == port) count += end->queue.size();
  }
  return count;
}

bool DatagramNet::can_send(std::uint16_t from) const noexcept {
  const auto count = std::count_if(flight_.begin(), flight_.end(),
                                   [from](const Packet& packet) { return packet.from == from; });
  return static_cast<std::size_t>(count) < flight_max_;
}

int DatagramNet::send(Packet packet) {
  if (packet.bytes.size() > size_most) return -EMSGSIZE;
  const int size = static_cast<int>(packet.bytes.size());
  ++sent_[packet.from];
  flight_.push_back(std::move(packet));
  return size;
}

std::uint64_t DatagramNet::sent(std::uint16_t port) const noexcept {
  const auto found = sent_.find(port);
  return found == sent_.end() ? 0 : found->second;
}

void DatagramNet::carry(Choices& choices, Faults& faults) {
  RINGWIRE_ASSERT(!flight_.empty());
  std::size_t index = 0;
  if (flight_.size() > 1 && faults.happens(Fault::datagram_late)) {
    index = 1 + choices.draw(static_cast<std::uint32_t>(flight_.size() - 1));
  }
  const auto place = flight_.begin() + static_cast<std::ptrdiff_t>(index);
  if (faults.happens(Fault::datagram_doubled)) return arrive(*place);  // It stays on the way, too.
  Packet packet = std::move(*place);
  flight_.erase(place);
  if (!faults.happens(Fault::datagram_lost)) arrive(std::move(packet));
}

void DatagramNet::arrive(Packet packet) {
  std::vector<std::shared_ptr<DatagramEnd>> group;
  for (const auto& each : ends_) {
    auto end = each.lock();
    if (end == nullptr || end->port != packet.to) continue;
    if (end->peer == 0 || end->peer == packet.from) group.push_back(std::move(end));
  }
  if (group.empty()) return refuse(packet);
  DatagramEnd& end = *group[packet.from % group.size()];  // Always the same one for a peer.
  if (end.queue.size() >= queue_max_) {
    ++dropped_;
    return;
  }
  ++arrived_;
  end.queue.push_back(std::move(packet));
}

// Nobody is there: his host tells whoever is connected to him (ICMP, port unreachable).
void DatagramNet::refuse(const Packet& packet) {
  for (const auto& each : ends_) {
    const auto end = each.lock();
    if (end != nullptr && end->port == packet.from && end->peer == packet.to) end->error = -ECONNREFUSED;
  }
}

// ---- the operations

std::size_t segment_size_of(const msghdr& message) noexcept {
  if (message.msg_controllen < CMSG_LEN(sizeof(std::uint16_t))) return 0;
  cmsghdr note{};
  std::memcpy(&note, message.msg_control, sizeof(note));
  if (note.cmsg_level != SOL_UDP || note.cmsg_type != UDP_SEGMENT) return 0;
  std::uint16_t size = 0;
  std::memcpy(&size, static_cast<const std::byte*>(message.msg_control) + CMSG_LEN(0), sizeof(size));
  return size;
}

// One datagram; true when the operation goes on.
bool SimKernel::recvmsg_once(Operation& operation) {
  if (operation.file->datagrams == nullptr) return end(operation, -ENOTSOCK), false;
  DatagramEnd& own = *operation.file->datagrams;
  if (const int error = std::exchange(own.error, 0); error != 0) return end(operation, error), false;
  if (end_by_fault(operation, Fault::recv_fails) || ends_empty(operation) || starves(operation)) return false;
  std::deque<Packet>& queue = own.queue;
  const SoftBuffer buffer = *rings_.at(operation.ring_fd).queues->take_buffer(operation.request.buf_group);
  Packet packet = std::move(queue.front());
  queue.pop_front();
  const std::size_t segment_size = join_received(own, packet);
  const int res = write_datagram(buffer, packet, segment_size, operation);
  const bool ends = packet.bytes.empty() || !is_multishot(operation) || queue_is_full(operation) ||
                    faults_.happens(Fault::recv_ends);
  if (ends) return end(operation, res, buffer.cqe_flags()), false;
  go_on(operation, res, buffer.cqe_flags());
  return true;
}

// As UDP_GRO does: with those behind it of its sender and length, the last one perhaps shorter. Answers how
// long each is; 0 = it stays alone.
std::size_t SimKernel::join_received(DatagramEnd& own, Packet& first) {
  const std::size_t size = first.bytes.size();
  if (!own.joins || size == 0) return 0;
  std::size_t count = 1;
  for (std::size_t last = size; last == size && count < DatagramNet::segments_most; ++count) {
    if (own.queue.empty()) break;
    const Packet& next = own.queue.front();
    last = next.bytes.size();
    if (next.from != first.from || last == 0 || last > size) break;
    if (first.bytes.size() + last > DatagramNet::size_most || !faults_.happens(Fault::burst)) break;
    first.bytes += next.bytes;
    own.queue.pop_front();
  }
  return count > 1 ? size : 0;
}

// Head, room for the name and the control message, payload: as Linux lays a multishot recvmsg out.
int SimKernel::write_datagram(const SoftBuffer& buffer, const Packet& packet, std::size_t segment_size,
                              const Operation& operation) {
  const std::size_t name_size = operation.name_size;
  const std::size_t head_size = sizeof(io_uring_recvmsg_out) + name_size + operation.control_size;
  RINGWIRE_ASSERT(buffer.size >= head_size, "a buffer of {} bytes", buffer.size);
  const std::size_t size = std::min(packet.bytes.size(), buffer.size - head_size);
  const SocketName from = loopback_name(packet.from);
  io_uring_recvmsg_out head{};
  head.namelen = from.size;
  head.payloadlen = static_cast<std::uint32_t>(packet.bytes.size());  // As with MSG_TRUNC.
  head.flags = size < packet.bytes.size() ? MSG_TRUNC : 0;
  if (segment_size > 0) {
    RINGWIRE_ASSERT(operation.control_size >= CMSG_SPACE(sizeof(int)));
    const int number = static_cast<int>(segment_size);
    const cmsghdr note{CMSG_LEN(sizeof(number)), SOL_UDP, UDP_GRO};
    std::byte* const control = buffer.memory + sizeof(head) + name_size;
    std::memcpy(control, &note, sizeof(note));
    std::memcpy(control + CMSG_LEN(0), &number, sizeof(number));
    head.controllen = CMSG_SPACE(sizeof(number));
  }
  std::memcpy(buffer.memory, &head, sizeof(head));
  std::memcpy(buffer.memory + sizeof(head), &from.storage, std::min<std::size_t>(name_size, from.size));
  std::memcpy(buffer.memory + head_size, packet.bytes.data(), size);
  return static_cast<int>(head_size + size);
}

void SimKernel::attempt_send_datagram(Operation& operation) {
  if (end_by_fault(operation, Fault::send_fails)) return;
  DatagramEnd& own = *operation.file->datagrams;
  if (const int error = std::exchange(own.error, 0); error != 0) return end(operation, error);
  const std::uint16_t to = operation.target.size == 0 ? own.peer : port_of(operation.target);
  if (to == 0) return end(operation, -EDESTADDRREQ);
  Packet packet{own.port, to, {}};
  for (const std::span<std::byte> piece : operation.pieces) packet.bytes += to_text(piece);
  if (operation.segment_size > 0) return end(operation, send_segments(packet, operation.segment_size));
  end(operation, datagrams_.send(std::move(packet)));
}

// As UDP_SEGMENT does: cut into datagrams of one length, the last one perhaps shorter.
int SimKernel::send_segments(const Packet& all, std::size_t segment_size) {
  const std::size_t size = all.bytes.size();
  if (size > DatagramNet::size_most) return -EMSGSIZE;
  if (size > segment_size * DatagramNet::segments_most) return -EINVAL;
  for (std::size_t begin = 0; begin < size; begin += segment_size) {
    static_cast<void>(datagrams_.send({all.from, all.to, all.bytes.substr(begin, segment_size)}));
  }
  return static_cast<int>(size);
}

}  // namespace ringwire::kernel::sim
