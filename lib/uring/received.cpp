// Reading the head the kernel wrote.
#include "lib/uring/received.hpp"

#include "lib/base/assert.hpp"

#include <algorithm>
#include <cstring>

namespace ringwire::uring {

Received read_received(Bytes buffer) noexcept {
  RINGWIRE_ASSERT(buffer.size() >= received_head_size, "a head of {} bytes", buffer.size());

  io_uring_recvmsg_out head{};
  std::memcpy(&head, buffer.data(), sizeof(head));
  Received received;
  // It tells the length the name would have had; more than there was room for has not been written.
  received.name.size = std::min<socklen_t>(head.namelen, received_name_size);
  std::memcpy(&received.name.storage, buffer.data() + sizeof(head), received.name.size);
  received.payload = buffer.subspan(received_head_size);
  // With MSG_TRUNC the length is that of the datagram, not of what was copied.
  received.size = std::max<std::size_t>(head.payloadlen, received.payload.size());
  return received;
}

}  // namespace ringwire::uring
