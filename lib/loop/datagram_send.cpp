// Sending: everything queued in a lap leaves at its end. What is of one size and for one peer leaves
// together, as a train, where the kernel can cut it; anything else in a request of its own.
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
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace ringwire::loop {
namespace {

bool is_same_peer(const kernel::SocketName& one, const kernel::SocketName& other) noexcept {
  return one.size == other.size && std::memcmp(&one.storage, &other.storage, one.size) == 0;
}

// No memory, no room in the device's queue, or a call that was cut short: just now.
bool is_of_the_moment(int result) noexcept {
  switch (-result) {
    case ECANCELED:
    case EAGAIN:
    case EINTR:
    case ENOBUFS:
    case ENOMEM:
      return true;
    default:
      return false;
  }
}

// May each by itself be taken, though a train was not? EINVAL, or EMSGSIZE: one is longer than the path takes
// in one piece, and alone would be sent in several. EIO: the device cannot cut.
bool refuses_trains(int result) noexcept {
  switch (-result) {
    case EINVAL:
    case EMSGSIZE:
    case EIO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
      return true;
    default:
      return false;
  }
}

// Makes the train, if `next` could be in it; without memory each leaves by itself.
bool begin_train(Outgoing& first, const Outgoing& next) noexcept {
  if (next.size == 0 || next.size > first.size || first.size + next.size > Train::size_most) return false;
  try {
    first.train = std::make_unique<Train>(first);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace

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

  Outgoing& first = *queued_.pop_front();
  const msghdr& message = couple(first);
  const uring::Token token{uring::Op::datagram_send, first.generation, first.slot};
  uring::prep_send_datagram(ring.next_sqe(token), fd_, message);
  ++in_flight_;
}

// Who waits behind it for the same peer, up to the first that does not fit: what goes to one peer keeps its
// order.
const msghdr& DatagramSocket::couple(Outgoing& first) noexcept {
  RINGWIRE_ASSERT(first.train == nullptr);
  if (train_max_ < 2 || first.size == 0 || first.size >= train_size_end_) return first.message;

  Outgoing* next = queued_.front();
  for (std::size_t passed = 0; next != nullptr && passed < reach;) {
    Outgoing& each = *next;
    next = queued_.after(each);
    if (!is_same_peer(first.name, each.name)) {
      ++passed;
      continue;
    }
    if (first.train == nullptr && !begin_train(first, each)) break;
    if (!first.train->takes(each)) break;
    queued_.remove(each);
    first.train->add(each);
    if (first.train->count() == train_max_) break;
  }
  return first.train == nullptr ? first.message : first.train->message();
}

void DatagramSocket::on_send(Outgoing& first, const uring::Completion& done) noexcept {
  const std::unique_ptr<Train> train = std::move(first.train);
  RINGWIRE_ASSERT(in_flight_ > 0);
  RINGWIRE_ASSERT(!done.has_more());
  RINGWIRE_ASSERT(first.socket == slot_);
  const std::size_t size = train == nullptr ? first.size : train->size();
  RINGWIRE_ASSERT(done.res < 0 || static_cast<std::size_t>(done.res) == size, "{} of {} bytes", done.res,
                  size);

  --in_flight_;
  mark_due();
  if (done.res >= 0) ++shared_.counts.sends;
  // An earlier datagram found nobody; who asks first is told.
  if (done.res == -ECONNREFUSED && session_ != nullptr) session_->end(base::to_error(done.res));
  const bool refused = train != nullptr && refuses_trains(done.res);
  if (refused) train_size_end_ = done.res == -EIO ? 0 : std::min(train_size_end_, train->segment_size());

  base::List<Outgoing, Queued> again;  // The last one first.
  for (Outgoing* next = &first; next != nullptr;) {
    Outgoing& each = *next;
    next = train == nullptr ? nullptr : train->others().pop_front();
    if (!settle(each, done.res, refused)) again.push_front(each);
  }
  while (Outgoing* each = again.pop_front()) queued_.push_front(*each);
}

// False when it is to be sent again.
bool DatagramSocket::settle(Outgoing& datagram, int result, bool alone) noexcept {
  if (alone || is_of_the_moment(result)) {
    if (given_up_) return answer(datagram, Error::engine_stopped), true;  // It has not left, and will not.
    if (alone || ++datagram.tries < tries_max) return false;
  }
  answer(datagram, base::to_error(result));
  return true;
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
