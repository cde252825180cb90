// Receiving: one multishot recvmsg that survives whatever recvmsg(2) can answer.
#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/loop/datagram_socket.hpp"
#include "lib/loop/session.hpp"
#include "lib/uring/prep.hpp"
#include "lib/uring/received.hpp"

#include <cerrno>

namespace ringwire::loop {

bool DatagramSocket::wants_recv(kernel::Nanoseconds now) const noexcept {
  return !recv_armed_ && !draining_ && !broken_ && pause_.is_over(now);
}

void DatagramSocket::arm_recv(uring::Ring& ring) noexcept {
  RINGWIRE_ASSERT(!recv_armed_);
  RINGWIRE_ASSERT(!draining_);
  RINGWIRE_ASSERT(fd_ >= 0);

  uring::prep_recvmsg_multishot(ring.next_sqe(token(uring::Op::datagram_recv)), fd_, uring::received_shape,
                                shared_.pool.bgid());
  recv_armed_ = true;
  pause_.end();
}

void DatagramSocket::on_recv(const uring::Completion& done, kernel::Nanoseconds now) noexcept {
  RINGWIRE_ASSERT(recv_armed_);

  // The end of a multishot and what it carries are two things: a datagram of no bytes ends it, and counts.
  if (!done.has_more()) {
    recv_armed_ = false;
    mark_due();
  }
  if (done.has_buffer()) shared_.pool.take(done.bid());
  if (done.res > 0) {
    RINGWIRE_ASSERT(done.has_buffer());
    pause_.forget();
    if (draining_) return shared_.pool.give_back(done.bid());
    RINGWIRE_ASSERT(shared_.incoming.size() < shared_.pool.count());
    shared_.incoming.push_back({slot_, static_cast<std::uint32_t>(done.res), done.bid()});
    return;
  }
  if (done.has_buffer()) shared_.pool.give_back(done.bid());

  switch (-done.res) {
    // The buffers are in completions that come next, and free before the receive is armed again. So it need
    // not wait for data first, as a connection's does, whose buffer its neighbours may hold.
    case ENOBUFS:
    case ECANCELED:
    case EAGAIN:
    case EINTR:
      return;
    case EBADF:
    case ENOTSOCK:
      // The number is not this socket's any more, and may soon be another's: never again.
      if (draining_) return;
      broken_ = true;
      if (session_ != nullptr) session_->end(base::to_error(done.res));
      shared_.log.error("receiving on {} stopped: {}; was the socket closed by other code?",
                        local_.to_string(), base::to_error(done.res).message());
      return;
    default:
      // Whatever the reason is, it may hold: trying again at once would spin. The datagrams wait in the
      // socket, which, when it closes, does not try again.
      if (draining_) return;
      // Of one peer it says that nobody is there, or that there is no way.
      if (session_ != nullptr && done.res != -ENOMEM) return session_->end(base::to_error(done.res));
      pause_.begin(now);
      shared_.log.debug("receiving on {} paused for {} ms: {}", local_.to_string(),
                        (pause_.until() - now) / 1'000'000, base::to_error(done.res).message());
  }
}

}  // namespace ringwire::loop
