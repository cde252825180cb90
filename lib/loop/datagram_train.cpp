// Coupling datagrams together.
#include "lib/loop/datagram_train.hpp"

#include "lib/base/assert.hpp"
#include "lib/loop/datagram_socket.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <cstring>

namespace ringwire::loop {

Train::Train(const Outgoing& first) noexcept
    : segment_size_{static_cast<std::uint16_t>(first.size)}, size_{first.size}, message_{first.message} {
  RINGWIRE_ASSERT(first.size > 0);
  RINGWIRE_ASSERT(first.size <= size_most, "{} bytes", first.size);
  pieces_.front() = first.piece;
}

Train::~Train() {
  RINGWIRE_ASSERT(others_.empty(), "dropped with datagrams that nobody was told of");
}

bool Train::takes(const Outgoing& next) const noexcept {
  return !is_full() && next.size > 0 && next.size <= segment_size_ && size_ + next.size <= size_most;
}

void Train::add(Outgoing& next) noexcept {
  RINGWIRE_ASSERT(takes(next), "{} bytes behind {} of {}", next.size, count_, segment_size_);
  pieces_[count_++] = next.piece;
  size_ += next.size;
  closed_ = next.size < segment_size_;
  others_.push_back(next);
}

const msghdr& Train::message() noexcept {
  message_.msg_iov = pieces_.data();
  message_.msg_iovlen = count_;
  message_.msg_control = control_.data();
  message_.msg_controllen = control_.size();
  cmsghdr* const note = CMSG_FIRSTHDR(&message_);
  note->cmsg_level = SOL_UDP;
  note->cmsg_type = UDP_SEGMENT;
  note->cmsg_len = CMSG_LEN(sizeof(segment_size_));
  std::memcpy(CMSG_DATA(note), &segment_size_, sizeof(segment_size_));
  return message_;
}

}  // namespace ringwire::loop
