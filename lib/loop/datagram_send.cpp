// Sending: everything queued in a lap leaves at its end, each datagram in a request of its own.
//
// Several are in flight at once: the kernel takes them in the order they were submitted, and only those that
// find the socket's buffer full may be overtaken. Datagrams promise no order.
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/loop/datagram_socket.hpp"
#include "lib/loop/session.hpp"
#include "lib/net/datagrams.hpp"
#include "lib/uring/prep.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

namespace ringwire::loop {

Outgoing::Outgoing(std::uint32_t slot_, std::uint32_t generation_, std::uint32_t socket_, Bytes bytes_,
                   const kernel::SocketName& name_, Done& done_)
    : slot{slot_},
      generation{generation_},
      socket{socket_},
      size{static_cast<std::uint32_t>(bytes_.size())},
      bytes{std::make_unique_for_overwrite<std::byte[]>(bytes_.size())},
      name{name_} {
  std::copy(bytes_.begin(), bytes_.end(), bytes.get());
  piece = {bytes.get(), bytes_.size()};
  if (name.size > 0) message.msg_name = &name.storage;
  message.msg_namelen = name.size;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  done = std::move(done_);
}

std::error_code DatagramSocket::queue(Bytes bytes, const Address& to, Done&& done) noexcept {
  if (queueing_ended_ || fd_ < 0) return Error::closed;
  if (to.family == Address::Family::none)
    return std::make_error_code(std::errc::destination_address_required);
  if (bytes.size() > datagram_size_most) return std::make_error_code(std::errc::message_size);
  const kernel::SocketName name = net::name_for(local_.family, to);
  if (name.size == 0) return std::make_error_code(std::errc::address_family_not_supported);
  return queue(bytes, name, std::move(done));
}

std::error_code DatagramSocket::queue(Bytes bytes, const kernel::SocketName& name, Done&& done) noexcept {
  RINGWIRE_ASSERT(name.size > 0 || connected_);
  if (queueing_ended_ || fd_ < 0) return Error::closed;
  if (bytes.size() > datagram_size_most) return std::make_error_code(std::errc::message_size);

  const std::size_t limit = shared_.options.datagram_outbound_limit;
  const std::size_t wanted = outbound_size_ + bytes.size() + envelope_size;
  if (limit != 0 && wanted > limit) return std::make_error_code(std::errc::no_buffer_space);
  if (const auto error = acquire(bytes, name, done)) return error;
  outbound_size_ = wanted;
  return {};
}

std::error_code DatagramSocket::acquire(Bytes bytes, const kernel::SocketName& name, Done& done) noexcept {
  try {
    Outgoing* datagram = shared_.outgoing.acquire(slot_, bytes, name, done);
    if (datagram == nullptr) return std::make_error_code(std::errc::no_buffer_space);
    queued_.push_back(*datagram);
    mark_due();
    return {};
  } catch (const std::bad_alloc&) {
    return std::make_error_code(std::errc::not_enough_memory);
  }
}

bool DatagramSocket::wants_send() const noexcept {
  return !queued_.empty() && in_flight_ < in_flight_max && !close_armed_;
}

void DatagramSocket::arm_send(uring::Ring& ring) noexcept {
  RINGWIRE_ASSERT(!queued_.empty());
  RINGWIRE_ASSERT(in_flight_ < in_flight_max);
  RINGWIRE_ASSERT(!given_up_);
  RINGWIRE_ASSERT(fd_ >= 0);

  Outgoing& datagram = *queued_.pop_front();
  const uring::Token token{uring::Op::datagram_send, datagram.generation, datagram.slot};
  uring::prep_send_datagram(ring.next_sqe(token), fd_, datagram.message);
  ++datagram.tries;
  ++in_flight_;
}

void DatagramSocket::on_send(Outgoing& datagram, const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(in_flight_ > 0);
  RINGWIRE_ASSERT(!done.has_more());
  RINGWIRE_ASSERT(datagram.socket == slot_);
  RINGWIRE_ASSERT(done.res < 0 || static_cast<std::uint32_t>(done.res) == datagram.size, "{} of {} bytes",
                  done.res, datagram.size);

  --in_flight_;
  mark_due();
  switch (-done.res) {
    case ECANCELED:
    case EAGAIN:
    case EINTR:
    case ENOBUFS:  // No memory, or no room in the device's queue, just now.
    case ENOMEM:
      if (given_up_) return answer(datagram, Error::engine_stopped);  // It has not left, and will not.
      if (datagram.tries < tries_max) return queued_.push_front(datagram);
      break;
    case ECONNREFUSED:  // An earlier datagram found nobody; who asks first is told.
      if (session_ != nullptr) session_->end(base::to_error(done.res));
      break;
    default:
      break;
  }
  answer(datagram, base::to_error(done.res));
}

// It is ours again, in no list: whoever waits for it is told, when the loop tells its news.
void DatagramSocket::answer(Outgoing& datagram, std::error_code error) noexcept {
  ++(error ? shared_.counts.failed : shared_.counts.sent);
  RINGWIRE_ASSERT(outbound_size_ >= datagram.size + envelope_size);
  outbound_size_ -= datagram.size + envelope_size;
  if (!datagram.done) return shared_.outgoing.release(datagram.slot);
  datagram.error = error;
  shared_.answered.push_back(datagram);
}

}  // namespace ringwire::loop
