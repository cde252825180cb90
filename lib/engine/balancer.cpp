// Accept, choose, hand over; and at the end, say how many.
#include "lib/engine/balancer.hpp"

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/loop/arrival.hpp"
#include "lib/uring/prep.hpp"

#include <algorithm>
#include <utility>

namespace ringwire::engine {
namespace {

// Enough for a batch of messages in one submit. A loop whose queues are smaller wants the balancer's so, too.
constexpr std::size_t sq_entries_max = 256;
constexpr std::size_t cq_entries_max = 4096;

// A loop that could not take a message makes room in its next lap. Without a pause we would ask all the
// while.
constexpr kernel::Nanoseconds refused_pause = 1'000'000;

// Set in the slot of a message's token when it is the last one for its loop; descriptors and counts have 31
// bits.
constexpr std::uint32_t end_bit = loop::Loop::handoffs_modulus;

// Set in the generation of such a token, beside the loop's number, when it is a unix socket.
constexpr std::uint32_t unix_bit = 1U << 16;

}  // namespace

Balancer::Balancer(const loop::Surroundings& surroundings, std::vector<loop::Loop*> loops)
    : with_{surroundings},
      loops_{std::move(loops)},
      bell_{with_.kernel, 1},
      ring_{with_.kernel},
      policy_{with_.options.balancing, loops_.size()},
      delivered_(loops_.size()) {
  RINGWIRE_ASSERT(!loops_.empty());
}

void Balancer::add_listener(int fd, bool is_tcp) {
  RINGWIRE_ASSERT(!ring_.is_open());
  acceptors_.emplace_back(fd, static_cast<std::uint32_t>(acceptors_.size()), with_.log, is_tcp);
}

std::error_code Balancer::open() {
  uring::Features wanted;
  if (const auto error = loop::wanted_features(with_, wanted)) return error;
  const auto sq_entries = static_cast<unsigned>(std::min(with_.options.sq_entries, sq_entries_max));
  const auto cq_entries = static_cast<unsigned>(std::min(with_.options.cq_entries, cq_entries_max));
  if (const auto error = ring_.open(sq_entries, cq_entries, wanted, loop::wanted_requests(with_)))
    return error;
  if (!ring_.features().has(uring::Feature::wake_ring)) {
    event_fd_ = with_.kernel.open_event();
    if (event_fd_ < 0) return base::fail(base::to_error(event_fd_), "eventfd");
    event_due_ = true;
  }
  bell_.open(ring_.fd(), event_fd_);
  now_ = with_.kernel.now();
  flush();  // A lap begins by waiting: what it waits for must be armed.
  return {};
}

void Balancer::close() noexcept {
  std::vector<loop::Mail> rest;
  bell_.close(rest);
  RINGWIRE_ASSERT(rest.empty(), "{} letters to the balancer", rest.size());
  ring_.close();
  for (loop::Acceptor& acceptor : acceptors_) acceptor.close_now(with_.kernel);
  if (event_fd_ >= 0) with_.kernel.close(std::exchange(event_fd_, -1));
}

void Balancer::request_stop() noexcept {
  stop_requested_.store(true, std::memory_order_release);
  bell_.wake();
}

bool Balancer::lap() {
  submit_and_wait();
  now_ = with_.kernel.now();
  reap();
  if (stop_requested_.load(std::memory_order_acquire) && !stopping_) begin_stop();
  flush();
  return !(ended_ && undelivered_.empty() && refused_.empty() && ring_.in_flight() == 0);
}

void Balancer::submit_and_wait() noexcept {
  const bool has_work = queue_full_ || ring_.has_overflow() || !undelivered_.empty() ||
                        stop_requested_.load(std::memory_order_relaxed) != stopping_;
  if (has_work) {
    ring_.submit_and_wait(0, 0);
  } else {
    const kernel::Nanoseconds retry_at = refused_.empty() ? UINT64_MAX : retry_at_;
    ring_.submit_and_wait(1, loop::time_until(with_, std::min(retry_at, loop::first_resume(acceptors_))));
  }
}

void Balancer::reap() noexcept {
  // What the loops have closed is read once a batch: in between we count ourselves.
  for (std::size_t loop = 0; loop < loops_.size(); ++loop)
    policy_.set_closed(loop, loops_[loop]->accepted_closed());
  for (auto batch = ring_.reap(); !batch.empty(); batch = ring_.reap()) {
    for (const uring::Completion& done : batch) dispatch(done);
  }
}

void Balancer::dispatch(const uring::Completion& done) noexcept {
  const uring::Token token = done.token;
  switch (token.op) {
    case uring::Op::accept: {
      RINGWIRE_ASSERT(token.slot < acceptors_.size(), "listener {} of {}", token.slot, acceptors_.size());
      loop::Acceptor& acceptor = acceptors_[token.slot];
      const int fd = acceptor.on_accept(done, now_);
      if (fd >= 0) assign(fd, acceptor.is_tcp());
      return;
    }
    case uring::Op::accept_cancel:
      return acceptors_[token.slot].on_cancel(done);
    case uring::Op::accept_close:
      return acceptors_[token.slot].on_close(done);
    case uring::Op::handoff_send:
      if (done.res < 0) {
        refuse({token.generation & ~unix_bit, token.slot, (token.generation & unix_bit) == 0});
      }
      return;
    case uring::Op::event:
      event_due_ = !stopping_;
      return;
    case uring::Op::cancel_all:
    case uring::Op::wake:
      return;
    default:
      RINGWIRE_ASSERT(false, "op {} is no operation of the balancer", static_cast<int>(token.op));
  }
}

void Balancer::assign(int fd, bool is_tcp) noexcept {
  RINGWIRE_ASSERT(fd >= 0);
  RINGWIRE_ASSERT(!ended_, "descriptor {} came after the loops were told the last count", fd);

  const auto loop = static_cast<std::uint32_t>(policy_.assign());
  undelivered_.push_back({loop, static_cast<std::uint32_t>(fd), is_tcp});
  delivered_[loop] = (delivered_[loop] + 1) % loop::Loop::handoffs_modulus;
}

// The loop's queue could not take it (no memory, a full queue): it stays with us until it can.
void Balancer::refuse(const Message& message) noexcept {
  if (refused_.empty()) retry_at_ = now_ + refused_pause;
  refused_.push_back(message);
}

// What finds no room now stays due; nothing else would wake us for it.
bool Balancer::make_room(unsigned count) noexcept {
  if (ring_.make_room(count)) return true;
  queue_full_ = true;
  return false;
}

void Balancer::flush() noexcept {
  queue_full_ = false;
  for (loop::Acceptor& acceptor : acceptors_) {
    if (!acceptor.flush(ring_, now_)) queue_full_ = true;
  }
  if (event_due_ && make_room(1)) {
    uring::prep_read(ring_.next_sqe({uring::Op::event, 0, 0}), event_fd_, event_bytes_);
    event_due_ = false;
  }
  if (now_ >= retry_at_) {
    undelivered_.insert(undelivered_.end(), refused_.begin(), refused_.end());
    refused_.clear();
  }
  if (stopping_) flush_stop();
  while (!undelivered_.empty() && make_room(1)) {
    send(undelivered_.front());
    undelivered_.pop_front();
  }
}

void Balancer::send(const Message& message) noexcept {
  RINGWIRE_ASSERT(message.loop < loops_.size(), "loop {} of {}", message.loop, loops_.size());

  const bool is_end = (message.content & end_bit) != 0;
  const uring::Token theirs =
      is_end ? uring::Token{uring::Op::handoff_end, 0, 0} : loop::Arrival{message.is_tcp}.token();
  const uring::Token ours{uring::Op::handoff_send, message.loop | (message.is_tcp ? 0 : unix_bit),
                          message.content};
  uring::prep_message(ring_.next_sqe(ours), loops_[message.loop]->ring_fd(), theirs.pack(),
                      message.content & ~end_bit);
}

void Balancer::begin_stop() noexcept {
  RINGWIRE_ASSERT(!stopping_);
  RINGWIRE_ASSERT(!ended_);

  stopping_ = true;
  with_.owner.listeners_closing();
  for (loop::Acceptor& acceptor : acceptors_) acceptor.begin_close();
}

void Balancer::flush_stop() noexcept {
  RINGWIRE_ASSERT(stopping_);

  for (const loop::Acceptor& acceptor : acceptors_) {
    if (!acceptor.is_closed()) return;
  }
  if (!ended_) {
    // Nothing will be accepted any more: tell each loop how many it must have got.
    ended_ = true;
    for (std::uint32_t loop = 0; loop < loops_.size(); ++loop) {
      undelivered_.push_back({loop, delivered_[loop] | end_bit, true});
    }
    return;
  }
  const bool only_event_left =
      undelivered_.empty() && refused_.empty() && event_fd_ >= 0 && !event_due_ && ring_.in_flight() == 1;
  event_due_ = false;
  if (only_event_left && make_room(1)) {
    uring::prep_cancel_all(ring_.next_sqe({uring::Op::cancel_all, 0, 0}));
  }
}

}  // namespace ringwire::engine
