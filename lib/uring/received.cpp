// Reading the head the kernel wrote, and parting what it has joined.
#include "lib/uring/received.hpp"

#include "lib/base/assert.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cstring>

namespace ringwire::uring {
namespace {

// How long each of several joined datagrams is; 0 when it is one. We ask for no other note.
std::size_t read_segment_size(Bytes control) noexcept {
  if (control.size() < CMSG_LEN(sizeof(int))) return 0;
  cmsghdr note{};
  std::memcpy(&note, control.data(), sizeof(note));
  if (note.cmsg_level != SOL_UDP || note.cmsg_type != UDP_GRO) return 0;
  int size = 0;
  std::memcpy(&size, control.data() + CMSG_LEN(0), sizeof(size));
  RINGWIRE_ASSERT(size > 0, "datagrams of {} bytes", size);
  return static_cast<std::size_t>(size);
}

}  // namespace

Received read_received(Bytes buffer) noexcept {
  RINGWIRE_ASSERT(buffer.size() >= received_head_size, "a head of {} bytes", buffer.size());

  io_uring_recvmsg_out head{};
  std::memcpy(&head, buffer.data(), sizeof(head));
  Received received;
  // It tells the length the name would have had; more than there was room for has not been written.
  received.name.size = std::min<socklen_t>(head.namelen, received_name_size);
  std::memcpy(&received.name.storage, buffer.data() + sizeof(head), received.name.size);
  const std::size_t control_size = std::min<std::size_t>(head.controllen, received_control_size);
  received.segment_size = read_segment_size(buffer.subspan(sizeof(head) + received_name_size, control_size));
  received.payload = buffer.subspan(received_head_size);
  // With MSG_TRUNC the length is that of the datagram, not of what was copied.
  received.size = std::max<std::size_t>(head.payloadlen, received.payload.size());
  return received;
}

Received take_datagram(Received& rest, std::size_t size_max) noexcept {
  Received first = rest;
  if (rest.segment_size != 0) first.size = std::min(rest.segment_size, rest.size);
  const std::size_t here = std::min(first.size, rest.payload.size());
  first.payload = rest.payload.first(std::min(here, size_max));
  first.segment_size = 0;
  rest.payload = rest.payload.subspan(here);
  rest.size -= first.size;
  return first;
}

}  // namespace ringwire::uring
