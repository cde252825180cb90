// Closing: what is queued leaves first, then what is armed is cancelled, then the descriptor goes.
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/loop/datagram_socket.hpp"
#include "lib/uring/prep.hpp"

#include <cerrno>
#include <utility>

namespace ringwire::loop {

DatagramSocket::DatagramSocket(std::uint32_t slot, std::uint32_t generation, int fd, const Address& local,
                               bool is_connected, DatagramShared& shared) noexcept
    : shared_{shared},
      local_{local},
      fd_{fd},
      slot_{slot},
      generation_{generation},
      connected_{is_connected} {
  RINGWIRE_ASSERT(fd >= 0);
  RINGWIRE_ASSERT(local.family != Address::Family::none);
  mark_due();
}

DatagramSocket::~DatagramSocket() {
  RINGWIRE_ASSERT(fd_ < 0);
  RINGWIRE_ASSERT(session_ == nullptr);
  if (linked()) shared_.due.remove(*this);
}

// What it then wants is asked in the flush; it may be nothing.
void DatagramSocket::mark_due() noexcept {
  if (!linked()) shared_.due.push_back(*this);
}

// The receive stays armed until the close cancels it; what it brings is dropped, as it would be without it.
void DatagramSocket::begin_close() noexcept {
  draining_ = true;
  mark_due();
  pause_.end();  // Nobody waits for the end of the pause any more.
}

void DatagramSocket::end_queueing() noexcept {
  RINGWIRE_ASSERT(draining_);
  queueing_ended_ = true;
  mark_due();
}

void DatagramSocket::give_up() noexcept {
  RINGWIRE_ASSERT(draining_);
  queueing_ended_ = given_up_ = true;
  mark_due();
  while (Outgoing* datagram = queued_.pop_front()) answer(*datagram, Error::engine_stopped);
}

bool DatagramSocket::wants_close() const noexcept {
  if (!draining_ || fd_ < 0 || close_armed_ || cancel_armed_) return false;
  return given_up_ || (queueing_ended_ && queued_.empty() && in_flight_ == 0);
}

void DatagramSocket::arm_close(uring::Ring& ring) noexcept {
  RINGWIRE_ASSERT(draining_);
  RINGWIRE_ASSERT(queueing_ended_);
  RINGWIRE_ASSERT(queued_.empty());
  RINGWIRE_ASSERT(!close_armed_);
  RINGWIRE_ASSERT(!cancel_armed_);

  if (recv_armed_ || in_flight_ > 0) {
    io_uring_sqe& cancel = ring.next_sqe(token(uring::Op::datagram_cancel));
    uring::prep_cancel_fd(cancel, fd_);
    uring::link_hard(cancel);
    cancel_armed_ = true;
  }
  uring::prep_close(ring.next_sqe(token(uring::Op::datagram_close)), fd_);
  close_armed_ = true;
}

void DatagramSocket::on_cancel(const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(cancel_armed_);
  RINGWIRE_ASSERT(done.res >= 0 || done.res == -ENOENT || done.res == -EALREADY, "cancel: {}", done.res);
  cancel_armed_ = false;
  mark_due();
}

void DatagramSocket::on_close(const uring::Completion& done) noexcept {
  RINGWIRE_ASSERT(close_armed_);
  RINGWIRE_ASSERT(done.res != -EBADF, "datagram socket {} was closed by somebody else", fd_);
  close_armed_ = false;
  mark_due();
  if (done.res != -ECANCELED) fd_ = -1;  // Else it never began: the next flush tries again.
}

bool DatagramSocket::is_closed() const noexcept {
  return fd_ < 0 && !recv_armed_ && !cancel_armed_ && !close_armed_ && in_flight_ == 0;
}

void DatagramSocket::close_now(kernel::Kernel& kernel) noexcept {
  if (fd_ >= 0) kernel.close(std::exchange(fd_, -1));
  while (Outgoing* datagram = queued_.pop_front()) answer(*datagram, Error::closed);
}

}  // namespace ringwire::loop
